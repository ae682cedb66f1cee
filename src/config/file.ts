/** Finds and reads the configuration file. */

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ConfigError } from "./problem.ts";

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
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw new ConfigError(`cannot read ${name}: ${reasonOf(error)}`);
  });
  return { name: named ?? basename(path), values: await valuesOf(path, name, text) };
}

/** Why a file could not be used, in words. */
export function reasonOf(error: unknown): string {
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
      return parsed(path, name, "jsonc", "JSON", () => JSON.parse(text));
    case "yaml":
    case "yml":
      return parsed(path, name, "yaml", "YAML", () => Bun.YAML.parse(text) ?? {});
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
    return parse();
  } catch {
    const failure: unknown = await import(pathToFileURL(path).href, { with: { type } }).then(
      () => undefined,
      (error: unknown) => error,
    );
    throw new ConfigError(`${name}${positionOf(failure)} is not valid ${language}`);
  }
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
