/** What `fanfare sign channel` and `fanfare sign user` find out, without the command line round it. */

import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { firstDifference } from "../../../../packages/server/src/protocols/pusher/explain/explanation.ts";
import { explainChannel, explainUser } from "../../../../packages/server/src/protocols/pusher/explain/permission.ts";
import { app, key, neighbour, secret } from "./apps.ts";

const socketId = "1234.1234";
const others = [neighbour];

const hex = (text: string, by = secret, algorithm = "sha256") => createHmac(algorithm, by).update(text).digest("hex");

function channelVerdict(channel: string, auth: string, channelData?: string) {
  const data = channelData === undefined ? {} : { channelData };
  const { verdict } = explainChannel({ app, others, socketId, channel, auth, ...data });
  if (verdict === undefined) throw new Error("a signature was given, so there is a verdict");
  return verdict;
}

/** `part: sentence` for each finding. */
function channelFindings(channel: string, auth: string, channelData?: string): string[] {
  return channelVerdict(channel, auth, channelData).findings.map(({ part, says }) => `${part}: ${says}`);
}

function userFindings(userData: string, auth: string): string[] {
  const { verdict } = explainUser({ app, others, socketId, userData, auth });
  return verdict?.findings.map(({ part, says }) => `${part}: ${says}`) ?? [];
}

describe("the protocol's test vectors", () => {
  const member = '{"user_id":10,"user_info":{"name":"Mr. Pusher"}}';

  test("a private channel", () => {
    const signature = "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4";
    const question = { app, others, socketId, channel: "private-foobar" };
    expect(explainChannel(question)).toEqual({ text: "1234.1234:private-foobar", signature });
    expect(channelVerdict("private-foobar", `${key}:${signature}`)).toEqual({
      accepted: true,
      findings: [],
      notes: [],
    });
  });

  test("a presence channel", () => {
    const signature = "afaed3695da2ffd16931f457e338e6c9f2921fa133ce7dac49f529792be6304c";
    const question = { app, others, socketId, channel: "presence-foobar", channelData: member };
    expect(explainChannel(question)).toEqual({ text: `1234.1234:presence-foobar:${member}`, signature });
    expect(channelVerdict("presence-foobar", `${key}:${signature}`, member).accepted).toBe(true);
  });

  test("a user", () => {
    const userData = '{"id":"12345"}';
    const signature = "4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba";
    const question = { app, others, socketId, userData };
    expect(explainUser(question)).toEqual({ text: `1234.1234::user::${userData}`, signature });
    expect(explainUser({ ...question, auth: `${key}:${signature}` }).verdict?.accepted).toBe(true);
  });
});

describe("a secret that is not the app's", () => {
  const text = `${socketId}:private-a`;
  test.each([
    ["neighbours-secret", "secret: the secret is that of another app, neighbour: use that of 3"],
    [key, "secret: the app's key was used as the secret: the secret is another text"],
    ["3", "secret: the app's id was used as the secret: the secret is another text"],
    ["", "secret: the secret was empty: it was probably not read from where it is kept"],
    [`${secret}\n`, "secret: the secret was used with a line break at its end: trim it"],
    [`"${secret}"`, "secret: the secret was used with quotation marks round it: take them off"],
    ["neighbours-key", "secret: the key of another app, neighbour, was used as the secret"],
  ])("%j is recognised", (used, finding) => {
    expect(channelFindings("private-a", `${key}:${hex(text, used)}`)).toEqual([finding]);
  });

  test("is never shown", () => {
    const auths = [`${key}:${hex(text, "neighbours-secret")}`, `${secret}:${hex(text)}`, `${key}:${hex("x")}`];
    for (const auth of auths) {
      const shown = JSON.stringify(channelVerdict("private-a", auth));
      for (const hidden of [secret, "neighbours-secret", "the-older-secret"]) expect(shown).not.toContain(hidden);
    }
  });

  test("but an older one that still counts is no mistake", () => {
    const verdict = channelVerdict("private-a", `${key}:${hex(text, "the-older-secret")}`);
    expect(verdict.accepted).toBe(true);
    expect(verdict.notes).toEqual(["It was made with secret 2 of 2: the first is the one to sign with."]);
  });
});

