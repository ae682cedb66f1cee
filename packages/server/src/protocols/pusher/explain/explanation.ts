/** What an explanation is, and how the parts of one are put together. Nothing in here decides anything: the server's own checks do. */

import type { App } from "../../../domain/app.ts";
import { CommandError } from "../../../domain/error.ts";
import { sign } from "../../../hub/signature.ts";
import { type Candidate, type Mistake, search } from "./mistakes.ts";

export interface Explanation {
  /** The exact string that is signed. */
  readonly text: string;
  /** What it gives with the app's first secret. */
  readonly signature: string;
  /** Present when somebody's signature was given. */
  readonly verdict?: Verdict;
}

export interface Verdict {
  /** What the server would say. */
  readonly accepted: boolean;
  /** Why not, in the server's words. */
  readonly refusal?: string;
  /** What differs from what is right; never empty when it is refused. */
  readonly findings: readonly Mistake[];
  /** What was signed instead, where that was found out and is not the right text. */
  readonly signedText?: string;
  /** Good to know, but no reason for a refusal. */
  readonly notes: readonly string[];
}

export interface Judged {
  readonly app: App;
  /** The other apps there are, whose secrets may have been used by mistake. */
  readonly others: readonly App[];
  readonly text: string;
  readonly candidates: readonly Candidate[];
  /** The hex digits, or what was sent in their place. */
  readonly signature: string;
  /** The server's own check; throws what the server would throw. */
  readonly check: () => void;
  /** What is wrong whatever was signed. */
  readonly direct: readonly Mistake[];
  readonly notes: readonly string[];
}

export function judge({ app, others, text, candidates, signature, check, direct, notes }: Judged): Verdict {
  const refusal = masked(refusalOf(check), app);
  if (refusal === undefined) {
    return { accepted: true, findings: [], notes: [...notes, ...rotationNote(app, text, signature)] };
  }
  const isRight = app.secrets.some((secret) => sign(secret, text) === signature);
  if (isRight) return { accepted: false, refusal, findings: orTheRefusal(direct, refusal), notes };
  const cut = cutOff(app, text, signature);
  const found = cut ?? search(candidates, signature, app, others);
  const all = [...direct, ...(found?.mistakes ?? [unexplained(signature, direct)])];
  const findings = orTheRefusal(distinct(all), refusal);
  const signedText = found !== undefined && found.text !== text ? { signedText: found.text } : {};
  return { accepted: false, refusal, findings, notes, ...signedText };
}

/** Where the two texts part: the number of characters they have in common at their beginning. */
export function firstDifference(one: string, other: string): number {
  let index = 0;
  while (index < one.length && one[index] === other[index]) index++;
  return index;
}

function refusalOf(check: () => void): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (error instanceof CommandError) return error.message;
    throw error;
  }
}

/** The server quotes what stood in place of the key, and that may be the secret. */
function masked(refusal: string | undefined, app: App): string | undefined {
  return app.secrets.reduce((text, secret) => text?.replaceAll(`'${secret}'`, "'******'"), refusal);
}

function rotationNote(app: App, text: string, signature: string): string[] {
  const index = app.secrets.findIndex((secret) => sign(secret, text) === signature);
  if (index < 1) return [];
  return [`It was made with secret ${index + 1} of ${app.secrets.length}: the first is the one to sign with.`];
}

/** Enough to be no accident. */
const LEAST_CUT = 16;

function cutOff(app: App, text: string, signature: string): Candidate | undefined {
  const whole = app.secrets.map((secret) => sign(secret, text)).find((hex) => hex.startsWith(signature));
  if (whole === undefined || signature.length < LEAST_CUT || signature.length >= whole.length) return undefined;
  const says = `the signature is right, but ends after ${signature.length} of ${whole.length} characters`;
  return { text, mistakes: [{ part: "encoding", says }] };
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

function orTheRefusal(findings: readonly Mistake[], refusal: string): readonly Mistake[] {
  return findings.length > 0 ? findings : [{ part: "unknown", says: refusal }];
}

function distinct(findings: readonly Mistake[]): Mistake[] {
  const seen = new Set<string>();
  return findings.filter(({ part, says }) => {
    const name = `${part}: ${says}`;
    return !seen.has(name) && seen.add(name);
  });
}
