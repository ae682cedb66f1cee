/** Who gets in with which token: at the door and afterwards, through a real server (A29; scenario 68). */

import { describe, expect, test } from "bun:test";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { type JWTPayload, SignJWT, UnsecuredJWT } from "jose";
import { connectNative, dialNative, makeToken } from "../support/native-client.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { APP, type AppInput, startServer } from "../support/server.ts";

type Rules = NonNullable<AppInput["token"]>;

const SECONDS = () => Math.floor(Date.now() / 1000);

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const ed = generateKeyPairSync("ed25519");
const otherRsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const otherEc = generateKeyPairSync("ec", { namedCurve: "P-256" });
const otherEd = generateKeyPairSync("ed25519");

describe("an app without token rules", async () => {
  const server = await startServer();

  test("lets in whoever has a token signed with its secret (A29)", async () => {
    const token = await makeToken({ sub: "ada", info: { name: "Ada" } });
    const client = await connectNative(server.url, { token });
    expect(client.welcome).toMatchObject({
      id: expect.stringMatching(/^\d+\.\d+$/),
      activityTimeoutS: 30,
      maxFrameBytes: 655_360,
      user: { id: "ada", info: { name: "Ada" } },
    });
  });

  test("takes the token from the Authorization header too", async () => {
    const headers = { Authorization: `Bearer ${await makeToken({ sub: "bob" })}` };
    expect((await connectNative(server.url, { headers })).welcome.user).toEqual({ id: "bob" });
  });

  test("leaves alone what a Pusher client sends along, which is meant for somebody else", async () => {
    const pusher = await connectPusher(server.url, { headers: { Authorization: "Bearer for-a-proxy" } });
    expect(pusher.socketId).toMatch(/^\d+\.\d+$/);
  });

  test("prefers the address where both are there", async () => {
    const headers = { Authorization: "Bearer no.token.atall" };
    const token = await makeToken({ sub: "ada" });
    expect((await connectNative(server.url, { token, headers })).welcome.user?.id).toBe("ada");
  });

  test.each([
    ["sub", { sub: "ada", user_id: "x", id: "y" }],
    ["user_id", { user_id: "ada", id: "y" }],
    ["id", { id: "ada" }],
  ])("finds the user in the claim %s", async (_, claims) => {
    const client = await connectNative(server.url, { token: await makeToken(claims) });
    expect(client.welcome.user?.id).toBe("ada");
  });

  test("makes text of a user id that is a number", async () => {
    const client = await connectNative(server.url, { token: await makeToken({ user_id: 42 }) });
    expect(client.welcome.user?.id).toBe("42");
  });

  test("lets nobody in without a token, unless it says so", async () => {
    expect(await refusalAt(server.url)).toEqual({
      code: "unauthorized",
      message: "This app requires a token (anonymous is off): connect with ?token=JWT.",
      closed: 4009,
    });
    // What another scheme says is not for us.
    const headers = { Authorization: "Basic YTpi" };
    expect((await refusalAt(server.url, undefined, headers)).code).toBe("unauthorized");
  });

  const now = SECONDS();
  test.each([
    ["that has expired", { sub: "ada", exp: now - 60 }, "it has expired"],
    ["that is not valid yet", { sub: "ada", nbf: now + 3_600 }, "it is not valid yet"],
    ["that names no user", { info: {} }, "it names no user: the claim sub is missing"],
    ["whose user is nothing", { sub: "" }, "it names no user: the claim sub is missing"],
    ["whose user is an object", { user_id: {} }, "it names no user: the claim sub is missing"],
    ["whose user id is too long", { sub: "u".repeat(129) }, "its user is not valid"],
    ["whose user id has a line break", { sub: "a\nb" }, "its user is not valid"],
  ])("refuses a token %s", async (_, claims, reason) => {
    expect(await refusedFor(server.url, await makeToken(claims))).toStartWith(reason);
  });

  test("forgives five seconds of another clock", async () => {
    const client = await connectNative(server.url, { token: await makeToken({ sub: "ada", exp: SECONDS() - 1 }) });
    expect(client.welcome.user?.id).toBe("ada");
  });

  test("refuses a token that nobody signed: alg none", async () => {
    const token = new UnsecuredJWT({ sub: "ada" }).encode();
    expect(await refusedFor(server.url, token)).toBe("its algorithm is not one this app accepts");
    const [, claims] = token.split(".");
    const shouting = `${Buffer.from('{"alg":"NoNe"}').toString("base64url")}.${claims}.`;
    expect(await refusedFor(server.url, shouting)).toBe("its algorithm is not one this app accepts");
  });

  test("refuses a token that another secret signed, or whose claims were changed", async () => {
    const reason = "its signature is not one of this app's keys";
    expect(await refusedFor(server.url, await makeToken({ sub: "ada" }, "another secret"))).toBe(reason);
    const [header, , signature] = (await makeToken({ sub: "ada" })).split(".");
    const claims = Buffer.from('{"sub":"admin"}').toString("base64url");
    expect(await refusedFor(server.url, `${header}.${claims}.${signature}`)).toBe(reason);
  });

  test.each(["", "x", "a.b.c", "....", "%00", "null"])("refuses %j, which is no token", async (token) => {
    expect(await refusedFor(server.url, token)).toBe("it is not a JSON Web Token that can be read");
  });

  test("refuses a token that is too long before it looks into it", async () => {
    const token = await makeToken({ sub: "ada", info: "x".repeat(8_000) });
    expect(await refusedFor(server.url, token)).toBe("it is longer than 8192 characters");
  });

  test("survives a token of a megabyte", async () => {
    const token = await makeToken({ sub: "ada", info: "x".repeat(1_000_000) });
    await expect(connectNative(server.url, { token })).rejects.toThrow();
    await expect(connectNative(server.url, { headers: { Authorization: `Bearer ${token}` } })).rejects.toThrow();
    const client = await connectNative(server.url, { token: await makeToken({ sub: "bob" }) });
    client.send("authenticate", { token });
    expect((await client.socket.closed).code).toBe(1009);
    const next = await connectNative(server.url, { token: await makeToken({ sub: "ada" }) });
    expect(next.welcome.user?.id).toBe("ada");
  });

  test("does not ask Pusher clients for one", async () => {
    expect((await connectPusher(server.url)).socketId).toMatch(/^\d+\.\d+$/);
  });
});

