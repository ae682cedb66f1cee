/**
 * What was signed wrong, as the signature explainer asks for it. A signature that was refused as wrong is nobody's secret; what
 * was signed is left out where it has a secret in it, or is too long to be shown.
 */

import type { FeedEntry, Signed } from "../../admin/api-types.ts";
import type { HubEvent } from "../../domain/hub-event.ts";
import { redactPayload } from "./redacted-payload.ts";

type Refused = Extract<HubEvent, { type: "refused" | "api-refused" }>;

/** Each part is at most so many characters long. */
export function refusedSignature(refused: Refused, longest: number): Pick<FeedEntry, "signed"> {
  if (refused.error.code !== "signature_invalid") return {};
  const parts = refused.type === "refused" ? byClient(refused) : byBackend(refused);
  if (!parts) return {};
  const { type, secret = {}, ...open } = parts;
  const isShort = ([, text]: readonly [string, string]) => text.length <= longest;
  const isOpen = ([, text]: readonly [string, string]) => redactPayload(text, longest).text === text;
  const all = [...Object.entries(open).filter(isShort), ...Object.entries(secret).filter(isOpen)];
  return { signed: { type, ...Object.fromEntries(all) } };
}

interface Parts extends Omit<Signed, "channelData" | "userData" | "body"> {
  /** What may have secrets in it. */
  readonly secret?: Pick<Signed, "channelData" | "userData" | "body">;
}

function byClient({ connection, command }: Extract<Refused, { type: "refused" }>): Parts | undefined {
  const socketId = connection.id;
  if (command?.type === "subscribe" && command.proof) {
    const { channel, proof } = command;
    const secret = proof.data === undefined ? {} : { channelData: proof.data };
    return { type: "channel", socketId, channel, auth: proof.auth, secret };
  }
  if (command?.type !== "signin" || command.by.type !== "signature") return undefined;
  const { auth, userData } = command.by;
  return { type: "user", socketId, auth, secret: { userData } };
}

function byBackend({ method, path, body }: Extract<Refused, { type: "api-refused" }>): Parts {
  return { type: "request", method, path, secret: body ? { body: new TextDecoder().decode(body) } : {} };
}