describe("a digest that is not the one", () => {
  const text = `${socketId}:private-a`;
  const binary = createHmac("sha256", secret).update(text).digest();
  test.each([
    [hex(text).toUpperCase(), "encoding: the hex digits are capitals: they have to be small letters"],
    [binary.toString("base64"), "encoding: it is written in base64: it has to be hex"],
    [binary.toString("base64url"), "encoding: it is written in base64: it has to be hex"],
    [`sha256=${hex(text)}`, "encoding: there is a prefix in front of the hex digits: leave it out"],
    [` ${hex(text)}`, "encoding: there are quotation marks or white space round it"],
    [hex(text).slice(0, 40), "encoding: the signature is right, but ends after 40 of 64 characters"],
    ["", "encoding: there is no signature"],
    ["abc", "encoding: a signature is 64 hex digits in small letters, but this has 3 characters"],
  ])("%s is recognised", (signature, finding) => {
    expect(channelFindings("private-a", `${key}:${signature}`)).toEqual([finding]);
  });
});

describe("a key that is not the app's", () => {
  const text = `${socketId}:private-a`;
  test.each([
    [`neighbours-key:${hex(text)}`, `key: the key is that of another app, neighbour: that of 3 is ${key}`],
    [`3:${hex(text)}`, `key: the key is the app's id: it has to be its key, ${key}`],
    [hex(text), `key: the key and a colon are missing in front of the signature: ${key}:SIGNATURE`],
    [`nobody:${hex(text)}`, `key: the key is "nobody", but that of 3 is "${key}"`],
  ])("%s is recognised", (auth, finding) => {
    expect(channelFindings("private-a", auth)).toEqual([finding]);
  });

  test("is told of beside what else is wrong", () => {
    const findings = channelFindings("private-a", `neighbours-key:${hex(text, "neighbours-secret")}`);
    expect(findings.map((finding) => finding.split(":", 1)[0])).toEqual(["key", "secret"]);
  });
});

describe("a string that is not the right one", () => {
  test.each([
    ["private-a:1234.1234", "socket id: channel and socket id changed places: the socket id comes first"],
    ["1234.1234:a", "channel: the channel was signed without its prefix private-: the whole name is signed"],
    [
      "1234.1234:presence-a",
      "channel: the channel was signed as presence-a: sign the name that the client subscribes to",
    ],
    ["1234.1234:private-private-a", "channel: the prefix private- was put in front of the name once more"],
    ["1234.1234private-a", "form: the colon between socket id and channel is missing"],
    [":private-a", "socket id: the socket id is missing: it was probably not read from the request (`socket_id`)"],
    [
      "1234.1234:undefined",
      "channel: the channel is the word undefined: it was not read from the request (`channel_name`)",
    ],
    ["1234.1234::user::", "form: it was signed as a user's sign-in (`::user::`), not as a channel's"],
  ])("%s for private-a is recognised and shown", (signed, finding) => {
    const verdict = channelVerdict("private-a", `${key}:${hex(signed)}`);
    expect(verdict.findings.map(({ part, says }) => `${part}: ${says}`)).toEqual([finding]);
    expect(verdict.signedText).toBe(signed);
  });

  test("channel data that was signed but is not sent is recognised", () => {
    expect(channelFindings("private-a", `${key}:${hex("1234.1234:private-a:null")}`)).toEqual([
      "channel data: channel data was signed, but is not sent with the subscription: send it as channel_data, or leave it out (signed was null)",
    ]);
  });

  test("two mistakes at once are both named", () => {
    const auth = `${key}:${hex("1234.1234:a", "neighbours-secret").toUpperCase()}`;
    const parts = channelVerdict("private-a", auth).findings.map(({ part }) => part);
    expect(parts.toSorted()).toEqual(["channel", "encoding", "secret"]);
  });

  test("what no usual mistake explains is said to be so, and nothing is made up", () => {
    const verdict = channelVerdict("private-a", `${key}:${hex("something else")}`);
    expect(verdict.findings.map(({ part }) => part)).toEqual(["unknown"]);
    expect(verdict.signedText).toBeUndefined();
    expect(verdict.refusal).toContain("Invalid signature");
  });
});

