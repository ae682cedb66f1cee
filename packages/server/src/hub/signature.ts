/** What an app's back end signs, and the check of it. Pusher protocol, section "signatures"; HMAC-SHA256, lower-case hex. And with which key it did. */

import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { App } from "../domain/app.ts";
import type { Connection } from "../domain/connection.ts";
import { CommandError } from "../domain/error.ts";
import type { ChannelProof } from "../domain/message.ts";

/** Makes the HMAC-SHA256 of a text, in lower-case hex. */
export type Sign = (secret: string, text: string) => string;

export function sign(secret: string, text: string): string {
  return createHmac("sha256", secret).update(text).digest("hex");
}

/** Of a request to the app's back end: Pusher protocol, webhooks. Pusher's libraries verify it. */
export function signedHeaders({ key, secrets }: App, body: string, version: string): Record<string, string> {
  return {
    "Content-Type": "application/json",
    "User-Agent": `fanfare/${version}`,
    "X-Pusher-Key": key,
    "X-Pusher-Signature": sign(secrets[0], body),
  };
}

/** Whether any of the app's secrets made this signature. Constant time, and the same work for every wrong answer. */
export function isSignedBy(app: App, text: string, signature: string, signWith: Sign = sign): boolean {
  return signerOf(app, text, signature, signWith) !== undefined;
}

/** The secret that did. */
function signerOf(app: App, text: string, signature: string, signWith: Sign = sign): string | undefined {
  let signer: string | undefined;
  for (const secret of app.secrets) if (isSameSecret(signature, signWith(secret, text))) signer ??= secret;
  return signer;
}

/** Takes as long whatever the first wrong character is. The length is no secret. */
export function isSameSecret(given: string, expected: string): boolean {
  // Two buffers less for each signature: half a µs of a signed call.
  if (holds(GIVEN, given) && holds(EXPECTED, expected)) return timingSafeEqual(GIVEN, EXPECTED);
  const [one, other] = [Buffer.from(given), Buffer.from(expected)];
  return one.length === other.length && timingSafeEqual(one, other);
}

/** As long as a signature is in hex. */
const [GIVEN, EXPECTED] = [new Uint8Array(64), new Uint8Array(64)];
const ENCODER = new TextEncoder();

/** Writes the text into the bytes. Whether it fills them, and each character takes one. */
function holds(bytes: Uint8Array, text: string): boolean {
  return text.length === bytes.length && ENCODER.encodeInto(text, bytes).read === bytes.length;
}

/** The string that permits one connection one channel. */
export function channelText(connectionId: string, channel: string, data: string | undefined): string {
  return data === undefined ? `${connectionId}:${channel}` : `${connectionId}:${channel}:${data}`;
}

/** The string that makes one connection one user. */
export function userText(connectionId: string, userData: string): string {
  return `${connectionId}::user::${userData}`;
}

/** Returns the key's id, as `checkUserProof` does. */
export function checkChannelProof(app: App, connectionId: string, channel: string, proof: ChannelProof): string {
  return checkProof(
    app,
    proof.auth,
    channelText(connectionId, channel, proof.data),
    "<socket id>:<channel>[:<channel data>]",
  );
}

export function checkUserProof(app: App, connectionId: string, auth: string, userData: string): string {
  return checkProof(app, auth, userText(connectionId, userData), "<socket id>::user::<user data>");
}

function checkProof(app: App, auth: string, text: string, form: string): string {
  const colon = auth.indexOf(":");
  const key = colon < 0 ? auth : auth.slice(0, colon);
  if (colon < 0 || key !== app.key) {
    throw new CommandError(
      "signature_invalid",
      `Invalid key in subscription auth data: '${key.slice(0, 64)}' is not this app's key. Expected KEY:SIGNATURE.`,
    );
  }
  const signer = signerOf(app, text, auth.slice(colon + 1));
  if (signer === undefined) {
    throw new CommandError(
      "signature_invalid",
      `Invalid signature: expected the HMAC SHA256 hex digest of ${form}, which is ${JSON.stringify(text)}, made with this app's secret.`,
    );
  }
  return keyIdOf(signer);
}

/** There are few secrets, and many signatures. */
const ids = new Map<string, string>();

function keyIdOf(secret: string): string {
  const id = ids.get(secret) ?? keyId(secret);
  if (ids.size > 10_000) ids.clear();
  ids.set(secret, id);
  return id;
}

// ---- keys by what they can be told apart by: a connection remembers which ones its proofs were made with, and never the keys

const KEY_ID_BYTES = 12;

export function keyId(key: string): string {
  return createHash("sha256").update(key).digest("base64url").slice(0, KEY_ID_BYTES);
}

/** By this key it was let into a channel. */
export function notePermission(connection: Connection, id: string | undefined): void {
  if (id === undefined || connection.permittedBy.includes(id)) return;
  connection.permittedBy = [...connection.permittedBy, id];
}

/** Whether it may anything by a key that is the app's no more. */
export function standsOnOldKey({ signedInBy, permittedBy }: Connection, app: App): boolean {
  if (signedInBy === undefined && permittedBy.length === 0) return false;
  const valid = idsOf(app);
  return (signedInBy !== undefined && !valid.has(signedInBy)) || permittedBy.some((id) => !valid.has(id));
}

const known = new WeakMap<App, ReadonlySet<string>>();

/** An app that changes is another object. */
function idsOf(app: App): ReadonlySet<string> {
  const ids = known.get(app) ?? new Set(keysOf(app).map(keyId));
  known.set(app, ids);
  return ids;
}

function keysOf({ secrets, token }: App): readonly string[] {
  return [...secrets, token?.secret ?? [], token?.publicKey ?? []].flat();
}
