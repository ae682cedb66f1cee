/** Finds and reads the configuration file. */

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { YAMLParseError } from "yaml";
import { ConfigError, enumerate, errorReason, firstLine } from "./config-error.ts";
import { settingAt } from "./settings.ts";

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
    const files = `${found.length} configuration files, ${enumerate(found)}`;
    throw new ConfigError(`there are ${files}: keep one, or name one with --config`);
  }
  const name = found[0];
  if (name === undefined) return undefined;
  const path = resolve(cwd, name);
  const bytes = await readFile(path).catch((error: unknown) => {
    throw new ConfigError(`cannot read ${name}: ${errorReason(error)}`);
  });
  return { name: named ?? basename(path), values: await parseFile(path, name, decodeUtf8(bytes, name)) };
}

/** With or without the mark that Windows' editors put in front. Throws ConfigError where it is another encoding. */
export function decodeUtf8(bytes: Buffer, name: string): string {
  if (bytes.includes(0)) {
    const what = bytes[0] === 0xff || bytes[0] === 0xfe || bytes.indexOf(0) < 2 ? "in UTF-16" : "no text";
    throw new ConfigError(`${name} is ${what}: save it in the encoding UTF-8`);
  }
  return bytes.toString("utf8").replace(/^\uFEFF/, "");
}

async function parseFile(path: string, name: string, text: string): Promise<unknown> {
  switch (extname(path)) {
    case ".json":
      return withPosition(path, name, "jsonc", "JSON", () => parseJsonFile(text, name));
    case ".yaml":
    case ".yml":
      return parseYaml(text, name);
    case ".toml":
      return withPosition(path, name, "toml", "TOML", () => Bun.TOML.parse(text));
    case ".ts":
    case ".js":
    case ".mts":
    case ".mjs":
      return importDefault(path, name);
    default:
      throw new ConfigError(`cannot read ${name}: its name has to end in .ts, .js, .json, .yaml, .yml or .toml`);
  }
}

/** The parser says what is wrong but not where; importing the file says where. The rest of that message quotes the file, which may hold a secret. */
async function withPosition(path: string, name: string, type: string, language: string, parse: () => unknown) {
  try {
    return await parse();
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const failure: unknown = await import(pathToFileURL(path).href, { with: { type } }).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    throw new ConfigError(`${name}${positionOf(failure)} is not valid ${language}`);
  }
}

/** A whole number that JavaScript would round stays text: an id may be one, and every other setting refuses it. */
async function parseJsonFile(text: string, name: string): Promise<unknown> {
  const exact = (_key: string, value: unknown, context?: { readonly source?: string }) =>
    typeof value === "number" && !Number.isSafeInteger(value) && Number.isInteger(value) ? context?.source : value;
  const values: unknown = JSON.parse(text, exact);
  // JSON is YAML, whose parser notices duplicate keys. It is imported only here: every command would wait for it.
  const { parseDocument } = await import("yaml");
  const duplicate = parseDocument(text).errors.find(({ code }) => code === "DUPLICATE_KEY");
  if (duplicate) throw yamlError(duplicate, text, name, "JSON");
  return values;
}

async function parseYaml(text: string, name: string): Promise<unknown> {
  const { isPair, isScalar, isSeq, parseDocument, visit } = await import("yaml");
  const stepTo = (parent: unknown, child: unknown): PropertyKey[] => {
    if (isPair(parent)) return [String(isScalar(parent.key) ? parent.key.value : parent.key)];
    return isSeq(parent) ? [parent.items.indexOf(child)] : [];
  };
  const document = parseDocument(text, { merge: true });
  const [error] = document.errors;
  if (error) throw yamlError(error, text, name, "YAML");
  visit(document, {
    Scalar(key, node, ancestors) {
      if (typeof node.value !== "number" || node.source === undefined || key === "key") return;
      const path = [...ancestors, node].flatMap((each, index, all) => stepTo(each, all[index + 1]));
      const { setting, depth } = settingAt(path);
      // `id: 0123` is the text 0123.
      if (setting.parse === "text" && depth === path.length) node.value = node.source;
    },
  });
  try {
    return document.toJS() ?? {};
  } catch (failure) {
    throw new ConfigError(`${name} cannot be read: ${firstLine(String(failure))}`);
  }
}

/** Only what kind of error it is: the rest of the parser's message quotes the file. */
function yamlError({ code, pos, linePos }: YAMLParseError, text: string, name: string, language: string): ConfigError {
  const at = linePos ? `:${linePos[0].line}:${linePos[0].col}` : "";
  if (code !== "DUPLICATE_KEY") return new ConfigError(`${name}${at} is not valid ${language}`);
  const [key = ""] = /^[^\s:]+/.exec(text.slice(pos[0])) ?? [];
  const twice = `the key ${key.replaceAll(/^["']|["']$/g, "")} is there twice in the same place`;
  return new ConfigError(`${name}${at}: ${twice}: keep one of them`);
}

async function importDefault(path: string, name: string): Promise<unknown> {
  let module: Record<string, unknown>;
  try {
    module = await import(pathToFileURL(path).href);
  } catch (error) {
    const message = messageOf(firstError(error)).replace(` imported from ${path}`, "");
    throw new ConfigError(`${name}${positionOf(error)} cannot be loaded: ${message}`);
  }
  if ("default" in module) return module.default;
  throw new ConfigError(`${name} exports no configuration: it needs \`export default defineConfig({ … })\``);
}

/** Bun's syntax errors come in an AggregateError, and are no instances of Error. */
function firstError(error: unknown): unknown {
  return error instanceof AggregateError ? error.errors[0] : error;
}

function messageOf(error: unknown): string {
  const hasMessage = typeof error === "object" && error !== null && "message" in error;
  return firstLine(String(hasMessage ? error.message : error));
}

function positionOf(failure: unknown): string {
  const { position }: { position?: { line?: unknown; column?: unknown } | null } = Object(firstError(failure));
  return position?.line === undefined || position.column === undefined ? "" : `:${position.line}:${position.column}`;
}
