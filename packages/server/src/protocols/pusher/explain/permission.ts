/** Explains the signature that lets one connection into one channel, or makes it one user. Pusher protocol, "signatures". */

import type { App } from "../../../domain/app.ts";
import { channelText, checkChannelProof, checkUserProof, userText } from "../../../hub/signature.ts";
import {
  type Explanation,
  explain,
  jsonVariants,
  keyMistakes,
  type Mistake,
  parseJson,
  variant,
} from "./explanation.ts";

export interface ChannelQuestion {
  readonly app: App;
  readonly others: readonly App[];
  readonly socketId: string;
  readonly channel: string;
  /** As the client sends it, character by character. */
  readonly channelData?: string;
  /** `KEY:HEX`, as the client sends it. */
  readonly auth?: string;
  /** Channels that may have been signed by mistake, such as those the connection is in. */
  readonly nearby?: readonly string[];
}

export interface UserQuestion extends Omit<ChannelQuestion, "channel" | "channelData"> {
  readonly userData: string;
}

/** So many at most are tried: each is signed with every secret that is. */
const MOST_NEARBY = 200;

/** Those that are near, and the name with two neighbours in it swapped, as in a typed id. */
function otherChannels({ channel, nearby = [] }: ChannelQuestion): readonly string[] {
  const swapped = Array.from(channel.slice(1), (letter, at) => {
    return channel.slice(0, at) + letter + channel.charAt(at) + channel.slice(at + 2);
  });
  const all = new Set([...nearby.slice(0, MOST_NEARBY), ...swapped.slice(-MOST_NEARBY)]);
  all.delete(channel);
  return [...all];
}

const SWAPPED = "swapped";

export function explainChannel(question: ChannelQuestion): Explanation {
  const { app, others, socketId, channel, channelData, auth = "" } = question;
  const bare = channel.replace(/^(private|presence)-/, "");
  const prefix = channel.slice(0, channel.length - bare.length);
  const notRead = (what: string, field: string) =>
    `the ${what} is missing: it was probably not read from the request (\`${field}\`)`;
  const isWord = (what: string, field: string) =>
    `the ${what} is the word undefined: it was not read from the request (\`${field}\`)`;
  const parts = [
    [
      { value: socketId },
      variant("socket id", "", notRead("socket id", "socket_id")),
      variant("socket id", "undefined", isWord("socket id", "socket_id")),
    ],
    [
      { value: ":" },
      variant("socket id", SWAPPED, "channel and socket id changed places: the socket id comes first"),
      variant("form", "", "the colon between socket id and channel is missing"),
    ],
    [
      { value: channel },
      variant("channel", bare, `the channel was signed without its prefix ${prefix}: the whole name is signed`),
      ...["private-", "presence-"].flatMap((one) => [
        variant(
          "channel",
          one + bare,
          `the channel was signed as ${one}${bare}: sign the name that the client subscribes to`,
        ),
        variant("channel", one + channel, `the prefix ${one} was put in front of the name once more`),
      ]),
      variant("channel", "", notRead("channel", "channel_name")),
      variant("channel", "undefined", isWord("channel", "channel_name")),
    ],
    channelData === undefined ? extraData() : dataVariants(channelData),
  ];
  const proof = channelData === undefined ? { auth } : { auth, data: channelData };
  return explain({
    app,
    others,
    text: channelText(socketId, channel, channelData),
    signature: signatureIn(question.auth),
    parts,
    join: ([id, form, name, data]) => (form === SWAPPED ? `${name}:${id}${data}` : `${id}${form}${name}${data}`),
    wholes: [
      ...otherChannels(question).map((other) =>
        variant(
          "channel",
          channelText(socketId, other, channelData),
          `the channel was signed as ${other}: sign the name that the client subscribes to`,
        ),
      ),
      variant(
        "form",
        userText(socketId, channelData ?? ""),
        "it was signed as a user's sign-in (`::user::`), not as a channel's",
      ),
    ],
    check: () => checkChannelProof(app, socketId, channel, proof),
    direct: authMistakes(app, others, auth),
    notes: [...socketIdNotes(socketId), ...channelNotes(question)],
  });
}

export function explainUser({ app, others, socketId, userData, auth }: UserQuestion): Explanation {
  const between = (value: string, what: string) =>
    variant("form", value, `between socket id and user data stands ${what}: it has to be \`::user::\``);
  return explain({
    app,
    others,
    text: userText(socketId, userData),
    signature: signatureIn(auth),
    parts: [
      [{ value: socketId }],
      [{ value: "::user::" }, between(":user:", "`:user:`"), between(":", "only a colon"), between("", "nothing")],
      jsonVariants(userData, "user data", "the user data"),
    ],
    join: (values) => values.join(""),
    check: () => checkUserProof(app, socketId, auth ?? "", userData),
    direct: authMistakes(app, others, auth ?? ""),
    notes: [...socketIdNotes(socketId), ...(hasField(userData, "id") ? [] : ["The user data is JSON with an id."])],
  });
}

/** Libraries that always add something, where nothing was sent. */
function extraData() {
  const says =
    "channel data was signed, but is not sent with the subscription: send it as channel_data, or leave it out";
  return [
    { value: "" },
    variant("channel data", ":", `${says} (signed was a colon and nothing)`),
    ...["null", "{}"].map((data) => variant("channel data", `:${data}`, `${says} (signed was ${data})`)),
  ];
}

function dataVariants(channelData: string) {
  const sent = jsonVariants(channelData, "channel data", "the channel data");
  const says = "the channel data was left out of the signed string: it belongs at the end";
  return [...sent.map((one) => ({ ...one, value: `:${one.value}` })), variant("channel data", "", says)];
}

function signatureIn(auth: string | undefined): string | undefined {
  return auth?.slice(auth.indexOf(":") + 1);
}

function authMistakes(app: App, others: readonly App[], auth: string): Mistake[] {
  const [key = "", ...rest] = auth.split(":");
  if (rest.length > 0) return keyMistakes(app, others, key, "key", "the key");
  return [{ part: "key", says: `the key and a colon are missing in front of the signature: ${app.key}:SIGNATURE` }];
}

function socketIdNotes(socketId: string): string[] {
  if (/^\d+\.\d+$/.test(socketId)) return [];
  return ["The socket id does not look like one, such as 1234.5678: two numbers and a dot."];
}

function channelNotes({ channel, channelData }: ChannelQuestion): string[] {
  if (!/^(private|presence)-/.test(channel)) return ["This channel is public: it needs no signature."];
  if (!channel.startsWith("presence-")) return [];
  if (channelData === undefined) return ["A presence channel needs channel data: give it with --data."];
  return hasField(channelData, "user_id") ? [] : ["The channel data of a presence channel is JSON with a user_id."];
}

function hasField(text: string, field: string): boolean {
  const value = parseJson(text)?.value;
  return typeof value === "object" && value !== null && field in value;
}
