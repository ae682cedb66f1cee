/** Tokens that prove nothing, at the real door. What the guard makes of each claim is tested beside the guard. Scenario 68. */

import { afterEach, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { SignJWT, UnsecuredJWT } from "jose";
import { atEnd } from "../support/at-end.ts";
import { connectAs, connectNative, dialNative, makeToken } from "../support/native-client.ts";
import { APP, startServer } from "../support/server.ts";
import { faultsOf } from "./faults.ts";

const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const PEM = publicKey.export({ type: "spki", format: "pem" }).toString();
const PUBLIC = {
  id: "rsa",
  key: "rsa-key",
  secret: "rsa-app-secret",
  token: { algorithms: ["RS256" as const], publicKey: PEM },
};

/** Would be fetched by whoever believed an address in a token. */
const fetched: string[] = [];
const trap = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request) {
    fetched.push(request.url);
    return Response.json({ keys: [] });
  },
});
atEnd(() => trap.stop(true));

const server = await startServer({ apps: [APP, PUBLIC] });
const { url } = server;
const faults = faultsOf(server);

afterEach(() => {
  expect(faults.splice(0)).toEqual([]);
  expect(fetched).toEqual([]);
});

const secret = new TextEncoder().encode(APP.secret);
const nowS = () => Math.floor(Date.now() / 1000);
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** Which app the token is shown to, and the token. */
const ATTACKS: readonly (readonly [string, string, () => string | Promise<string>])[] = [
  ["without a signature, alg none", APP.key, () => new UnsecuredJWT({ sub: "1" }).encode()],
  ["with alg None in other letters", APP.key, () => `${part({ alg: "nOnE" })}.${part({ sub: "1" })}.`],
  ["signed by HS256 with the public key as its secret", PUBLIC.key, () => makeToken({ sub: "1" }, PEM)],
  ["signed by HS256 where RS256 is expected", PUBLIC.key, () => makeToken({ sub: "1" }, PUBLIC.secret)],
  ["signed with another secret", APP.key, () => makeToken({ sub: "1" }, "another secret")],
  ["of another app", APP.key, () => new SignJWT({ sub: "1" }).setProtectedHeader({ alg: "RS256" }).sign(privateKey)],
  ["that has expired", APP.key, () => makeToken({ sub: "1", exp: nowS() - 3600 })],
  ["that is not valid yet", APP.key, () => makeToken({ sub: "1", nbf: nowS() + 3600 })],
  ["that names no user", APP.key, () => makeToken({ info: { id: "1" } })],
  ["whose user is an object", APP.key, () => makeToken({ sub: { id: "1" } as unknown as string })],
  ["whose user is too long", APP.key, () => makeToken({ sub: "x".repeat(129) })],
  ["whose kid is a path", APP.key, () => signed({ alg: "HS256", kid: "../../../dev/null" }, "wrong")],
  ["whose kid is an address", APP.key, () => signed({ alg: "HS256", kid: trap.url.href }, "wrong")],
  ["whose jku is an address", APP.key, () => signed({ alg: "HS256", jku: trap.url.href }, "wrong")],
  ["whose x5u is an address", PUBLIC.key, () => signed({ alg: "RS256", x5u: trap.url.href }, "wrong")],
  [
    "that brings its own key",
    PUBLIC.key,
    () => signed({ alg: "RS256", jwk: publicKey.export({ format: "jwk" }) }, "x"),
  ],
  ["with a critical header nobody knows", APP.key, () => signed({ alg: "HS256", crit: ["x"], x: 1 }, APP.secret)],
  ["of eleven thousand characters", APP.key, () => makeToken({ sub: "1", info: "x".repeat(8_000) })],
  ["that is text", APP.key, () => "text"],
  ["that is three dots", APP.key, () => "..."],
  ["that is empty", APP.key, () => ""],
];

test.each(ATTACKS)("a token %s lets nobody in, and nobody stay (scenario 68)", async (_, app, make) => {
  const token = await make();
  const socket = await dialNative(url, { app, token });
  expect(await socket.next("closing")).toMatchObject({ reconnect: "never" });
  expect((await socket.closed).code).toBe(4009);
  expect(socket.frames.map(({ event }) => event)).toEqual(["closing"]);
});

test.each(ATTACKS.filter(([, app]) => app === APP.key))(
  "a token %s does not sign in afterwards either",
  async (_, _app, make) => {
    const open = await startServer({}, { anonymous: true });
    const client = await connectNative(open.url);
    const answer = await client.ask("authenticate", { token: await make() });
    expect(answer.event).toBe("error");
    expect(await client.ask("subscribe", { channel: "#server-to-user-1" })).toMatchObject({ code: "unauthorized" });
  },
);

test("a token of a megabyte is refused without being looked at", async () => {
  const response = await fetch(`${url}/?token=${"x".repeat(1_000_000)}`, {
    headers: {
      Upgrade: "websocket",
      Connection: "Upgrade",
      "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
      "Sec-WebSocket-Version": "13",
    },
  });
  expect(response.status).toBe(431);
  await (await connectAs(url, "1")).ping();
});

test("the tokens that the attacks imitate do let in", async () => {
  expect((await connectAs(url, "1")).welcome.user).toEqual({ id: "1" });
  const token = await new SignJWT({ sub: "2" }).setProtectedHeader({ alg: "RS256" }).sign(privateKey);
  expect((await connectNative(url, { app: PUBLIC.key, token })).welcome.user).toEqual({ id: "2" });
  const known = await new SignJWT({ sub: "3" }).setProtectedHeader({ alg: "HS256", kid: "any" }).sign(secret);
  expect((await connectNative(url, { token: known })).welcome.user).toEqual({ id: "3" });
});

/** Made by hand, because no library signs such headers. */
function signed(header: object, key: string): string {
  const text = `${part(header)}.${part({ sub: "1" })}`;
  const hasher = new Bun.CryptoHasher("sha256", key);
  return `${text}.${Buffer.from(hasher.update(text).digest()).toString("base64url")}`;
}
