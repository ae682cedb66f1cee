/** Explains the signature that lets one connection into one channel, or makes it one user. Pusher protocol, "signatures". */

import type { App } from "../../../domain/app.ts";
import { channelText, checkChannelProof, checkUserProof, sign, userText } from "../../../hub/signature.ts";
import { type Explanation, judge } from "./explanation.ts";
import { jsonVariants } from "./json-variants.ts";
import { type Candidate, combine, distinct, fewestFirst, type Mistake, type Part, type Variant } from "./mistakes.ts";

export interface ChannelQuestion {
  readonly app: App;
  readonly others: readonly App[];
  readonly socketId: string;
  readonly channel: string;
  /** As the client sends it, character by character. */
  readonly channelData?: string;
  /** `KEY:HEX`, as the client sends it. */
  readonly auth?: string;
}

export interface UserQuestion {
  readonly app: App;
  readonly others: readonly App[];
  readonly socketId: string;
  readonly userData: string;
  readonly auth?: string;
}

export function explainChannel(question: ChannelQuestion): Explanation {
  const { app, others, socketId, channel, channelData, auth } = question;
  const text = channelText(socketId, channel, channelData);
  const explanation = { text, signature: sign(app.secrets[0], text) };
  if (auth === undefined) return explanation;
  const proof = channelData === undefined ? { auth } : { auth, data: channelData };
  const verdict = judge({
    app,
    others,
    text,
    candidates: channelCandidates(question),
    signature: signatureIn(auth),
    check: () => checkChannelProof(app, socketId, channel, proof),
    direct: keyMistakes(app, others, auth),
    notes: [...socketIdNotes(socketId), ...channelNotes(question)],
  });
  return { ...explanation, verdict };
}

export function explainUser({ app, others, socketId, userData, auth }: UserQuestion): Explanation {
  const text = userText(socketId, userData);
  const explanation = { text, signature: sign(app.secrets[0], text) };
  if (auth === undefined) return explanation;
  const verdict = judge({
    app,
    others,
    text,
    candidates: userCandidates(socketId, userData),
    signature: signatureIn(auth),
    check: () => checkUserProof(app, socketId, auth, userData),
    direct: keyMistakes(app, others, auth),
    notes: [...socketIdNotes(socketId), ...userDataNotes(userData)],
  });
  return { ...explanation, verdict };
}

// ---- what may have been signed

function channelCandidates({ socketId, channel, channelData }: ChannelQuestion): Candidate[] {
  const presence = channel.startsWith("presence-");
  const what = "the channel data";
  const none: Variant<string> = {
    value: "",
    mistake: {
      part: "channel data",
      says: "the channel data was left out of the signed string: it belongs at the end",
    },
  };
  const data =
    channelData === undefined
      ? [{ value: "" }, ...(presence ? [] : invented())]
      : [...jsonVariants(channelData, "channel data", what).map(withColon), none];
  const parts = [socketIds(socketId), forms(), channels(channel), data];
  const candidates = combine(parts, ([id = "", form = "", name = "", end = ""]) =>
    form === SWAPPED ? `${name}:${id}${end}` : `${id}${form}${name}${end}`,
  );
  const asUser: Candidate = {
    text: userText(socketId, channelData ?? ""),
    mistakes: [{ part: "form", says: "it was signed as a user's sign-in (`::user::`), not as a channel's" }],
  };
  return fewestFirst([...candidates, asUser]);
}

/** Libraries that always add something, where nothing was sent. */
function invented(): Variant<string>[] {
  const says =
    "channel data was signed, but is not sent with the subscription: send it as channel_data, or leave it out";
  return ["", "null", "{}", "undefined", '""'].map((data) => ({
    value: `:${data}`,
    mistake: { part: "channel data", says: `${says} (signed was ${data === "" ? "a colon and nothing" : data})` },
  }));
}

function userCandidates(socketId: string, userData: string): Candidate[] {
  const form = (value: string, says: string): Variant<string> => ({ value, mistake: { part: "form", says } });
  const between = [
    { value: "::user::" },
    form(":user:", "between socket id and user data stands `:user:`: it has to be `::user::`"),
    form(":", "between socket id and user data stands only a colon: it has to be `::user::`"),
    form("::", "between socket id and user data stands `::`: it has to be `::user::`"),
    form("", "nothing stands between socket id and user data: it has to be `::user::`"),
  ];
  const data = jsonVariants(userData, "user data", "the user data");
  return combine([socketIds(socketId), between, data], (values) => values.join(""));
}

const SWAPPED = "swapped";

function forms(): Variant<string>[] {
  const form = (value: string, says: string): Variant<string> => ({ value, mistake: { part: "form", says } });
  return [
    { value: ":" },
    {
      value: SWAPPED,
      mistake: { part: "socket id", says: "channel and socket id changed places: the socket id comes first" },
    },
    form("", "the colon between socket id and channel is missing"),
    form("::", "two colons stand between socket id and channel: it has to be one"),
    form(": ", "a space stands behind the colon: leave it out"),
    form(",", "a comma stands between socket id and channel: it has to be a colon"),
    form("::user::", "`::user::` stands between socket id and channel: that is for a user's sign-in"),
  ];
}

