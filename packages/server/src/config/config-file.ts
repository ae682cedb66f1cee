/** Finds and reads the configuration file. */

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { YAMLParseError } from "yaml";
import { ConfigError } from "./config-error.ts";
import { factsAt } from "./settings.ts";

/** Looked for in the working directory. */
export const FILE_NAMES: readonly string[] = ["ts", "js", "json", "yaml", "yml", "toml"].map(
  (extension) => `fanfare.config.${extension}`,
);

export interface ConfigFile {
  /** As messages call it. */
  readonly name: string;
  readonly values: unknown;
}

/** Reads the named file, else the one that is found; undefined when there is none. */
export async function readConfigFile(cwd: string, named: string | undefined): Promise<ConfigFile | undefined> {
  const found = named === undefined ? FILE_NAMES.filter((name) => existsSync(resolve(cwd, name))) : [named];
  if (found.length > 1) {
    const names = `${found.slice(0, -1).join(", ")} and ${found.at(-1)}`;
    throw new ConfigError(
      `there are ${found.length} configuration files, ${names}: keep one, or name one with --config`,
    );
  }
  const name = found[0];
  if (name === undefined) return undefined;
  const path = resolve(cwd, name);
  const bytes = await readFile(path).catch((error: unknown) => {
    throw new ConfigError(`cannot read ${name}: ${errorReason(error)}`);
  });
  const text = decodeUtf8(bytes, name);
  return { name: named ?? basename(path), values: await valuesOf(path, name, text) };
}

/** UTF-8, with the mark in front that Windows' editors put there or without it. Throws ConfigError where it is something else. */
export function decodeUtf8(bytes: Buffer, name: string): string {
  if (bytes.includes(0)) {
    const what = bytes[0] === 0xff || bytes[0] === 0xfe || bytes.indexOf(0) < 2 ? "in UTF-16" : "no text";
    throw new ConfigError(`${name} is ${what}: save it in the encoding UTF-8`);
  }
  return bytes.toString("utf8").replace(/^\uFEFF/, "");
}

/** Why a file could not be used, in words. */
export function errorReason(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT") return "there is no such file";
  if (code === "EACCES" || code === "EPERM") return "permission denied";
  if (code === "EISDIR") return "it is a folder";
  if (code === "ENOTDIR") return "a part of its path is not a folder";
  if (code === "EROFS") return "the file system is read-only";
  if (code === "ENOSPC") return "no space left";
  return error instanceof Error ? firstLine(error.message) : String(error);
}

async function valuesOf(path: string, name: string, text: string): Promise<unknown> {
  const extension = path.slice(path.lastIndexOf(".") + 1);
  switch (extension) {
    case "json":
      return parsed(path, name, "jsonc", "JSON", () => jsonValues(text, name));
    case "yaml":
    case "yml":
      return yamlValues(text, name);
    case "toml":
      return parsed(path, name, "toml", "TOML", () => Bun.TOML.parse(text));
    case "ts":
    case "js":
    case "mts":
    case "mjs":
      return exported(path, name);
    default:
      throw new ConfigError(`cannot read ${name}: its name has to end in .ts, .js, .json, .yaml, .yml or .toml`);
  }
}

/** The parser says what is wrong but not where; loading it as a module says where. Only that much is told: the rest
 * of its message quotes the file, which may hold a secret. */
async function parsed(path: string, name: string, type: string, language: string, parse: () => unknown) {
  try {
    return await parse();
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const failure: unknown = await import(pathToFileURL(path).href, { with: { type } }).then(
      () => undefined,
      (error: unknown) => error,
    );
    throw new ConfigError(`${name}${positionOf(failure)} is not valid ${language}`);
  }
}

/** A whole number that JavaScript would round stays the text it is: an id may be one, and anything else refuses it. */
async function jsonValues(text: string, name: string): Promise<unknown> {
  const exact = (_key: string, value: unknown, context?: { readonly source?: string }) =>
    typeof value === "number" && !Number.isSafeInteger(value) && Number.isInteger(value) ? context?.source : value;
  const values: unknown = JSON.parse(text, exact);
  // JSON is YAML, whose parser says that a key is there twice. It is loaded where it is needed: every command would wait for it.
  const { parseDocument } = await import("yaml");
  const twice = parseDocument(text).errors.find(({ code }) => code === "DUPLICATE_KEY");
  if (twice) throw yamlProblem(twice, text, name, "JSON");
  return values;
}

async function yamlValues(text: string, name: string): Promise<unknown> {
  const { isPair, isScalar, isSeq, parseDocument, visit } = await import("yaml");
  const stepTo = (parent: unknown, child: unknown): PropertyKey[] => {
    if (isPair(parent)) return [String(isScalar(parent.key) ? parent.key.value : parent.key)];
    return isSeq(parent) ? [parent.items.indexOf(child)] : [];
  };
  const document = parseDocument(text, { merge: true });
  const [error] = document.errors;
  if (error) throw yamlProblem(error, text, name, "YAML");
  visit(document, {
    Scalar(key, node, ancestors) {
      if (typeof node.value !== "number" || node.source === undefined || key === "key") return;
      const path = [...ancestors, node].flatMap((each, index, all) => stepTo(each, all[index + 1]));
      const { facts, depth } = factsAt(path);
      // `id: 0123` is the text 0123.
      if (facts.parse === "text" && depth === path.length) node.value = node.source;
    },
  });
  try {
    return document.toJS() ?? {};
  } catch (failure) {
    throw new ConfigError(`${name} cannot be read: ${firstLine(String(failure))}`);
  }
}

/** Only what kind it is: the rest of the parser's message quotes the file. */
function yamlProblem(
  { code, pos, linePos }: YAMLParseError,
  text: string,
  name: string,
  language: string,
): ConfigError {
  const at = linePos ? `:${linePos[0].line}:${linePos[0].col}` : "";
  if (code !== "DUPLICATE_KEY") return new ConfigError(`${name}${at} is not valid ${language}`);
  const [key = ""] = /^[^\s:]+/.exec(text.slice(pos[0])) ?? [];
  const twice = `the key ${key.replaceAll(/^["']|["']$/g, "")} is there twice in the same place`;
  return new ConfigError(`${name}${at}: ${twice}: keep one of them`);
}

async function exported(path: string, name: string): Promise<unknown> {
  let module: Record<string, unknown>;
  try {
    module = await import(pathToFileURL(path).href);
  } catch (error) {
    const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
    const message = first instanceof Error || isMessage(first) ? firstLine(first.message) : String(first);
    throw new ConfigError(
      `${name}${positionOf(first)} cannot be loaded: ${message.replace(` imported from ${path}`, "")}`,
    );
  }
  if (!("default" in module)) {
    throw new ConfigError(`${name} exports no configuration: it needs \`export default defineConfig({ … })\``);
  }
  return module.default;
}

function isMessage(error: unknown): error is { message: string } {
  return typeof error === "object" && error !== null && "message" in error && typeof error.message === "string";
}

function positionOf(error: unknown): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  if (typeof first !== "object" || first === null || !("position" in first)) return "";
  const position = first.position;
  if (typeof position !== "object" || position === null || !("line" in position) || !("column" in position)) return "";
  return `:${position.line}:${position.column}`;
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}
