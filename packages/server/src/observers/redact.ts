/** A payload as a log or the dashboard may show it: without what is secret by its name or its look, and cut short. */

import type { Payload } from "../admin/api-types.ts";
import type { Frame } from "../domain/transport.ts";

/** Longest text of one payload in a log, in characters. */
const LONGEST = 500;
/** Longest that the dashboard shows of one. */
export const LONGEST_SHOWN = 4096;
/** Longest payload that is taken apart; of a longer one only its beginning is looked at. */
const LONGEST_PARSED = 16_384;
const DEEPEST = 16;
const MASK = "***";

/** Within a name, in any spelling; an author is nobody's secret. */
const SECRET_WORD =
  "pass(?:wor[dt]|wd|phrase|code)|pwd|secret|token|auth(?!or(?!i))|api[-_ ]?key|private[-_ ]?key|access[-_ ]?key|credential|cookie|session|signature|jwt|bearer|csrf|cvv|otp";
const SECRET_NAME = new RegExp(`${SECRET_WORD}|^(?:pass|pin|sig)$`, "i");
/** In the frames of both protocols, what a back end says of a user, and what it signs. */
const FRAME_NAME = new RegExp(`${SECRET_NAME.source}|^(?:(?:user_)?info|state|(?:user|channel)_data|hash)$`, "i");
/**
 * The same in text that is no JSON: a name with a value behind it, as in a form, an address or a JSON text that was cut.
 * Clients choose the text: what repeats has an end, or a beginning of its own, so that none takes longer than its length.
 */
const SECRET_PAIR = new RegExp(
  `(?:${SECRET_WORD}|\\b(?:pass|pin|sig))[-\\w]{0,64}[\\s"'\\\\]{0,16}(?:[:=]|%3[ad])|\\b(?:bearer|basic)\\s`,
  "i",
);
/** Looks like one, whatever it is called: a JWT, a private key, a signature with its key in front. */
const SECRET_LOOK = /\beyJ[-\w]{8,}(?:\.[-\w]*)*|-----BEGIN[\s\S]*|(?<![-\w.])[-\w.]+:[0-9a-f]{64}\b|:\/\/[^/\s@]+@/gi;

/** Any JSON value, or the text of one; at most so many characters of it. */
export function redact(payload: unknown, longest = LONGEST): string {
  const safe = typeof payload === "string" ? redactText(payload, 0) : JSON.stringify(redactValue(payload, 0));
  return safe === undefined ? "" : shortened(safe, longest);
}

/** A secret in a sentence: its name, and its value up to where that ends. A secret that is an object ends nobody knows where. */
const NAMED_VALUE = new RegExp(
  `((?:${SECRET_WORD}|\\b(?:pass|pin|sig))[-\\w]{0,64}\\\\{0,3}["']?\\s{0,4}(?:[:=]|%3[ad])\\s{0,4})` +
    `(\\\\{0,3}["'][^"'\\\\]*|[{[][\\s\\S]*|[^\\s"'&,;)\\]}]+)`,
  "gi",
);
const BEARER = /\b(bearer|basic)\s{1,16}(?=[^\s\d]{0,64}\d|\S{16})\S+/gi;
/** The protocol's own names for what is no secret, though it stands beside one. */
const NO_SECRET = /\bauth_(?:key|timestamp|version)\W*$/i;
/** "Invalid signature: expected the …" is a sentence that goes on, and names no secret. */
const WORD = /^[a-z]+$/i;

/** A sentence that says why: only the values of secrets are masked in it, never what it says about them. */
export function redactReason(reason: string, longest = LONGEST): string {
  const plain = reason.slice(0, LONGEST_PARSED).replace(SECRET_LOOK, MASK).replace(BEARER, `$1 ${MASK}`);
  const safe = plain.replace(NAMED_VALUE, (pair: string, name: string, value: string, at: number) => {
    const goesOn = /\s$/.test(name) && WORD.test(value) && plain[at + pair.length] === " ";
    return goesOn || NO_SECRET.test(name) ? pair : `${name}${MASK}`;
  });
  return shortened(safe, longest);
}

/** A frame as a log may show it: without user data, too. */
export function redactFrame(frame: string): string {
  return shortened(redactText(frame, 0, FRAME_NAME), LONGEST);
}

/** For the dashboard: any JSON value, or the text of one. */
export function redactPayload(data: unknown, longest = LONGEST_SHOWN): Payload {
  const text = typeof data === "string" ? data : (JSON.stringify(data) ?? "");
  return { text: redact(data, longest), bytes: Buffer.byteLength(text) };
}

export function redactFramePayload(frame: Frame, longest?: number): Payload {
  return redactPayload(typeof frame === "string" ? frame : new TextDecoder().decode(frame), longest);
}

function shortened(text: string, longest: number): string {
  return text.length > longest ? `${text.slice(0, longest)}… (${text.length} characters)` : text;
}

function redactValue(value: unknown, depth: number, names = SECRET_NAME): unknown {
  if (typeof value === "string") return redactText(value, depth, names);
  if (typeof value !== "object" || value === null) return value;
  if (depth > DEEPEST) return MASK;
  if (Array.isArray(value)) return value.map((inner) => redactValue(inner, depth + 1, names));
  const pairs = Object.entries(value);
  return Object.fromEntries(
    pairs.map(([key, inner]) => [key, names.test(key) ? MASK : redactValue(inner, depth + 1, names)]),
  );
}

/** Pusher's payloads are JSON in JSON, so texts are looked into. */
function redactText(text: string, depth: number, names = SECRET_NAME): string {
  if (/^\s*["{[]/.test(text) && text.length <= LONGEST_PARSED) {
    const value = parsed(text);
    if (value !== undefined) {
      const safe = depth > DEEPEST ? MASK : JSON.stringify(redactValue(value, depth + 1, names));
      // As it was sent, where there was nothing to mask; a name that is there twice is read once only.
      return safe === JSON.stringify(value) && !SECRET_PAIR.test(text) ? text : safe;
    }
  }
  const plain = text.slice(0, LONGEST_PARSED).replace(SECRET_LOOK, MASK);
  const pair = SECRET_PAIR.exec(plain);
  // Where its value ends, nobody can tell.
  return pair ? `${plain.slice(0, pair.index + pair[0].length)}${MASK}` : plain;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
