/** What is not signed, not signed like this, or not signed now, is refused. Scenarios 49, 50 and 51. */

import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { App } from "../../packages/server/src/domain/app.ts";
import { isSignedBy, sign } from "../../packages/server/src/hub/signature.ts";
import { connectPusher, signedFetch, signedUrl, type Tampering } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";

const OTHER = { id: "other", key: "other-key", secret: "other-secret" };

const server = await startServer({ apps: [APP, OTHER] });
const { url } = server;
const EVENT = { name: "x", channel: "c", data: "{}" };

const nowS = () => Math.floor(Date.now() / 1000);

async function call(tamper: Tampering, method = "POST", path = "/events") {
  const body = method === "POST" ? EVENT : undefined;
  const response = await signedFetch(url, APP, method, path, { body, tamper });
  return { status: response.status, ...((await response.json()) as { error?: string; code?: string }) };
}

/** Fetches an address as it is, with the body that is signed by default. */
async function send(address: string, body = JSON.stringify(EVENT)) {
  const response = await fetch(address, { method: "POST", body });
  return { status: response.status, ...((await response.json()) as { error?: string; code?: string }) };
}

const REFUSED = { status: 401, code: "signature_invalid" };

test("a request is good for ten minutes either way, and not for a second more (scenario 49)", async () => {
  for (const offset of [0, -599, 599]) expect((await call({ timestamp: nowS() + offset })).status).toBe(200);
  // Two seconds beyond: the clock may tick between the asking and the answer.
  for (const offset of [-602, 602, -86_400]) {
    const answer = await call({ timestamp: nowS() + offset });
    expect(answer).toMatchObject(REFUSED);
    expect(answer.error).toContain("more than 600 seconds away from the server's clock");
  }
});

test.each([null, "", "0", "-1", "1e9", "0x1", "1970-01-01", " 1", "NaN", "1".repeat(40), "1.5"])(
  "the timestamp %j is refused",
  async (timestamp) => expect(await call({ timestamp })).toMatchObject(REFUSED),
);

test("a timestamp in milliseconds is refused, and the answer says in what it has to be", async () => {
  const answer = await call({ timestamp: Date.now() });
  expect(answer).toMatchObject({ ...REFUSED, error: expect.stringContaining("Unix time in seconds") });
});

test("how far the clocks may be apart is the configuration's to say", async () => {
  const strict = await startServer({ signatureWindowS: 5 });
  const age = (seconds: number) =>
    signedFetch(strict.url, APP, "GET", "/channels", { tamper: { timestamp: nowS() - seconds } });
  expect((await age(0)).status).toBe(200);
  expect((await age(8)).status).toBe(401);
});

const DIGEST = createHash("md5").update(JSON.stringify(EVENT)).digest("hex");

test.each<readonly [string, Tampering]>([
  ["no key", { key: null }],
  ["an unknown key", { key: "unknown" }],
  ["another app's key", { key: OTHER.key }],
  ["another app's key and secret", { key: OTHER.key, secret: OTHER.secret }],
  ["this app's key and another app's secret", { secret: OTHER.secret }],
  ["no version", { version: null }],
  ["another version", { version: "2.0" }],
  ["no signature", { signature: null }],
  ["an empty signature", { signature: "" }],
  ["a signature of zeros", { signature: "0".repeat(64) }],
  ["a signature that is no hex", { signature: "z".repeat(64) }],
  ["a very long signature", { signature: "0".repeat(8000) }],
  ["no digest of the body", { bodyMd5: null }],
  ["the digest of another body", { bodyMd5: "0".repeat(32) }],
  ["an empty digest", { bodyMd5: "" }],
  ["a digest in upper case", { bodyMd5: DIGEST.toUpperCase() }],
  ["a body that was changed afterwards", { body: JSON.stringify({ ...EVENT, data: "[]" }) }],
  ["a body with a space more", { body: `${JSON.stringify(EVENT)} ` }],
  ["a signature for another path", { path: "/apps/app/batch_events" }],
  ["a signature for another app's path", { path: "/apps/other/events" }],
])("%s is refused", async (_, tamper) => expect(await call(tamper)).toMatchObject(REFUSED));

test("a right signature is refused in upper case, cut short, prolonged, or spelt in other characters", async () => {
  const right =
    new URL(signedUrl(url, APP, "POST", "/events", { body: EVENT })).searchParams.get("auth_signature") ?? "";
  expect(right).toHaveLength(64);
  // U+0130 has the low byte of "0", and must not pass for it.
  const lookAlike = [...right].map((character) => String.fromCharCode(character.charCodeAt(0) + 0x100)).join("");
  for (const signature of [right.slice(0, -1), `${right}0`, ` ${right}`, `${right}\n`, lookAlike]) {
    expect(await call({ signature })).toMatchObject(REFUSED);
  }
  const upper = right.toUpperCase();
  if (upper !== right) expect(await call({ signature: upper })).toMatchObject(REFUSED);
  expect((await call({ signature: right })).status).toBe(200);
});