describe("channel data in another spelling", () => {
  const sent = '{"user_id":"7","user_info":{"name":"Zoë","page":"a/b","at":"<now>"}}';
  const sign = (data: string) => `${key}:${hex(`${socketId}:presence-a:${data}`)}`;
  const spelt = (says: string) =>
    `channel data: the channel data was signed in another spelling than it was sent: ${says}; sign the very text that is sent, do not write it again`;
  test.each([
    [
      '{"user_id": "7", "user_info": {"name": "Zoë", "page": "a/b", "at": "<now>"}}',
      spelt("a space after each comma and colon"),
    ],
    [sent.replace("/", "\\/"), spelt("slashes escaped as \\/")],
    [sent.replace("ë", "\\u00eb"), spelt("letters beyond ASCII escaped as \\u…")],
    [sent.replace("/", "\\/").replace("ë", "\\u00eb"), spelt("slashes and letters beyond ASCII escaped")],
    [sent.replace('"7"', "7"), spelt("ids as numbers")],
    [JSON.stringify(sent), "channel data: the channel data was turned into JSON twice before it was signed"],
    [encodeURIComponent(sent), "channel data: the channel data was signed URL-escaped: sign it as it is"],
  ])("%s is recognised", (signed, finding) => {
    expect(channelFindings("presence-a", sign(signed), sent)).toEqual([finding]);
  });

  test("and channel data that was left out", () => {
    expect(channelFindings("presence-a", `${key}:${hex("1234.1234:presence-a")}`, sent)).toEqual([
      "channel data: the channel data was left out of the signed string: it belongs at the end",
    ]);
  });

  test("and sorted keys, where the sent ones are not", () => {
    const unsorted = '{"user_info":{"b":1,"a":2},"user_id":"7"}';
    const sorted = '{"user_id":"7","user_info":{"a":2,"b":1}}';
    expect(channelFindings("presence-a", sign(sorted), unsorted)).toEqual([spelt("keys sorted")]);
  });
});

describe("user data", () => {
  const userData = '{"id":"12345"}';
  test.each([
    [`1234.1234:${userData}`, "form: between socket id and user data stands only a colon: it has to be `::user::`"],
    [`1234.1234:user:${userData}`, "form: between socket id and user data stands `:user:`: it has to be `::user::`"],
    [
      '1234.1234::user::{"id":12345}',
      "user data: the user data was signed in another spelling than it was sent: ids as numbers; sign the very text that is sent, do not write it again",
    ],
  ])("signed as %s is recognised", (signed, finding) => {
    expect(userFindings(userData, `${key}:${hex(signed)}`)).toEqual([finding]);
  });

  test("without an id is worth a note", () => {
    const { verdict } = explainUser({
      app,
      others,
      socketId,
      userData: "{}",
      auth: `${key}:${hex("1234.1234::user::{}")}`,
    });
    expect(verdict).toMatchObject({ accepted: true, notes: ["The user data is JSON with an id."] });
  });
});

test.each([
  ["private-orders.8814", [], "with two digits of its name swapped"],
  ["private-chat.7", ["private-chat.7"], "that the connection is in"],
])("a signature for %s is recognised: a channel %s", (signed, nearby) => {
  const auth = `${key}:${hex(`1234.1234:${signed}`)}`;
  const question = { app, others, socketId: "1234.1234", channel: "private-orders.8841", auth, nearby };
  const { verdict } = explainChannel(question);
  expect(verdict?.signedText).toBe(`1234.1234:${signed}`);
  const says = `the channel was signed as ${signed}: sign the name that the client subscribes to`;
  expect(verdict?.findings).toEqual([{ part: "channel", says }]);
});

describe("what is worth a note", () => {
  test.each([
    ["news", undefined, "This channel is public: it needs no signature."],
    ["presence-a", undefined, "A presence channel needs channel data: give it with --data."],
    ["presence-a", "{}", "The channel data of a presence channel is JSON with a user_id."],
  ])("%s with %j", (channel, channelData, note) => {
    const text = channelData === undefined ? `1234.1234:${channel}` : `1234.1234:${channel}:${channelData}`;
    expect(channelVerdict(channel, `${key}:${hex(text)}`, channelData).notes).toContain(note);
  });

  test("a socket id that is none", () => {
    const question = { app, others, socketId: "abc", channel: "private-a", auth: `${key}:${hex("abc:private-a")}` };
    expect(explainChannel(question).verdict?.notes.join()).toContain("does not look like one");
  });
});

test("the first difference of two texts is found", () => {
  expect(firstDifference("abc", "abd")).toBe(2);
  expect(firstDifference("abc", "abc")).toBe(3);
  expect(firstDifference("", "abc")).toBe(0);
});
