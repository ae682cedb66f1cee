/** Reads `.env` as dotenv does, which Node programs use, and Laravel writes it. Only that file: no `.env.local`, no `.env.production`. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "dotenv";
import { codeOf } from "../../domain/thrown.ts";
import { ConfigError, errorReason } from "../config-error.ts";
import { decodeUtf8 } from "../config-file.ts";

export const ENV_FILE = ".env";

export interface EnvVariable {
  readonly text: string;
  /** Counted from 1. */
  readonly line: number;
}

export type EnvFile = ReadonlyMap<string, EnvVariable>;

/** Empty where there is no such file. Throws ConfigError where it cannot be read. */
export function readEnvFile(cwd: string): EnvFile {
  let bytes: Buffer;
  try {
    bytes = readFileSync(join(cwd, ENV_FILE));
  } catch (error) {
    // A folder of that name, which virtual environments of Python have, holds no variables.
    if (["ENOENT", "EISDIR"].includes(codeOf(error))) return new Map();
    throw new ConfigError(`cannot read ${ENV_FILE}: ${errorReason(error)}`);
  }
  return parseEnvFile(decodeUtf8(bytes, ENV_FILE));
}

/** Where dotenv finds a variable, and in which quotes its value is. */
const ASSIGNMENT =
  /^\s*(?:export\s+)?([\w.-]+)(?:\s*=|:\s)[^\S\n]*('(?:\\'|[^'])*'|"(?:\\"|[^"])*"|`(?:\\`|[^`])*`)?/gm;

export function parseEnvFile(content: string): EnvFile {
  const text = content.replaceAll(/\r\n?/g, "\n");
  const values = parse(text);
  const found = new Map<string, EnvVariable>();
  for (const { 0: assignment, 1: name = "", 2: quoted = "", index } of text.matchAll(ASSIGNMENT)) {
    const value = values[name];
    if (value === undefined) continue;
    const start = index + assignment.length - assignment.trimStart().length;
    const line = text.slice(0, start).split("\n").length;
    found.set(name, { text: expand(value, quoted[0], found), line });
  }
  return found;
}

/** What dotenv leaves and Laravel's parser does not: `\"` in double quotes, and `${NAME}` of a line above outside single ones. */
function expand(value: string, quote: string | undefined, above: EnvFile): string {
  if (quote === "'" || quote === "`") return value;
  const plain = quote === '"' ? value.replaceAll('\\"', '"') : value;
  return plain.replaceAll(/\$\{([\w.-]+)\}/g, (all, name: string) => above.get(name)?.text ?? all);
}

/** What is in the process's environment because it is in the file. */
const lent = new Map<string, string>();

/** For configurations and controllers that read `process.env`: what the file sets and the process was not given. */
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
