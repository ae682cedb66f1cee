/** A payload as a log may show it: without what is secret by its name or its look, and cut short. */

/** Longest text of one payload in a log, in characters. */
const LONGEST = 500;
/** Longest payload that is taken apart; of a longer one only its beginning is looked at. */
const LONGEST_PARSED = 16_384;
const DEEPEST = 16;
const MASK = "***";

/** Within a name, in any spelling; an author is nobody's secret. */
const SECRET_WORD =
  "pass(?:wor[dt]|wd|phrase|code)|pwd|secret|token|auth(?!or(?!i))|api[-_ ]?key|private[-_ ]?key|access[-_ ]?key|credential|cookie|session|signature|jwt|bearer|csrf|cvv|otp";
const SECRET_NAME = new RegExp(`${SECRET_WORD}|^(?:pass|pin|sig)$`, "i");
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
export function masked(payload: unknown, longest = LONGEST): string {
  const safe = typeof payload === "string" ? maskedText(payload, 0) : JSON.stringify(maskedValue(payload, 0));
  return safe === undefined ? "" : shortened(safe, longest);
}

function shortened(text: string, longest: number): string {
  return text.length > longest ? `${text.slice(0, longest)}… (${text.length} characters)` : text;
}

function maskedValue(value: unknown, depth: number): unknown {
  if (typeof value === "string") return maskedText(value, depth);
  if (typeof value !== "object" || value === null) return value;
  if (depth > DEEPEST) return MASK;
  if (Array.isArray(value)) return value.map((inner) => maskedValue(inner, depth + 1));
  const pairs = Object.entries(value);
  return Object.fromEntries(
    pairs.map(([key, inner]) => [key, SECRET_NAME.test(key) ? MASK : maskedValue(inner, depth + 1)]),
  );
}

/** Pusher's payloads are JSON in JSON, so texts are looked into. */
function maskedText(text: string, depth: number): string {
  if (/^\s*["{[]/.test(text) && text.length <= LONGEST_PARSED) {
    const value = parsed(text);
    if (value !== undefined) return depth > DEEPEST ? MASK : JSON.stringify(maskedValue(value, depth + 1));
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