function socketIds(socketId: string): Variant<string>[] {
  const wrong = (value: string, says: string): Variant<string> => ({ value, mistake: { part: "socket id", says } });
  const [left = "", right = ""] = socketId.split(".");
  return distinct([
    { value: socketId },
    wrong(`${right}.${left}`, "the two halves of the socket id changed places"),
    wrong(left, "only the first half of the socket id was signed"),
    wrong(`${left}${right}`, "the dot of the socket id is missing"),
    wrong(String(Number(socketId)), "the socket id was treated as a number: it is text"),
    wrong(socketId.trim(), "the socket id was sent with white space round it"),
    wrong(`"${socketId}"`, "the socket id was signed with quotation marks round it"),
    wrong("", "the socket id is missing: it was probably not read from the request (`socket_id`)"),
    wrong("undefined", "the socket id is the word undefined: it was not read from the request (`socket_id`)"),
    wrong("null", "the socket id is the word null: it was not read from the request (`socket_id`)"),
  ]);
}

const PREFIXES = ["private-", "presence-", "private-encrypted-", "private-cache-", "presence-cache-", "cache-"];

function channels(channel: string): Variant<string>[] {
  const wrong = (value: string, says: string): Variant<string> => ({ value, mistake: { part: "channel", says } });
  const prefix = PREFIXES.toSorted((a, b) => b.length - a.length).find((one) => channel.startsWith(one)) ?? "";
  const bare = channel.slice(prefix.length);
  const otherwise = PREFIXES.filter((one) => one !== prefix).map((one) =>
    wrong(`${one}${bare}`, `the channel was signed as ${one}${bare}: sign the name that the client subscribes to`),
  );
  return distinct([
    { value: channel },
    wrong(bare, `the channel was signed without its prefix ${prefix}: the whole name is signed`),
    ...otherwise,
    ...PREFIXES.map((one) => wrong(`${one}${channel}`, `the prefix ${one} was put in front of the name once more`)),
    wrong(encodeURIComponent(channel), "the channel was signed URL-escaped: sign the name as it is"),
    wrong(channel.toLowerCase(), "the channel was signed in small letters: capitals count"),
    wrong(channel.trim(), "the channel was sent with white space round it"),
    wrong(`"${channel}"`, "the channel was signed with quotation marks round it"),
    wrong("", "the channel is missing: it was probably not read from the request (`channel_name`)"),
    wrong("undefined", "the channel is the word undefined: it was not read from the request (`channel_name`)"),
    wrong("null", "the channel is the word null: it was not read from the request (`channel_name`)"),
  ]);
}

function withColon({ value, mistake }: Variant<string>): Variant<string> {
  return { value: `:${value}`, ...(mistake !== undefined && { mistake }) };
}

// ---- what is wrong or worth knowing whatever was signed

function signatureIn(auth: string): string {
  return auth.slice(auth.indexOf(":") + 1);
}

function keyMistakes(app: App, others: readonly App[], auth: string): Mistake[] {
  const part: Part = "key";
  const colon = auth.indexOf(":");
  const key = auth.slice(0, Math.max(0, colon));
  if (colon < 0)
    return [{ part, says: `the key and a colon are missing in front of the signature: ${app.key}:SIGNATURE` }];
  if (key === app.key) return [];
  const other = others.find((one) => one.key === key);
  if (other !== undefined)
    return [{ part, says: `the key is that of another app, ${other.id}: that of ${app.id} is ${app.key}` }];
  if (key === app.id) return [{ part, says: `the app's id stands where its key belongs, which is ${app.key}` }];
  if (app.secrets.includes(key)) {
    return [{ part, says: "the app's secret stands where its key belongs; whoever saw it has the secret: change it" }];
  }
  return [{ part, says: `the key is ${JSON.stringify(key)}, but that of ${app.id} is ${JSON.stringify(app.key)}` }];
}

function socketIdNotes(socketId: string): string[] {
  return /^\d+\.\d+$/.test(socketId)
    ? []
    : ["The socket id does not look like one, such as 1234.5678: two numbers and a dot."];
}

function channelNotes({ channel, channelData }: ChannelQuestion): string[] {
  if (!/^(private|presence)-/.test(channel)) return ["This channel is public: it needs no signature."];
  if (channel.startsWith("presence-")) {
    if (channelData === undefined) return ["A presence channel needs channel data: give it with --data."];
    return hasField(channelData, "user_id") ? [] : ["The channel data of a presence channel is JSON with a user_id."];
  }
  return [];
}

function userDataNotes(userData: string): string[] {
  return hasField(userData, "id") ? [] : ["The user data is JSON with an id."];
}

function hasField(text: string, field: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && field in value;
  } catch {
    return false;
  }
}
