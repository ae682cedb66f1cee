/** Explains a refused signature: what was signed instead, found by trying the commonest mistakes. The server's own check decides. */

import type { App } from "../../../domain/app.ts";
import { CommandError } from "../../../domain/error.ts";
import { sign } from "../../../hub/signature.ts";

export interface Explanation {
  /** The exact string that is signed. */
  readonly text: string;
  /** What it gives with the app's first secret. */
  readonly signature: string;
  /** Present when a signature was given. */
  readonly verdict?: Verdict;
}

export interface Verdict {
  readonly accepted: boolean;
  /** Why not, in the server's words. */
  readonly refusal?: string;
  /** What differs from what is right; never empty when it is refused. */
  readonly findings: readonly Mistake[];
  /** What was signed instead, where that was found and is not the right text. */
  readonly signedText?: string;
  /** Good to know, but no reason for a refusal. */
  readonly notes: readonly string[];
}

/** One part that differs, in a sentence that says what to change. */
export interface Mistake {
  readonly part: string;
  readonly says: string;
}

/** A value as it may have been used; right where no mistake is named. */
export interface Variant {
  readonly value: string;
  readonly mistake?: Mistake;
}

/** A text that may have been signed, and what is wrong with it. */
interface Candidate {
  readonly text: string;
  readonly mistakes: readonly Mistake[];
}

export interface Judged {
  readonly app: App;
  /** The other apps, whose secrets may have been used by mistake. */
  readonly others: readonly App[];
  readonly text: string;
  /** The hex digits, or what was sent in their place; undefined where there is none to judge. */
  readonly signature: string | undefined;
  /** The variants of each part of the signed text, and how the parts make the text. */
  readonly parts: readonly (readonly Variant[])[];
  readonly join: (values: readonly string[]) => string;
  /** Texts that are no combination of the parts. */
  readonly wholes?: readonly Variant[];
  /** The server's own check; throws what the server would throw. */
  readonly check: () => void;
  /** What is wrong whatever was signed. */
  readonly direct: readonly Mistake[];
  readonly notes: readonly string[];
}

/** More at once is no mistake but another program. An encoding may be wrong on top of it. */
const MAX_MISTAKES = 2;
/** Fewer equal characters may be an accident. */
const MIN_CUT = 16;

export function explain(question: Judged): Explanation {
  const { app, text, signature } = question;
  const explanation = { text, signature: sign(app.secrets[0], text) };
  return signature === undefined ? explanation : { ...explanation, verdict: judge(question, signature) };
}

/** The number of characters that two texts have in common at their beginning. */
export function firstDifference(one: string, other: string): number {
  let index = 0;
  while (index < one.length && one[index] === other[index]) index++;
  return index;
}

export function variant(part: string, value: string, says: string): Variant {
  return { value, mistake: { part, says } };
}

/** A key that is not the app's, which `name` introduces. */
export function keyMistakes(app: App, others: readonly App[], key: string, part: string, name: string): Mistake[] {
  if (key === app.key) return [];
  const other = others.find((one) => one.key === key);
  if (other) return [{ part, says: `${name} is that of another app, ${other.id}: that of ${app.id} is ${app.key}` }];
  if (key === app.id) return [{ part, says: `${name} is the app's id: it has to be its key, ${app.key}` }];
  if (app.secrets.includes(key)) {
    return [{ part, says: `${name} is the app's secret; it may have been read by others: change it` }];
  }
  return [{ part, says: `${name} is ${JSON.stringify(key)}, but that of ${app.id} is ${JSON.stringify(app.key)}` }];
}

/** JSON as it is sent, and as other programs write the same value. */
export function jsonVariants(text: string, part: string, what: string): Variant[] {
  const texts = [
    variant(part, encodeURIComponent(text), `${what} was signed URL-escaped: sign it as it is`),
    variant(part, JSON.stringify(text), `${what} was turned into JSON twice before it was signed`),
    variant(part, text.trim(), `${what} was signed without the white space round it`),
  ];
  const parsed = parseJson(text);
  const spellings = parsed === undefined ? [] : spellingsOf(parsed.value);
  const says = `${what} was signed in another spelling than it was sent:`;
  const advice = "sign the very text that is sent, do not write it again";
  return [{ value: text }, ...spellings.map(([how, as]) => variant(part, as, `${says} ${how}; ${advice}`)), ...texts];
}

function spellingsOf(value: unknown): [string, string][] {
  const compact = JSON.stringify(value);
  const slashes = (json: string) => json.replaceAll("/", "\\/");
  const ascii = (json: string) =>
    json.replaceAll(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
  const spaced = JSON.stringify(value, undefined, 1)
    .replaceAll(/([{[])\n */g, "$1")
    .replaceAll(/\n *([}\]])/g, "$1")
    .replaceAll(/\n */g, " ");
  const keys = new Set<string>();
  JSON.stringify(value, (key, inner) => keys.add(key) && inner);
  return [
    ["without white space", compact],
    ["keys sorted", JSON.stringify(value, [...keys].sort())],
    ["a space after each comma and colon", spaced],
    ["slashes escaped as \\/", slashes(compact)],
    ["letters beyond ASCII escaped as \\u…", ascii(compact)],
    ["slashes and letters beyond ASCII escaped", slashes(ascii(compact))],
    ["spaces, and letters beyond ASCII escaped", ascii(spaced)],
    ["ids as numbers", compact.replaceAll(/("(?:user_)?id":)"(\d{1,15})"/g, "$1$2")],
    ["ids as text", compact.replaceAll(/("(?:user_)?id":)(\d+)/g, '$1"$2"')],
  ];
}

export function parseJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

function judge(question: Judged, signature: string): Verdict {
  const { app, text, direct, notes } = question;
  const refusal = refusalOf(question);
  const secret = app.secrets.findIndex((one) => sign(one, text) === signature);
  if (refusal === undefined) {
    const rotated = `It was made with secret ${secret + 1} of ${app.secrets.length}: the first is the one to sign with.`;
    return { accepted: true, findings: [], notes: secret > 0 ? [...notes, rotated] : notes };
  }
  const found = secret >= 0 ? { text, mistakes: [] } : (cutOff(question, signature) ?? search(question, signature));
  const all = [...direct, ...(found?.mistakes ?? [unexplained(signature, direct)])];
  const findings =
    all.length > 0 ? unique(all, ({ part, says }) => `${part}: ${says}`) : [{ part: "unknown", says: refusal }];
  return { accepted: false, refusal, findings, notes, ...(found && found.text !== text && { signedText: found.text }) };
}

/** The server quotes what stood in place of the key, and that may be the secret. */
function refusalOf({ app, check }: Judged): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return app.secrets.reduce((message, secret) => message.replaceAll(`'${secret}'`, "'******'"), error.message);
  }
}

