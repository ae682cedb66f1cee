/** Payloads, texts and frames as the dashboard may show them: without what looks secret, and cut short. */

import type { Payload } from "../../admin/api-types.ts";
import type { Frame } from "../../domain/transport.ts";
import { redact, redactReason } from "../redact.ts";

/** Longest that is shown of one, in characters. */
export const LONGEST_SHOWN = 4096;

/** Any JSON value, or the text of one. */
export function redactPayload(data: unknown, longest = LONGEST_SHOWN): Payload {
  const text = typeof data === "string" ? data : (JSON.stringify(data) ?? "");
  return { text: redact(data, longest), bytes: Buffer.byteLength(text) };
}

/** A sentence that says why. */
export function redactReasonForFeed(reason: string): string {
  return redactReason(reason, LONGEST_SHOWN);
}

export function redactFramePayload(frame: Frame, longest?: number): Payload {
  return redactPayload(typeof frame === "string" ? frame : new TextDecoder().decode(frame), longest);
}