test("a parameter given twice, in upper case or as a list is refused, whichever of the two was signed (scenario 51)", async () => {
  const right = signedUrl(url, APP, "POST", "/events", { body: EVENT });
  for (const extra of [
    "auth_key=x",
    `auth_key=${APP.key}`,
    "auth_signature=0",
    "body_md5=0",
    "AUTH_KEY=x",
    "Auth_Timestamp=0",
  ]) {
    expect(await send(`${right}&${extra}`)).toMatchObject(REFUSED);
    expect(await send(right.replace("?", `?${extra}&`))).toMatchObject(REFUSED);
  }
  expect(await send(right.replace("auth_key=", "auth_key[]="))).toMatchObject(REFUSED);
  expect(await send(right.replace("auth_key=", "AUTH_KEY="))).toMatchObject(REFUSED);
  expect(await send(`${right}&info=user_count`)).toMatchObject(REFUSED);
  expect((await send(right)).status).toBe(200);
});

test("a signature for one method is none for another", async () => {
  const read = signedUrl(url, APP, "GET", "/channels");
  for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
    expect((await fetch(read, { method })).status).toBe(401);
  }
  expect((await fetch(read)).status).toBe(200);
});

test("an app that does not exist is 404, and says nothing of those that do", async () => {
  const unknown = { ...APP, id: "nobody" };
  const response = await signedFetch(url, unknown, "GET", "/channels");
  expect(response.status).toBe(404);
  expect(await response.json()).toEqual({ error: "There is no app with this id.", code: "app_unknown" });
});

test("nothing that is refused was published", async () => {
  const client = await connectPusher(url);
  await client.subscribe("c");
  await call({ signature: "0".repeat(64) });
  await call({ body: JSON.stringify({ ...EVENT, data: "[]" }) });
  await client.ping();
  await client.silence(0);
});

/**
 * Timing is shown by the code's path, not by a clock: on a shared machine a statistical test either fails by chance or is too
 * coarse to fail. So: one function compares signatures, it does so by `timingSafeEqual` on two texts of equal length and by
 * nothing else, and it has the same answer whatever the first wrong character or the length is.
 */
describe("signatures are compared in constant time (scenario 50)", () => {
  const app = { secrets: ["one", "two", "three"] } as unknown as App;
  const right = sign("two", "text");

  test.each([0, 1, 31, 62, 63])("a signature whose character %i is wrong is refused", (at) => {
    const other = right[at] === "0" ? "1" : "0";
    expect(isSignedBy(app, "text", right.slice(0, at) + other + right.slice(at + 1))).toBe(false);
  });

  test.each([
    "",
    "a",
    right.slice(1),
    `${right}0`,
    right.toUpperCase(),
    "é".repeat(64),
    "é".repeat(32),
    "x".repeat(100_000),
  ])("a signature of another length or spelling is refused and does not throw: %.20s", (given) =>
    expect(isSignedBy(app, "text", given)).toBe(false),
  );

  test("each of the app's secrets counts", () => {
    for (const secret of app.secrets) expect(isSignedBy(app, "text", sign(secret, "text"))).toBe(true);
    expect(isSignedBy(app, "text", sign("four", "text"))).toBe(false);
  });

  test("no other comparison of a signature is anywhere in the core, the protocols or the server", () => {
    const folder = join(import.meta.dir, "..", "..", "packages", "server", "src");
    const all = new Bun.Glob("{domain,hub,protocols,server,engines,guards}/**/*.ts").scanSync(folder);
    // What explains a refused signature to a developer decides nothing.
    const files = [...all].filter((file) => !file.startsWith(join("protocols", "pusher", "explain")));
    const making = files.filter((file) =>
      /\b(createHmac|timingSafeEqual)\b/.test(readFileSync(join(folder, file), "utf8")),
    );
    expect(making).toEqual([join("hub", "signature.ts")]);
    const source = readFileSync(join(folder, "hub", "signature.ts"), "utf8");
    const [body = ""] = /function signerOf[\s\S]*?\n}/.exec(source) ?? [];
    expect(body).toContain("if (isSameSecret(signature, signWith(secret, text))) signer ??= secret;");
    // No early way out of the loop over the secrets.
    expect(body).not.toMatch(/\bbreak\b|return true|\.some\(/);
    const [comparing = ""] = /function isSameSecret[\s\S]*?\n}/.exec(source) ?? [];
    expect(comparing).toContain("return one.length === other.length && timingSafeEqual(one, other);");
    const signing = files.filter((file) => /\bsign\(/.test(readFileSync(join(folder, file), "utf8")));
    // The list of nodes is signed for clients; nobody hands one in.
    const forOthers = join("server", "cluster", "node-list.ts");
    // What a reader's lag is measured by cannot be guessed, and permits nothing.
    const probing = join("hub", "liveness.ts");
    // The demo page signs for its own visitors, who hand nothing in.
    const forVisitors = join("server", "pages", "guest.ts");
    // A stream's mark is handed in by who has read the stream, and compared as signatures are.
    const marking = join("server", "streams", "tickets.ts");
    expect(signing.sort()).toEqual([join("hub", "signature.ts"), forOthers, forVisitors, marking, probing].sort());
    expect(readFileSync(join(folder, marking), "utf8")).toContain("!isSameSecret(mark, own)");
    expect(readFileSync(join(folder, probing), "utf8").match(/\bsign\(.*/g)).toEqual([
      expect.stringMatching(/^sign\(app\.secrets\[0\], `#probe .*`\)\.slice\(0, 16\);$/),
    ]);
    expect(readFileSync(join(folder, forOthers), "utf8")).not.toMatch(/signature\s*[!=]==?/i);
  });
});