function cutOff({ app, text }: Judged, signature: string): Candidate | undefined {
  const whole = app.secrets.map((secret) => sign(secret, text)).find((hex) => hex.startsWith(signature));
  if (whole === undefined || signature.length < MIN_CUT || signature.length >= whole.length) return undefined;
  const says = `the signature is right, but ends after ${signature.length} of ${whole.length} characters`;
  return { text, mistakes: [{ part: "encoding", says }] };
}

/** The text that this signature was made of, with the fewest mistakes that lead there. */
function search(question: Judged, signature: string): Candidate | undefined {
  const wholes = (question.wholes ?? []).map(({ value, mistake }) => ({ text: value, mistakes: named(mistake) }));
  const texts = [...combinations(question), ...wholes].sort((a, b) => a.mistakes.length - b.mistakes.length);
  const readings = readingsOf(signature);
  let best: Candidate | undefined;
  for (const secret of secretsOf(question)) {
    for (const { text, mistakes } of unique(texts, (one) => one.text)) {
      const soFar = [...mistakes, ...named(secret.mistake)];
      if (soFar.length > MAX_MISTAKES || (best && soFar.length >= best.mistakes.length)) continue;
      const made = sign(secret.value, text);
      const reading = readings.find(({ value }) => value === made);
      if (reading) best = { text, mistakes: [...soFar, ...named(reading.mistake)] };
    }
  }
  return best;
}

function combinations({ parts, join }: Judged): Candidate[] {
  let rows: { readonly values: readonly string[]; readonly mistakes: readonly Mistake[] }[] = [
    { values: [], mistakes: [] },
  ];
  for (const variants of parts) {
    rows = rows.flatMap(({ values, mistakes }) =>
      variants
        .map(({ value, mistake }) => ({ values: [...values, value], mistakes: [...mistakes, ...named(mistake)] }))
        .filter((row) => row.mistakes.length <= MAX_MISTAKES),
    );
  }
  return rows.map(({ values, mistakes }) => ({ text: join(values), mistakes }));
}

/** Sentences name apps, never secrets. */
function secretsOf({ app, others }: Judged): Variant[] {
  const secret = (value: string, says: string) => variant("secret", value, says);
  return unique(
    [
      ...app.secrets.map((value) => ({ value })),
      secret(app.key, "the app's key was used as the secret: the secret is another text"),
      secret(app.id, "the app's id was used as the secret: the secret is another text"),
      secret("", "the secret was empty: it was probably not read from where it is kept"),
      ...app.secrets.flatMap((value) => [
        secret(`${value}\n`, "the secret was used with a line break at its end: trim it"),
        secret(`"${value}"`, "the secret was used with quotation marks round it: take them off"),
      ]),
      ...others.flatMap(({ id, key, secrets }) => [
        ...secrets.map((value) => secret(value, `the secret is that of another app, ${id}: use that of ${app.id}`)),
        secret(key, `the key of another app, ${id}, was used as the secret`),
      ]),
    ],
    ({ value }) => value,
  );
}

/** The hex digits that were meant. */
function readingsOf(signature: string): Variant[] {
  const bare = signature.trim().replace(/^["']|["']$/g, "");
  const encoding = (value: string, says: string) => variant("encoding", value, says);
  const base64 = Buffer.from(bare.replaceAll(/%3D/gi, "="), "base64").toString("hex");
  const all = [
    { value: signature },
    encoding(bare, "there are quotation marks or white space round it"),
    encoding(bare.toLowerCase(), "the hex digits are capitals: they have to be small letters"),
    encoding(bare.replace(/^sha256=/i, ""), "there is a prefix in front of the hex digits: leave it out"),
    encoding(base64, "it is written in base64: it has to be hex"),
  ];
  return unique(all, ({ value }) => value);
}

function unexplained(signature: string, direct: readonly Mistake[]): Mistake {
  if (signature === "") return { part: "encoding", says: "there is no signature" };
  if (!/^[0-9a-f]{64}$/.test(signature)) {
    const says = `a signature is 64 hex digits in small letters, but this has ${signature.length} characters`;
    return { part: "encoding", says };
  }
  const besides = direct.length > 0 ? "beside that, " : "";
  const says =
    `${besides}none of the usual mistakes gives this signature: compare the string above with the one that your program ` +
    "signs, character by character, and then the secret";
  return { part: "unknown", says };
}

function named(mistake: Mistake | undefined): Mistake[] {
  return mistake ? [mistake] : [];
}

/** The first of those that have the same name. */
function unique<T>(all: readonly T[], nameOf: (one: T) => string): T[] {
  const seen = new Set<string>();
  return all.filter((one) => !seen.has(nameOf(one)) && seen.add(nameOf(one)));
}
