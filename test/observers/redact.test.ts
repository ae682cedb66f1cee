/** What a log shows of a payload: everything but its secrets, whatever they are called and however deep they are (A55). */

import { expect, test } from "bun:test";
import { redact, redactReason } from "../../packages/server/src/observers/redact.ts";

const SECRET = "sesame-42";

const secrets: readonly unknown[] = [
  { password: SECRET },
  { user: { "X-Api-Key": SECRET } },
  [{ access_token: { value: SECRET } }],
  { Authorization: SECRET, oauth: SECRET, userAuth: SECRET },
  { newPassword: [SECRET, SECRET], pin: SECRET, CVV: SECRET },
  JSON.stringify({ data: JSON.stringify({ secret: SECRET }) }),
  JSON.stringify(JSON.stringify({ session_id: SECRET })),
  `name=ann&password=${SECRET}&more=1`,
  `https://a.example/x?token=${SECRET}`,
  `https://ann:${SECRET}@a.example/`,
  `token%3D${SECRET}`,
  { note: `Bearer ${SECRET}` },
  { note: `eyJhbGciOiJIUzI1NiJ9.${SECRET}` },
  { note: `-----BEGIN PRIVATE KEY-----\n${SECRET}` },
  `{"password":"${SECRET}", and then it is no JSON any more`,
  `{"a":"${"x".repeat(20_000)}","secret":"${SECRET}"}`,
  `{"secret":{"a":"b","c":"${SECRET}"},"a":"${"x".repeat(20_000)}`,
  `${"[".repeat(40)}"password=${SECRET}"${"]".repeat(40)}`,
];

test.each(secrets.map((payload) => [JSON.stringify(payload).slice(0, 60), payload] as const))(
  "%s goes without its secret",
  (_name, payload) => {
    expect(JSON.stringify(payload)).toContain(SECRET);
    expect(redact(payload)).not.toContain(SECRET);
  },
);

const harmless: readonly [unknown, string][] = [
  [{ author: "ann", text: "hi", count: 3, none: null }, '{"author":"ann","text":"hi","count":3,"none":null}'],
  ["just a line of text", "just a line of text"],
  ['{"a":1}', '{"a":1}'],
  ['{"id": 1234567890123456789,\n "price": 1.0}', '{"id": 1234567890123456789,\n "price": 1.0}'],
  ['{"a":{"secret":"x"}, "a":1}', '{"a":1}'],
  [undefined, ""],
  [{ a: 1, token: "x" }, '{"a":1,"token":"***"}'],
];

test.each(harmless)("%j is shown", (payload, shown) => {
  expect(redact(payload)).toBe(shown);
});

test("a long payload is cut short, with its length", () => {
  const shown = redact({ text: "x".repeat(100_000) });
  expect(shown.length).toBeLessThan(600);
  expect(shown).toMatch(/… \(\d+ characters\)$/);
});

/** The shortest of several, which is the one that nothing came between. */
function tookMs(text: string): number {
  const times = Array.from({ length: 7 }, () => {
    const began = performance.now();
    redact(text);
    redactReason(text);
    return performance.now() - began;
  });
  return Math.min(...times);
}

test.each(["a-", "a.", "token", "bearer", 'token"', "eyJ", "://a", "pass "])(
  "what a client repeats takes no longer than its length: %j",
  (part) => {
    // Eight times the length takes eight times as long, and sixty-four times where it is looked through for each place in it.
    const long = tookMs(part.repeat(16_000 / part.length));
    expect(long).toBeLessThan(30 * tookMs(part.repeat(2_000 / part.length)) + 1);
  },
);

const SENTENCES: readonly [string, string][] = [
  ...[
    'Invalid signature: expected the HMAC SHA256 hex digest of <socket id>:<channel>, which is "1.2:private-a", made with this app\'s secret.',
    "Invalid key in subscription auth data: 'other' is not this app's key. Expected KEY:SIGNATURE.",
    'auth_signature is not the HMAC SHA256 hex digest of "POST\\n/apps/1/events\\nauth_key=k1&auth_timestamp=1&auth_version=1.0&body_md5=ab" made with this app\'s secret.',
    "The token is not valid: it is expired.",
    "This app requires a token (anonymous is off): connect with ?token=JWT.",
    "No password, no basic service and no token.",
  ].map((sentence): [string, string] => [sentence, sentence.replace("?token=JWT.", "?token=***")]),
  [`login failed for ann, password: ${SECRET}, host a`, "login failed for ann, password: ***, host a"],
  [`connect to postgres://ann:${SECRET}@db/x failed`, "connect to postgres***db/x failed"],
  [`GET /x?token=${SECRET}&page=2 answered 500`, "GET /x?token=***&page=2 answered 500"],
  [`unexpected {"secret":"${SECRET} and more","a":1}`, 'unexpected {"secret":***","a":1}'],
  [`unexpected "{\\"password\\":\\"${SECRET}\\"}"`, 'unexpected "{\\"password\\":***\\"}"'],
  [`unexpected secret: {"a":"${SECRET}"}`, "unexpected secret: ***"],
  [`asked with Bearer ${SECRET} in it`, "asked with Bearer *** in it"],
  ["the password: sesame", "the password: ***"],
];

test.each(SENTENCES)("the sentence %p keeps all but the values of secrets", (sentence, shown) => {
  expect(redactReason(sentence)).toBe(shown);
});
