/** Payloads, texts and frames as the dashboard may show them: without what looks secret, and cut short. */

import type { Payload } from "../../admin/api-types.ts";
import type { Frame } from "../../domain/transport.ts";
import { masked, maskedReason } from "../masked.ts";

/** Longest that is shown of one, in characters. */
export const SHOWN = 4096;

/** Any JSON value, or the text of one. */
export function shown(data: unknown, longest = SHOWN): Payload {
  const text = typeof data === "string" ? data : (JSON.stringify(data) ?? "");
  return { text: masked(data, longest), bytes: Buffer.byteLength(text) };
}

/** A sentence that says why. */
export function shownReason(reason: string): string {
  return maskedReason(reason, SHOWN);
}

export function shownFrame(frame: Frame, longest?: number): Payload {
  return shown(typeof frame === "string" ? frame : new TextDecoder().decode(frame), longest);
}
