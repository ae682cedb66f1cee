/** What is signed, by the vectors of the protocol's own documentation, and what is not taken for it. */

import { describe, expect, test } from "bun:test";
import type { App } from "../../../packages/server/src/domain/app.ts";
import { CommandError } from "../../../packages/server/src/domain/error.ts";
import { checkChannelName } from "../../../packages/server/src/hub/limits.ts";
import {
  channelText,
  checkChannelProof,
  checkUserProof,
  isSignedBy,
  sign,
  userText,
} from "../../../packages/server/src/hub/signature.ts";
import { stringToSign, verifyRequest } from "../../../packages/server/src/protocols/pusher/request-signature.ts";

const KEY = "278d425bdf160c739803";
const SECRET = "7ad3773142a6692b25b8";
const SOCKET = "1234.1234";

const app = { id: "3", key: KEY, secrets: [SECRET] } as unknown as App;

const PRESENCE_DATA = '{"user_id":10,"user_info":{"name":"Mr. Pusher"}}';
const VECTORS = {
  private: "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4",
  presence: "afaed3695da2ffd16931f457e338e6c9f2921fa133ce7dac49f529792be6304c",
  "presence, as the newer documentation has it": "31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80",
  user: "4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba",
  request: "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c",
};

const BODY = '{"name":"foo","channels":["project-3"],"data":"{\\"some\\":\\"data\\"}"}';
const AT_S = 1353088179;
const REQUEST = {
  auth_key: KEY,
  auth_timestamp: String(AT_S),
  auth_version: "1.0",
  body_md5: "ec365a775a4cd0599faeb73354201b6f",
};

describe("the documentation's vectors", () => {
  test("a private channel", () => {
    expect(channelText(SOCKET, "private-foobar", undefined)).toBe("1234.1234:private-foobar");
    expect(sign(SECRET, channelText(SOCKET, "private-foobar", undefined))).toBe(VECTORS.private);
    checkChannelProof(app, SOCKET, "private-foobar", { auth: `${KEY}:${VECTORS.private}` });
  });

  test("a presence channel, its data verbatim", () => {
    const newer = PRESENCE_DATA.replace("Mr. Pusher", "Mr. Channels");
    for (const [data, signature] of [
      [PRESENCE_DATA, VECTORS.presence],
      [newer, VECTORS["presence, as the newer documentation has it"]],
    ] as const) {
      expect(sign(SECRET, channelText(SOCKET, "presence-foobar", data))).toBe(signature);
      checkChannelProof(app, SOCKET, "presence-foobar", { auth: `${KEY}:${signature}`, data });
    }
  });

  test("a user", () => {
    expect(userText(SOCKET, '{"id":"12345"}')).toBe('1234.1234::user::{"id":"12345"}');
    expect(sign(SECRET, userText(SOCKET, '{"id":"12345"}'))).toBe(VECTORS.user);
    checkUserProof(app, SOCKET, `${KEY}:${VECTORS.user}`, '{"id":"12345"}');
  });

  test("a call of the HTTP API", () => {
    const text = stringToSign("POST", "/apps/3/events", new Map(Object.entries(REQUEST)));
    expect(text).toBe(
      `POST\n/apps/3/events\nauth_key=${KEY}&auth_timestamp=${AT_S}&auth_version=1.0&body_md5=${REQUEST.body_md5}`,
    );
    expect(sign(SECRET, text)).toBe(VECTORS.request);
    check({});
  });
});

describe("a permission is not taken", () => {
  const right = { auth: `${KEY}:${VECTORS.presence}`, data: PRESENCE_DATA };

  test.each([
    ["for another connection", "1234.1235", "presence-foobar", right],
    ["for another channel", SOCKET, "presence-foobaz", right],
    ["with other data", SOCKET, "presence-foobar", { ...right, data: PRESENCE_DATA.replace("10", "11") }],
    [
      "with the same data spelt otherwise",
      SOCKET,
      "presence-foobar",
      { ...right, data: PRESENCE_DATA.replace(":", ": ") },
    ],
    ["with its data left out", SOCKET, "presence-foobar", { auth: right.auth }],
    ["with data added to one without", SOCKET, "private-foobar", { auth: `${KEY}:${VECTORS.private}`, data: "{}" }],
    ["in upper case", SOCKET, "presence-foobar", { ...right, auth: `${KEY}:${VECTORS.presence.toUpperCase()}` }],
    ["cut off", SOCKET, "presence-foobar", { ...right, auth: right.auth.slice(0, -1) }],
    ["with more behind it", SOCKET, "presence-foobar", { ...right, auth: `${right.auth}0` }],
    ["with another app's key", SOCKET, "presence-foobar", { ...right, auth: `other:${VECTORS.presence}` }],
    ["without a key", SOCKET, "presence-foobar", { ...right, auth: VECTORS.presence }],
    ["that is empty", SOCKET, "presence-foobar", { ...right, auth: `${KEY}:` }],
  ] as const)("%s", (_, socket, channel, proof) => {
    expect(refusalOf(() => checkChannelProof(app, socket, channel, proof))).toBe("signature_invalid");
  });

  test("for a channel where one for a user is asked", () => {
    const asUser = () => checkUserProof(app, SOCKET, `${KEY}:${VECTORS.private}`, '{"id":"12345"}');
    expect(refusalOf(asUser)).toBe("signature_invalid");
  });

  test("for a user where one for a channel is asked: the name it would take is no channel's", () => {
    const limited = { ...app, limits: { channelNameLength: 200 } } as unknown as App;
    expect(refusalOf(() => checkChannelName(limited, ":user"))).toBe("channel_invalid");
  });
});

