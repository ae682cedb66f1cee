/** What is wrong with something that was refused, in plain words: a title, and where it is known a sentence. */

import type { Explanation, FeedEntry } from "fanfare/wire/admin";
import { titleOf } from "./refusals.ts";

export interface PlainRefusal {
  readonly title: string;
  /** Texts and what stands between backticks in them, in turns. */
  readonly says: string;
}

/** By the part of a signature that is wrong. */
const TITLES: Readonly<Record<string, string>> = {
  channel: "The signature is for another channel",
  "socket id": "The signature is for another connection",
  "channel data": "The signature does not fit the channel data",
  "user data": "The signature does not fit the user data",
  secret: "The signature was made with another secret",
  key: "The signature names another key",
  auth_key: "The call names another key",
  encoding: "The signature is not written as it has to be",
  form: "The text that was signed has another form",
  method: "The signature is for another method",
  path: "The signature is for another path",
  query: "The signature does not fit the parameters",
  body: "The signature does not fit the body",
};

const OTHERS: Readonly<Record<string, string>> = {
  app_unknown: "No app of this server has the key that the client connects with.",
  channel_full: "As many are in the channel as its rule lets in. Who comes next is refused until somebody leaves.",
  not_subscribed: "The client publishes to a channel that it is not subscribed to.",
  publish_forbidden:
    "Clients may not publish here: the channel's rule, or the app's setting for client events, says so.",
  quota_exceeded: "The app has as many connections as its limit allows.",
  rate_limited: "The client sends more in a second than the app lets one connection send.",
  token_expired: "The client's token has ended. It has to fetch another from your back end.",
  unauthorized: "Nothing lets this client in: no signature, and no token that names the channel.",
};

export function plainRefusal(entry: FeedEntry, explanation: Explanation | undefined): PlainRefusal {
  const { code = "", signed } = entry;
  const verdict = explanation?.verdict;
  const [first, ...others] = verdict?.findings ?? [];
  if (!first || verdict?.accepted) return { title: titleOf(entry), says: OTHERS[code] ?? "" };
  const title = TITLES[first.part] ?? "The signature does not match";
  const was = channelIn(verdict?.signedText, signed?.socketId);
  if (first.part !== "channel" || others.length > 0 || was === undefined || signed?.channel === undefined) {
    return { title, says: "" };
  }
  const says = `Your auth endpoint signed \`${was}\`, but the client asked for \`${signed.channel}\`. Key and secret are right.`;
  return { title, says };
}

function channelIn(text: string | undefined, socketId: string | undefined): string | undefined {
  if (text === undefined || socketId === undefined || !text.startsWith(`${socketId}:`)) return undefined;
  return /^[^:]+/.exec(text.slice(socketId.length + 1))?.[0];
}