test("two secrets are valid at once, so that one can be rotated (B8)", async () => {
  const apps = [{ id: "app", key: APP.key, secrets: ["new", "old"] }];
  const server = await startServer({ apps });
  for (const secret of ["new", "old"]) {
    const client = await connectNative(server.url, { token: await makeToken({ sub: secret }, secret) });
    expect(client.welcome.user?.id).toBe(secret);
  }
  const reason = "its signature is not one of this app's keys";
  expect(await refusedFor(server.url, await makeToken({ sub: "x" }, "older"))).toBe(reason);
});

test("an app that lets strangers in still refuses a bad token", async () => {
  const server = await startServer({}, { anonymous: true });
  expect((await connectNative(server.url)).welcome.user).toBeUndefined();
  expect(await refusedFor(server.url, "a.b.c")).toBe("it is not a JSON Web Token that can be read");
});

test("a shared secret of its own takes the place of the app's", async () => {
  const server = await startServer({}, { token: { secret: "for tokens only" } });
  const token = await makeToken({ sub: "ada" }, "for tokens only");
  expect((await connectNative(server.url, { token })).welcome.user?.id).toBe("ada");
  const reason = "its signature is not one of this app's keys";
  expect(await refusedFor(server.url, await makeToken({ sub: "ada" }))).toBe(reason);
});

