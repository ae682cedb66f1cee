/** Reads `.env` as dotenv does, which Node programs use, and Laravel writes it. Only that file: no `.env.local`, no `.env.production`. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "dotenv";
import { ConfigError } from "../config-error.ts";
import { decodeUtf8, errorReason } from "../config-file.ts";

export const ENV_FILE = ".env";

export interface EnvVariable {
  readonly text: string;
  /** Counted from 1. */
  readonly line: number;
}

export type EnvFile = ReadonlyMap<string, EnvVariable>;

/** Nothing where there is no such file. Throws ConfigError where it cannot be read. */
export function readEnvFile(cwd: string): EnvFile {
  let bytes: Buffer;
  try {
    bytes = readFileSync(join(cwd, ENV_FILE));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return new Map();
    // A folder of that name, which virtual environments of Python have, holds no variables.
    if (error instanceof Error && "code" in error && error.code === "EISDIR") return new Map();
    throw new ConfigError(`cannot read ${ENV_FILE}: ${errorReason(error)}`);
  }
  return parseEnvFile(decodeUtf8(bytes, ENV_FILE));
}

/** Where dotenv finds a variable, and what its value is written in. */
const PLACE = /^\s*(?:export\s+)?([\w.-]+)(?:\s*=|:\s)[^\S\n]*('(?:\\'|[^'])*'|"(?:\\"|[^"])*"|`(?:\\`|[^`])*`)?/gm;

export function parseEnvFile(written: string): EnvFile {
  const text = written.replaceAll(/\r\n?/g, "\n");
  const values = parse(text);
  const found = new Map<string, EnvVariable>();
  for (const match of text.matchAll(PLACE)) {
    const [all, name = "", quoted = ""] = match;
    const value = values[name];
    if (value === undefined) continue;
    const line = text.slice(0, match.index + (/^\s*/.exec(all)?.[0].length ?? 0)).split("\n").length;
    found.set(name, { text: asLaravel(value, quoted[0], found), line });
  }
  return found;
}

/** Where dotenv leaves what Laravel's parser does not: `\"` in double quotes, and `${NAME}` of a line above outside single ones. */
function asLaravel(value: string, quote: string | undefined, above: EnvFile): string {
  if (quote === "'" || quote === "`") return value;
  const plain = quote === '"' ? value.replaceAll('\\"', '"') : value;
  return plain.replaceAll(/\$\{([\w.-]+)\}/g, (all, name: string) => above.get(name)?.text ?? all);
}

/** What stands in the process's environment because it stands in the file. */
const lent = new Map<string, string>();

/** For configurations and controllers that read `process.env`: what the file says where the process was told nothing. */
export function lend(file: EnvFile): void {
  for (const [name, { text }] of file) {
    if (name in process.env) continue;
    process.env[name] = text;
    lent.set(name, text);
  }
}

export function isLent(name: string, text: string | undefined): boolean {
  return text !== undefined && lent.get(name) === text;
}
