/** `fanfare sign` as a process; what it finds out is tested beside the explainer itself. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHmac } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { APP, startServer } from "../support/server.ts";
import { folderWith, run } from "./run.ts";

setDefaultTimeout(20_000);

const cwd = await folderWith({ apps: [APP, { id: "neighbour", key: "neighbours-key", secret: "neighbours-secret" }] });
const { key, secret } = APP;
const signature = "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4";
const hex = (text: string, by: string = secret) => createHmac("sha256", by).update(text).digest("hex");

describe("fanfare sign channel", () => {
  test("shows the string, escaped and as it is, and the signature", async () => {
    expect(await run(["sign", "channel", "1234.1234", "private-foobar"], { cwd })).toMatchObject({
      code: 0,
      stderr: "",
      stdout: `signed string   "1234.1234:private-foobar"
signature       ${signature}
auth            ${key}:${signature}

the string as it is:
1234.1234:private-foobar
`,
    });
  });

  test("says that a signature is right", async () => {
    const args = ["sign", "channel", "1234.1234", "private-foobar", "--signature", `${key}:${signature}`];
    const { code, stdout } = await run(args, { cwd });
    expect(code).toBe(0);
    expect(stdout).toEndWith("the given signature is right\n");
  });

  test("says with exit code 1 what differs, and shows both strings with a mark where they part", async () => {
    const auth = `${key}:${hex('1234.1234:presence-a:{"user_id": "7"}')}`;
    const args = ["sign", "channel", "1234.1234", "presence-a", "--data", '{"user_id":"7"}', "--signature", auth];
    const { code, stdout } = await run(args, { cwd });
    expect(code).toBe(1);
    expect(stdout).toContain(
      "  channel data  the channel data was signed in another spelling than it was sent: a space",
    );
    const [signed = "", right = "", mark = ""] = stdout.split("\n").slice(-4);
    const at = mark.indexOf("^");
    expect(signed.slice(0, at).slice(-8)).toBe(right.slice(0, at).slice(-8));
    expect(signed[at]).toBe(" ");
    expect(right[at]).not.toBe(" ");
  });

  test("takes the app whose key is in the signature", async () => {
    const auth = `neighbours-key:${hex("1.2:private-a", "neighbours-secret")}`;
    const { code } = await run(["sign", "channel", "1.2", "private-a", "--signature", auth], { cwd });
    expect(code).toBe(0);
  });

  test("works without a configuration when key and secret are named", async () => {
    const args = ["sign", "channel", "1234.1234", "private-foobar", "--key", key, "--secret", secret, "--json"];
    const { stdout } = await run(args);
    expect(JSON.parse(stdout)).toEqual({ text: "1234.1234:private-foobar", signature, auth: `${key}:${signature}` });
  });

  test("says in one line that it knows no app", async () => {
    const { code, stderr } = await run(["sign", "channel", "1.2", "private-a"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^fanfare: no app to use: name one with --key and --secret, .*\n$/);
  });
});

test("fanfare sign user signs what makes a connection a user", async () => {
  const { stdout } = await run(["sign", "user", "1234.1234", '{"id":"12345"}', "--json"], { cwd });
  expect(JSON.parse(stdout)).toMatchObject({
    text: '1234.1234::user::{"id":"12345"}',
    signature: "4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba",
  });
});

describe("fanfare sign request", () => {
  const body = '{"name":"greeting","channels":["news"],"data":"hello"}';

  test("makes a URL that a real server accepts, and judges that URL as the server does", async () => {
    const server = await startServer();
    const file = join(cwd, "event.json");
    writeFileSync(file, body);
    const made = await run(["sign", "request", "POST", "/apps/app/events", "--body", `@${file}`, "--json"], { cwd });
    const { url } = JSON.parse(made.stdout);
    const answer = await fetch(`${server.url}${url}`, { method: "POST", body });
    expect(answer.status).toBe(200);
    const judged = await run(["sign", "request", "post", "--body", body, "--url", `${server.url}${url}`], { cwd });
    expect(judged.code).toBe(0);
    expect(judged.stdout).toEndWith("the given signature is right\n");
    const other = `${body} `;
    expect((await fetch(`${server.url}${url}`, { method: "POST", body: other })).status).toBe(401);
    const refused = await run(["sign", "request", "POST", "--body", other, "--url", `${server.url}${url}`], { cwd });
    expect(refused.code).toBe(1);
    expect(refused.stdout).toContain("body_md5  the body was signed");
  });

  test("takes the paths that the server takes: behind a proxy's prefix, and as they were before they were escaped", async () => {
    const folder = await folderWith({ path: "/ws", apps: [APP] });
    const now = Math.floor(Date.now() / 1000);
    const query = `auth_key=${key}&auth_timestamp=${now}&auth_version=1.0`;
    const sent = "/apps/app/channels/a%20b";
    for (const path of [sent, `/ws${sent}`, "/apps/app/channels/a b", "/ws/apps/app/channels/a b"]) {
      const args = ["sign", "request", "GET", sent, "--query", query, "--signature", hex(`GET\n${path}\n${query}`)];
      expect({ path, code: (await run(args, { cwd: folder })).code }).toEqual({ path, code: 0 });
    }
  });

  test("judges a signature given by itself", async () => {
    const now = Math.floor(Date.now() / 1000);
    const query = `auth_key=${key}&auth_timestamp=${now}&auth_version=1.0`;
    const by = (method: string) => hex(`${method}\n/apps/app/channels\n${query}`);
    const args = ["sign", "request", "GET", "/apps/app/channels", "--query", query, "--signature"];
    expect((await run([...args, by("GET")], { cwd })).code).toBe(0);
    const { code, stdout } = await run([...args, by("get")], { cwd });
    expect(code).toBe(1);
    expect(stdout).toContain("  method  the method was signed as get: it has to be GET\n");
  });

  test.each([
    [["GET"], "fanfare: no path to sign: name it, such as /apps/ID/events, or give the whole URL with --url\n"],
    [["GET", "apps/a"], 'fanfare: the path has to start with a slash, such as /apps/ID/events, but is "apps/a"\n'],
    [["GET", "/a?b=c"], "fanfare: the path has a query: give it with --query, or the whole URL with --url\n"],
    [["POST", "/a", "--body", "@nowhere.json"], "fanfare: cannot read nowhere.json: there is no such file\n"],
    [
      ["GET", "--url", "http://a/apps/app/channels"],
      "fanfare: the URL has no auth_signature: give the one that was signed, or leave --url out to sign it\n",
    ],
  ])("refuses %j in one line", async (args, sentence) => {
    expect(await run(["sign", "request", ...args], { cwd })).toMatchObject({ code: 1, stdout: "", stderr: sentence });
  });
});