describe("a call of the HTTP API is not taken", () => {
  const signature = (query: Record<string, string>) =>
    sign(SECRET, stringToSign("POST", "/apps/3/events", new Map(Object.entries(query))));

  test("with another body, method or path", () => {
    expect(refusalOf(() => check({ body: BODY.replace("foo", "bar") }))).toBe("signature_invalid");
    expect(refusalOf(() => check({ method: "PUT" }))).toBe("signature_invalid");
    expect(refusalOf(() => check({ path: "/apps/3/batch_events" }))).toBe("signature_invalid");
  });

  test.each([
    ["599 s early", -599, true],
    ["600 s early", -600, true],
    ["601 s early", -601, false],
    ["599 s late", 599, true],
    ["601 s late", 601, false],
    ["years late", 400_000_000, false],
  ] as const)("%s: %p seconds, taken: %p", (_, offsetS, taken) => {
    expect(refusalOf(() => check({ nowS: AT_S + offsetS }))).toBe(taken ? undefined : "signature_invalid");
  });

  test.each(Object.keys(REQUEST))("without %s, or with an empty one", (name) => {
    const { [name as keyof typeof REQUEST]: _, ...without } = REQUEST;
    const empty = { ...REQUEST, [name]: "" };
    for (const query of [without, empty]) {
      expect(refusalOf(() => check({ query: { ...query, auth_signature: signature(query) } }))).toBe(
        "signature_invalid",
      );
    }
  });

  test("with a parameter given twice, or its own in upper case", () => {
    const twice = new URLSearchParams({ ...REQUEST, auth_signature: VECTORS.request });
    twice.append("auth_key", KEY);
    expect(refusalOf(() => check({ query: twice }))).toBe("signature_invalid");
    const { auth_version, ...rest } = REQUEST;
    const upper = { ...rest, AUTH_VERSION: auth_version, auth_signature: VECTORS.request };
    expect(refusalOf(() => check({ query: upper }))).toBe("signature_invalid");
  });
});

describe("parameters are judged the same whether they come as text or taken apart", () => {
  const text = `auth_key=${KEY}&auth_timestamp=${AT_S}&auth_version=1.0&body_md5=${REQUEST.body_md5}`;
  const whole = `${text}&auth_signature=${VECTORS.request}`;
  const moved = `auth_signature=${VECTORS.request}&${text.split("&").reverse().join("&")}`;

  test.each([
    ["as libraries write them", whole, undefined],
    ["in another order", moved, undefined],
    ["with one escaped", whole.replace("1.0", "1%2E0"), undefined],
    ["with nothing between two of them", whole.replace("&auth_version", "&&auth_version"), undefined],
    ["with one too many", `a=1&${whole}`, "signature_invalid"],
    ["with the key twice", `auth_key=${KEY}&${whole}`, "signature_invalid"],
    ["with the signature twice", `${whole}&auth_signature=${VECTORS.request}`, "signature_invalid"],
    ["with another key", whole.replace(KEY, "other"), "signature_invalid"],
    ["with another version", whole.replace("1.0", "1.1"), "signature_invalid"],
    ["with another digest", whole.replace("body_md5=ec", "body_md5=ed"), "signature_invalid"],
    ["with a long time", whole.replace(String(AT_S), "9".repeat(13)), "signature_invalid"],
    ["with a signature cut off", whole.slice(0, -1), "signature_invalid"],
    ["with a signature in upper case", `${text}&auth_signature=${VECTORS.request.toUpperCase()}`, "signature_invalid"],
    ["without a signature", text, "signature_invalid"],
    ["with none at all", "", "signature_invalid"],
  ] as const)("%s", (_, query, code) => {
    expect(refusalOf(() => check({ query: `?${query}` }))).toBe(code);
    expect(refusalOf(() => check({ query: new URLSearchParams(query) }))).toBe(code);
  });
});

test("parameters are signed by their names in lower case, sorted, their values not escaped", () => {
  const query = new Map([
    ["info", "user_count,subscription_count"],
    ["auth_version", "1.0"],
    ["auth_signature", "left out"],
    ["filter_by_prefix", "presence-ü &="],
  ]);
  const text =
    "GET\n/apps/3/channels\nauth_version=1.0&filter_by_prefix=presence-ü &=&info=user_count,subscription_count";
  expect(stringToSign("get", "/apps/3/channels", query)).toBe(text);
});

test("while a secret is rotated both of an app's secrets count, and no other", () => {
  const rotating = { ...app, secrets: ["new", SECRET] } as unknown as App;
  const signedWith = (secret: string) => isSignedBy(rotating, "text", sign(secret, "text"));
  expect(["new", SECRET, "old"].map(signedWith)).toEqual([true, true, false]);
});

interface Checked {
  readonly method?: string;
  readonly path?: string;
  readonly query?: Record<string, string> | URLSearchParams | string;
  readonly body?: string;
  readonly nowS?: number;
}

function check({ method = "POST", path = "/apps/3/events", query, body = BODY, nowS = AT_S }: Checked): void {
  const params = query ?? { ...REQUEST, auth_signature: VECTORS.request };
  const given = typeof params === "string" ? params : new URLSearchParams(params);
  const request = { method, paths: [path], query: given, body: new TextEncoder().encode(body) };
  verifyRequest(app, request, nowS * 1000, 600);
}

/** The code of the refusal; undefined where there was none. */
function refusalOf(work: () => void): string | undefined {
  try {
    work();
  } catch (error) {
    if (error instanceof CommandError) return error.code;
    throw error;
  }
  return undefined;
}
