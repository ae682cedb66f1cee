/** The search for what somebody did differently when they signed: every usual mistake, alone and together with others. */

import { createHash, createHmac } from "node:crypto";
import type { App } from "../../../domain/app.ts";

/** What of a signature can be other than right. */
export type Part =
  | "key"
  | "secret"
  | "digest"
  | "encoding"
  | "socket id"
  | "channel"
  | "channel data"
  | "user data"
  | "form"
  | "method"
  | "path"
  | "query"
  | "auth_key"
  | "auth_version"
  | "auth_timestamp"
  | "body_md5"
  | "unknown";

/** One thing that differs, in a sentence that says what to change. */
export interface Mistake {
  readonly part: Part;
  readonly says: string;
}

/** A value as it might have been used; right where no mistake is named. */
export interface Variant<T> {
  readonly value: T;
  readonly mistake?: Mistake;
}

/** A text that may have been signed, and what is wrong with it. */
export interface Candidate {
  readonly text: string;
  readonly mistakes: readonly Mistake[];
}

/** More than this at once is no mistake but another program. An encoding may be wrong on top of it. */
const MOST_MISTAKES = 2;

/** Every way to put one variant of each part together, the fewest mistakes first, each text once. */
export function combine(parts: readonly (readonly Variant<string>[])[], join: (values: string[]) => string) {
  let rows: { values: string[]; mistakes: Mistake[] }[] = [{ values: [], mistakes: [] }];
  for (const variants of parts) {
    rows = rows.flatMap((row) =>
      variants
        .filter(({ mistake }) => mistake === undefined || row.mistakes.length < MOST_MISTAKES)
        .map(({ value, mistake }) => ({
          values: [...row.values, value],
          mistakes: mistake === undefined ? row.mistakes : [...row.mistakes, mistake],
        })),
    );
  }
  return fewestFirst(rows.map(({ values, mistakes }) => ({ text: join(values), mistakes })));
}

export function fewestFirst(candidates: readonly Candidate[]): Candidate[] {
  const seen = new Set<string>();
  return [...candidates]
    .sort((a, b) => a.mistakes.length - b.mistakes.length)
    .filter(({ text }) => !seen.has(text) && seen.add(text));
}

/** The candidate that this signature was made of, with every mistake it took to get there; the fewest that do. */
export function search(
  candidates: readonly Candidate[],
  signature: string,
  app: App,
  others: readonly App[],
): Candidate | undefined {
  let best: Candidate | undefined;
  const isWorse = (mistakes: readonly Mistake[]) => best !== undefined && mistakes.length >= best.mistakes.length;
  for (const digest of readings(signature)) {
    for (const secret of secretsOf(app, others)) {
      for (const { text, mistakes } of candidates) {
        const soFar = [...mistakes, ...named(secret)];
        if (soFar.length > MOST_MISTAKES || isWorse([...soFar, ...named(digest)])) continue;
        const made = construction(digest.value, secret.value, text, soFar.length < MOST_MISTAKES);
        if (made === undefined) continue;
        const all = [...soFar, ...named(digest), ...named(made)];
        if (!isWorse(all)) best = { text, mistakes: all };
      }
    }
  }
  return best;
}

export function named({ mistake }: Variant<unknown>): Mistake[] {
  return mistake === undefined ? [] : [mistake];
}

// ---- the secret

/** Sentences name apps, never secrets. */
function secretsOf(app: App, others: readonly App[]): Variant<string>[] {
  const wrong = (value: string, says: string): Variant<string> => ({ value, mistake: { part: "secret", says } });
  const own = app.secrets.flatMap((value) => [
    wrong(`${value}\n`, "the secret was used with a line break at its end: trim it"),
    wrong(`${value}\r\n`, "the secret was used with a line break at its end: trim it"),
    wrong(` ${value}`, "the secret was used with a space in front: trim it"),
    wrong(`${value} `, "the secret was used with a space at its end: trim it"),
    wrong(`"${value}"`, "the secret was used with quotation marks round it: take them off"),
    wrong(`'${value}'`, "the secret was used with quotation marks round it: take them off"),
    wrong(value.trim(), "the secret was trimmed, but has white space at an end in the configuration"),
    wrong(value.toLowerCase(), "the secret was used in small letters"),
    wrong(value.toUpperCase(), "the secret was used in capitals"),
    wrong(`${app.key}:${value}`, "the key and a colon were put in front of the secret"),
  ]);
  const strangers = others.flatMap((other) =>
    other.secrets.map((value) => wrong(value, `the secret is that of another app, ${other.id}: use that of ${app.id}`)),
  );
  const right = app.secrets.map((value): Variant<string> => ({ value }));
  return distinct([
    ...right,
    wrong(app.key, "the app's key was used as the secret: the secret is another text"),
    wrong(app.id, "the app's id was used as the secret: the secret is another text"),
    wrong("", "the secret was empty: it was probably not read from where it is kept"),
    ...own,
    ...strangers,
    ...others.map((other) => wrong(other.key, `the key of another app, ${other.id}, was used as the secret`)),
  ]);
}

