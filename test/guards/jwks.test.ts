/** Tokens of an issuer that publishes its keys at an address: fetched from there, and from nowhere else (A29; scenario 68). */

import { afterEach, expect, setSystemTime, test } from "bun:test";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { exportJWK, SignJWT } from "jose";
import { atEnd } from "../support/at-end.ts";
import { connectNative, dialNative, makeToken, type NativeTestClient } from "../support/native-client.ts";
import { startServer } from "../support/server.ts";

/** The guard asks an issuer again at most this often. */
const COOLDOWN_MS = 30_000;

afterEach(() => void setSystemTime());

test("one of the issuer's keys signs, of whatever kind it is", async () => {
  const issuer = startIssuer();
  const server = await startServer({}, { token: { jwksUrl: issuer.url } });
  for (const [kid, alg] of [
    ["r", "RS256"],
    ["e", "ES256"],
    ["d", "EdDSA"],
  ] as const) {
    await issuer.publish(kid, alg);
  }
  for (const kid of ["r", "e", "d"]) {
    expect((await connectNative(server.url, { token: await issuer.sign(kid, "ada") })).welcome.user?.id).toBe("ada");
  }
  expect(issuer.fetches).toBe(1);
});

test("a new key counts as soon as a token names it, and one that is withdrawn no longer", async () => {
  const issuer = startIssuer();
  await issuer.publish("old", "ES256");
  const server = await startServer({}, { token: { jwksUrl: issuer.url } });
  await expectUser(connectNative(server.url, { token: await issuer.sign("old", "ada") }), "ada");
  await issuer.publish("new", "ES256");
  issuer.withdraw("old");
  setSystemTime(new Date(Date.now() + COOLDOWN_MS + 1_000));
  await expectUser(connectNative(server.url, { token: await issuer.sign("new", "bob") }), "bob");
  expect(await refusal(server.url, await issuer.sign("old", "ada"))).toEqual(
    tokenRefused("the issuer has no key of that id"),
  );
  expect(issuer.fetches).toBe(2);
});

test("tokens with made-up key ids do not make the server hammer the issuer", async () => {
  const issuer = startIssuer();
  await issuer.publish("k", "ES256");
  const server = await startServer({}, { token: { jwksUrl: issuer.url } });
  await expectUser(connectNative(server.url, { token: await issuer.sign("k", "ada") }), "ada");
  for (let n = 0; n < 20; n++) {
    const answer = await refusal(server.url, await issuer.sign("k", "ada", { kid: `made-up-${n}` }));
    expect(answer).toEqual(tokenRefused("the issuer has no key of that id"));
  }
  expect(issuer.fetches).toBe(1);
});

test("no address that a token names is fetched, nor a key that it brings along believed", async () => {
  const issuer = startIssuer();
  const evil = startIssuer();
  await issuer.publish("k", "ES256");
  const key = await evil.publish("k", "ES256");
  const server = await startServer({}, { token: { jwksUrl: issuer.url } });
  const headers = [
    { jku: evil.url },
    { x5u: evil.url },
    { jwk: await exportJWK(key) },
    { kid: evil.url },
    { kid: "../../../../dev/null" },
    { jku: evil.url, iss: evil.url },
  ];
  for (const header of headers) {
    const { code } = await refusal(server.url, await evil.sign("k", "admin", header));
    expect(code).toBe("token_invalid");
  }
  expect(evil.fetches).toBe(0);
  expect(issuer.fetches).toBe(1);
});

test("a token signed with a shared secret or with a published key as if it were one is refused", async () => {
  const issuer = startIssuer();
  const key = await issuer.publish("r", "RS256");
  const server = await startServer({}, { token: { jwksUrl: issuer.url } });
  const pem = String(key.export({ type: "spki", format: "pem" }));
  for (const secret of [pem, JSON.stringify(await exportJWK(key))]) {
    expect(await refusal(server.url, await makeToken({ sub: "admin" }, secret))).toEqual(
      tokenRefused("its algorithm is not one this app accepts"),
    );
  }
  expect(issuer.fetches).toBe(0);
});

test("a token that does not say which of several keys made it is refused", async () => {
  const issuer = startIssuer();
  await issuer.publish("one", "ES256");
  await issuer.publish("two", "ES256");
  const server = await startServer({}, { token: { jwksUrl: issuer.url } });
  const answer = await refusal(server.url, await issuer.sign("one", "ada", { kid: undefined }));
  expect(answer).toEqual(tokenRefused("the issuer has several keys and it does not say which"));
});

