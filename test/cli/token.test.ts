/** `fanfare token`: what it issues a real server accepts, and what it says of a token a real server does. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { APP, socketUrl, startServer } from "../support/server.ts";
import { folderWith, run } from "./run.ts";

setDefaultTimeout(20_000);

const NEIGHBOUR = { id: "neighbour", key: "neighbours-key", secret: "neighbours-secret" };
const cwd = await folderWith({ apps: [APP, NEIGHBOUR] });

async function issued(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(["token", ...args], { cwd });
  expect({ code, refused: stderr.includes("refuses") }).toEqual({ code: 0, refused: false });
  return stdout.trim();
}

/** The first frame that the server sends, or the code it closes with. */
async function firstAnswer(url: string): Promise<string | number> {
  const { promise, resolve } = Promise.withResolvers<string | number>();
  const socket = new WebSocket(url);
  socket.onmessage = ({ data }) => resolve(String(data));
  socket.onclose = ({ code }) => resolve(code);
  const answer = await promise;
  socket.close();
  return answer;
}

describe("a token that is issued", () => {
  test("is signed by the app's secret and says what was asked for", async () => {
    const token = await issued(
      "--user",
      "42",
      "--info",
      '{"name":"Ann"}',
      "--channels",
      "chat.*, presence-room",
      "--watch",
      "presence-*",
      "--watchlist",
      "7,8",
      "--expires",
      "90s",
    );
    expect(decodeProtectedHeader(token)).toEqual({ alg: "HS256", typ: "JWT" });
    const { iat = 0, exp = 0, ...claims } = decodeJwt(token);
    expect(claims).toEqual({
      sub: "42",
      info: { name: "Ann" },
      channels: ["chat.*", "presence-room"],
      watch: ["presence-*"],
      watchlist: ["7", "8"],
    });
    expect(exp - iat).toBe(90);
    expect(Math.abs(iat - Date.now() / 1000)).toBeLessThan(60);
  });

  test("opens a connection to a real server, and one of another app does not", async () => {
    const server = await startServer();
    const good = await issued("--user", "42");
    const bad = await issued("--user", "42", "--app", "neighbour");
    expect(await firstAnswer(socketUrl(server.url, `/?token=${good}`))).toContain('"42"');
    expect(String(await firstAnswer(socketUrl(server.url, `/?token=${bad}`)))).not.toContain('"42"');
  });

  test("stands alone on the standard output, with the rest beside it", async () => {
    const { stdout, stderr } = await run(["token", "--user", "42"], { cwd });
    expect(stdout).toMatch(/^[-\w]+\.[-\w]+\.[-\w]+\n$/);
    expect(stderr).toMatch(/^token of user 42 for app app, good until .* UTC \(in (60 minutes|1 hour)\)\n$/);
  });

  test("is made by the rules of the app: their secret, audience and issuer", async () => {
    const token = { secret: "the-issuers-secret", audience: "chat", issuer: "https://issuer.example" };
    const folder = await folderWith({ apps: [{ ...APP, token }] });
    const made = await run(["token", "--user", "1"], { cwd: folder });
    expect(decodeJwt(made.stdout.trim())).toMatchObject({ aud: "chat", iss: "https://issuer.example" });
    expect((await run(["token", "inspect", made.stdout.trim()], { cwd: folder })).code).toBe(0);
    const strange = await run(["token", "--user", "1", "--audience", "mail"], { cwd: folder });
    expect(strange.stderr).toContain("this configuration refuses it: its claim aud is not what this app expects");
  });

  test.each([
    [[], "fanfare: a token needs a user: name it with --user\n"],
    [
      ["--user", "1", "--expires", "soon"],
      'fanfare: --expires has to be a time such as 90s, 15m, 1h or 7d, but is "soon"\n',
    ],
    [["--user", "1", "--info", "{"], "fanfare: --info looks like JSON but does not parse: {\n"],
    [["--user", "1", "--app", "nobody"], 'fanfare: there is no app "nobody" here: known are app, neighbour\n'],
  ])("is refused for %j in one line", async (args, sentence) => {
    expect(await run(["token", ...args], { cwd })).toMatchObject({ code: 1, stdout: "", stderr: sentence });
  });

  test("cannot be made for an issuer whose private key is elsewhere", async () => {
    const { publicKey } = generateKeyPairSync("ed25519", {
      publicKeyEncoding: { type: "spki", format: "pem" },
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
    });
    const folder = await folderWith({ apps: [{ ...APP, token: { publicKey } }] });
    const { code, stderr } = await run(["token", "--user", "1"], { cwd: folder });
    expect(code).toBe(1);
    expect(stderr).toStartWith("fanfare: app app takes tokens of the issuer behind `token.publicKey`");
  });
});

describe("fanfare token inspect", () => {
  test("shows header, claims and times, and which app accepts it", async () => {
    const token = await issued("--user", "42", "--channels", "chat.*");
    const { code, stdout } = await run(["token", "inspect", token], { cwd });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Header\n {2}alg +HS256\n/);
    expect(stdout).toMatch(/\n {2}sub +42\n/);
    expect(stdout).toMatch(/\n {2}exp +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \(in (1 hour|\d+ minutes)\)\n/);
    expect(stdout).toContain("App app accepts it, as user 42, for the channels chat.*.\n");
    expect(stdout).toContain("App neighbour refuses it: its signature is not one of this app's keys.\n");
  });

  test("says with exit code 1 why the app that is meant refuses it", async () => {
    const token = await issued("--user", "42");
    const { code, stdout } = await run(["token", "inspect", "--app", "neighbour", token], { cwd });
    expect(code).toBe(1);
    expect(stdout).not.toContain("App app");
    const old = (await run(["token", "--user", "42", "--expires", "-2h"], { cwd })).stdout.trim();
    const expired = await run(["token", "inspect", old, "--app", "app"], { cwd });
    expect(expired.code).toBe(1);
    expect(expired.stdout).toContain("(2 hours ago)");
    expect(expired.stdout).toContain("App app refuses it: it has expired.");
  });

  test("prints JSON, and takes what is copied from a header", async () => {
    const token = await issued("--user", "42");
    const { stdout } = await run(["token", "inspect", "--json", `Bearer ${token}`], { cwd });
    expect(JSON.parse(stdout)).toMatchObject({
      header: { alg: "HS256" },
      claims: { sub: "42" },
      verdicts: [
        { app: "app", accepted: true, user: { id: "42" } },
        { app: "neighbour", accepted: false },
      ],
    });
  });

  test("cannot be made to move the cursor of the terminal", async () => {
    const token = await issued("--user", "1", "--info", "\u009b2J\u001b[2J");
    const { stdout } = await run(["token", "inspect", token], { cwd });
    expect(stdout).toContain("\\u009b2J\\u001b[2J");
    for (const control of ["\u009b", "\u001b"]) expect(stdout).not.toContain(control);
  });

  test.each([
    ["abc", "it has 1 part between dots, not 3; was it cut off?"],
    ["a.b.c", "its header or its claims are not JSON in base64url; was it cut off or changed?"],
    ["a.b.c.d.e", "it has five parts, so it is encrypted, and Fanfare takes signed ones"],
  ])("says what %s is instead", async (text, sentence) => {
    const refused = await run(["token", "inspect", text], { cwd });
    expect(refused).toMatchObject({ code: 1, stdout: "", stderr: `fanfare: this is no JSON Web Token: ${sentence}\n` });
  });
});