/** Each value once, the first that has it. */
export function distinct(variants: readonly Variant<string>[]): Variant<string>[] {
  const seen = new Set<string>();
  return variants.filter(({ value }) => !seen.has(value) && seen.add(value));
}

// ---- the digest

const ALGORITHMS: Readonly<Record<number, string>> = {
  16: "md5",
  20: "sha1",
  28: "sha224",
  48: "sha384",
  64: "sha512",
};
const SHA256_BYTES = 32;

/** The bytes that the signature may stand for. */
function readings(signature: string): Variant<Buffer>[] {
  const found: Variant<Buffer>[] = [];
  const add = (bytes: Buffer, says?: string) => {
    if (bytes.length !== SHA256_BYTES && ALGORITHMS[bytes.length] === undefined) return;
    found.push({ value: bytes, ...(says !== undefined && { mistake: { part: "encoding", says } }) });
  };
  const bare = signature.trim().replace(/^["']|["']$/g, "");
  if (/^([0-9a-f]{2})+$/.test(signature)) add(Buffer.from(signature, "hex"));
  else if (/^([0-9a-f]{2})+$/.test(bare))
    add(Buffer.from(bare, "hex"), "there are quotation marks or white space round it");
  else if (/^([0-9a-f]{2})+$/i.test(bare)) {
    add(Buffer.from(bare, "hex"), "the hex digits are capitals: they have to be small letters");
  }
  const prefixed = /^(?:sha256=|0x|hmac[- ]?sha256[:= ])([0-9a-f]+)$/i.exec(bare)?.[1];
  if (prefixed !== undefined)
    add(Buffer.from(prefixed, "hex"), "there is a prefix in front of the hex digits: leave it out");
  if (/^[-\w+/%]+=*(%3D)*$/i.test(bare)) {
    const bytes = Buffer.from(
      bare.replaceAll(/%3D/gi, "=").replaceAll(/%2B/gi, "+").replaceAll(/%2F/gi, "/"),
      "base64",
    );
    add(bytes, "it is written in base64: it has to be hex");
    const inner = bytes.toString("latin1");
    if (/^([0-9a-f]{2})+$/.test(inner))
      add(Buffer.from(inner, "hex"), "the hex digits were written in base64 once more");
  }
  return found;
}

/** How these bytes come from this secret and this text, if they do. What is no HMAC is looked for only `thoroughly`. */
function construction(digest: Buffer, secret: string, text: string, thoroughly: boolean): Variant<true> | undefined {
  const algorithm = ALGORITHMS[digest.length] ?? "sha256";
  const name = algorithm.toUpperCase().replace("SHA", "SHA-");
  const other = algorithm === "sha256" ? "" : `it was made with ${name}: it has to be SHA-256`;
  const wrong = (says: string): Variant<true> => ({ value: true, mistake: { part: "digest", says } });
  if (createHmac(algorithm, secret).update(text).digest().equals(digest)) {
    return other === "" ? { value: true } : wrong(`HMAC: ${other}`);
  }
  if (!thoroughly) return undefined;
  const and = other === "" ? "" : `; also, ${other}`;
  const plain = (input: string) => createHash(algorithm).update(input).digest().equals(digest);
  if (plain(secret + text))
    return wrong(`the secret was put in front of the text and hashed: it has to be an HMAC${and}`);
  if (plain(text + secret)) return wrong(`the secret was put behind the text and hashed: it has to be an HMAC${and}`);
  if (plain(text))
    return wrong(`the text was hashed without the secret: it has to be an HMAC with the secret as key${and}`);
  if (createHmac(algorithm, text).update(secret).digest().equals(digest)) {
    return wrong(`the secret and the text changed places in the HMAC: the secret is its key${and}`);
  }
  return undefined;
}
