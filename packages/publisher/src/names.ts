/** What is signed or published is checked first, so that a text from a request cannot become part of another signed text. */

import { invalid, PublisherError } from "./errors.ts";

const CONNECTION_ID = /^\d+\.\d+$/;
const CHANNEL = /^[A-Za-z0-9_\-=@,.;]{1,200}$/;
const ENCRYPTED = "private-encrypted-";
const USER_CHANNEL = "#server-to-user-";
const LONGEST_KEY = 128;

export function checkConnectionId(id: string): void {
  if (typeof id !== "string" || !CONNECTION_ID.test(id)) throw invalid("A connection id looks like 123.456.");
}

/** The channel of one user is none that a client may be authorized for. */
export function checkChannel(channel: string): void {
  if (typeof channel === "string" && CHANNEL.test(channel)) return;
  throw invalid(`A channel's name is 1 to 200 letters, digits or - _ = @ , . ; and not ${JSON.stringify(channel)}.`);
}

export function checkNotEncrypted(channel: string): void {
  if (!channel.startsWith(ENCRYPTED)) return;
  throw new PublisherError(
    `${channel} is end-to-end encrypted, by a cipher that WebCrypto does not have: use the \`pusher\` package for it.`,
    { status: 400, code: "encryption_unsupported" },
  );
}

export function checkKey(key: string): void {
  if (typeof key === "string" && key.length >= 1 && key.length <= LONGEST_KEY) return;
  throw invalid(`A key has 1 to ${LONGEST_KEY} characters.`);
}

export function userChannel(userId: string): string {
  return USER_CHANNEL + userId;
}

/** The JSON of what is published. */
export function jsonOf(data: unknown): string {
  const text = JSON.stringify(data);
  if (text === undefined) throw invalid("The data of an event is a JSON value; undefined is none.");
  return text;
}