const AWAY: Refusal = {
  code: "issuer_unavailable",
  message: "The token cannot be verified now: the issuer's keys cannot be fetched.",
  reconnect: "later",
  closed: 4100,
};

test.each([
  ["answers 500", () => new Response("no", { status: 500 })],
  ["answers with something else", () => new Response("<html>")],
  ["answers with JSON that is no set of keys", () => Response.json({ keys: "none" })],
  ["sends elsewhere", () => Response.redirect("http://127.0.0.1:1/", 302)],
])("while the issuer %s, clients are told to come back later, and then get in", async (_, failure) => {
  const issuer = startIssuer();
  await issuer.publish("k", "ES256");
  const server = await startServer({}, { anonymous: true, token: { jwksUrl: issuer.url } });
  const token = await issuer.sign("k", "ada");
  issuer.failure = failure;
  expect(await refusal(server.url, token)).toEqual(AWAY);
  const stranger = await connectNative(server.url);
  const answer = await stranger.ask("authenticate", { token });
  expect([answer.event, answer.code, answer.message]).toEqual(["error", AWAY.code, AWAY.message]);
  issuer.failure = undefined;
  expect((await stranger.ask("authenticate", { token })).event).toBe("authenticated");
  await expectUser(connectNative(server.url, { token }), "ada");
});

test("while nobody answers at the issuer's address, clients are told to come back later", async () => {
  const issuer = startIssuer();
  await issuer.publish("k", "ES256");
  const server = await startServer({}, { token: { jwksUrl: issuer.url } });
  await issuer.stop();
  expect(await refusal(server.url, await issuer.sign("k", "ada"))).toEqual(AWAY);
});

type Algorithm = "RS256" | "ES256" | "EdDSA";

interface Issuer {
  readonly url: string;
  readonly fetches: number;
  failure: (() => Response) | undefined;
  /** Answers with the public key. */
  publish(kid: string, alg: Algorithm): Promise<KeyObject>;
  withdraw(kid: string): void;
  /** Tokens that outlive any clock that a test sets. */
  sign(kid: string, user: string, header?: object): Promise<string>;
  stop(): Promise<void>;
}

function startIssuer(): Issuer {
  const published = new Map<string, object>();
  const privates = new Map<string, { alg: Algorithm; key: KeyObject }>();
  let fetches = 0;
  const web = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch() {
      fetches++;
      return issuer.failure?.() ?? Response.json({ keys: [...published.values()] });
    },
  });
  atEnd(() => web.stop(true));
  const issuer: Issuer = {
    url: `http://127.0.0.1:${web.port}/keys`,
    get fetches() {
      return fetches;
    },
    failure: undefined,
    async publish(kid, alg) {
      const { publicKey, privateKey } = pairFor(alg);
      published.set(kid, { ...(await exportJWK(publicKey)), kid, alg, use: "sig" });
      privates.set(kid, { alg, key: privateKey });
      return publicKey;
    },
    withdraw: (kid) => void published.delete(kid),
    sign(kid, user, header = {}) {
      const { alg, key } = privates.get(kid) ?? pairless(kid);
      return new SignJWT({ sub: user }).setProtectedHeader({ alg, kid, ...header }).sign(key);
    },
    stop: () => web.stop(true),
  };
  return issuer;
}

function pairFor(alg: Algorithm): { publicKey: KeyObject; privateKey: KeyObject } {
  if (alg === "RS256") return generateKeyPairSync("rsa", { modulusLength: 2048 });
  if (alg === "ES256") return generateKeyPairSync("ec", { namedCurve: "P-256" });
  return generateKeyPairSync("ed25519");
}

function pairless(kid: string): never {
  throw new Error(`The issuer never had a key ${kid}.`);
}

async function expectUser(connecting: Promise<NativeTestClient>, user: string): Promise<void> {
  expect((await connecting).welcome.user).toEqual({ id: user });
}

interface Refusal {
  readonly code: unknown;
  readonly message: unknown;
  readonly reconnect: unknown;
  readonly closed: number;
}

function tokenRefused(reason: string): Refusal {
  return { code: "token_invalid", message: `The token is refused: ${reason}.`, reconnect: "never", closed: 4009 };
}

async function refusal(url: string, token: string): Promise<Refusal> {
  const socket = await dialNative(url, { token });
  const { code, message, reconnect } = await socket.next("closing");
  return { code, message, reconnect, closed: (await socket.closed).code };
}