describe("an audience and an issuer", async () => {
  const rules: Rules = { secret: "s", audience: "chat", issuer: "https://issuer.example", clockToleranceS: 0 };
  const server = await startServer({}, { token: rules });
  const right = { sub: "ada", aud: "chat", iss: "https://issuer.example" };

  test("are asked of every token", async () => {
    const several = { ...right, aud: ["other", "chat"] };
    for (const claims of [right, several]) {
      const client = await connectNative(server.url, { token: await makeToken(claims, "s") });
      expect(client.welcome.user?.id).toBe("ada");
    }
  });

  test.each([
    ["the wrong audience", { ...right, aud: "shop" }, "aud"],
    ["the audience in other letters", { ...right, aud: "Chat" }, "aud"],
    ["no audience", { sub: "ada", iss: right.iss }, "aud"],
    ["the wrong issuer", { ...right, iss: "https://issuer.example.evil" }, "iss"],
    ["no issuer", { sub: "ada", aud: "chat" }, "iss"],
  ])("refuse a token with %s", async (_, claims, claim) => {
    const token = await makeToken(claims as JWTPayload, "s");
    expect(await refusedFor(server.url, token)).toBe(`its claim ${claim} is not what this app expects`);
  });

  test("leave the clock no tolerance where none is configured", async () => {
    const token = await makeToken({ ...right, exp: SECONDS() - 1 }, "s");
    expect(await refusedFor(server.url, token)).toBe("it has expired");
  });
});

describe.each([
  ["RS256", rsa, otherRsa],
  ["ES256", ec, otherEc],
  ["EdDSA", ed, otherEd],
] as const)("a public key for %s", async (alg, { publicKey, privateKey }, stranger) => {
  const pem = String(publicKey.export({ type: "spki", format: "pem" }));
  const server = await startServer({}, { token: { publicKey: pem } });

  test("lets in whom its private key vouches for", async () => {
    const client = await connectNative(server.url, { token: await signed(alg, privateKey, { sub: "ada" }) });
    expect(client.welcome.user?.id).toBe("ada");
  });

  test("is never taken for a shared secret", async () => {
    for (const secret of [
      pem,
      pem.trim(),
      String(publicKey.export({ type: "spki", format: "der" }).toString("latin1")),
    ]) {
      const token = await makeToken({ sub: "admin" }, secret);
      expect(await refusedFor(server.url, token)).toBe("its algorithm is not one this app accepts");
    }
  });

  test("does not know the app's secret, nor alg none", async () => {
    const reason = "its algorithm is not one this app accepts";
    expect(await refusedFor(server.url, await makeToken({ sub: "ada" }))).toBe(reason);
    expect(await refusedFor(server.url, new UnsecuredJWT({ sub: "ada" }).encode())).toBe(reason);
  });

  test("refuses what another key signed", async () => {
    const token = await signed(alg, stranger.privateKey, { sub: "ada" });
    expect(await refusedFor(server.url, token)).toBe("its signature is not one of this app's keys");
  });
});

function signed(alg: string, key: KeyObject, claims: JWTPayload): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg }).sign(key);
}

interface Refusal {
  readonly code: unknown;
  readonly message: unknown;
  readonly closed: number;
}

/** How the server says no: one `closing` frame, then the close. */
async function refusalAt(url: string, token?: string, headers: Record<string, string> = {}): Promise<Refusal> {
  const socket = await dialNative(url, { headers, ...(token !== undefined && { token }) });
  const frame = await socket.next();
  const { code: closed } = await socket.closed;
  expect(socket.frames).toEqual([{ event: "closing", code: frame.code, message: frame.message, reconnect: "never" }]);
  return { code: frame.code, message: frame.message, closed };
}

/** The reason for which the token is refused. */
async function refusedFor(url: string, token: string): Promise<string> {
  const { code, message, closed } = await refusalAt(url, token);
  expect([code, closed]).toEqual(["token_invalid", 4009]);
  const reason = /^The token is refused: (.+)\.$/.exec(String(message))?.[1];
  if (reason === undefined) throw new Error(`Not a reason: ${message}`);
  return reason;
}
