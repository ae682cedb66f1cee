/** Loads what a setting names as `FILE` (its default export) or `FILE#EXPORT`. */

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { errorReason } from "../config/config-error.ts";

/** Relative to the working directory. Throws an Error whose message says what is wrong with the file. */
export async function loadExport(written: string): Promise<unknown> {
  const [file = "", name = "default"] = written.split("#", 2);
  let module: Record<string, unknown>;
  try {
    module = await import(pathToFileURL(resolve(file)).href);
  } catch (error) {
    const reason = existsSync(file) ? errorReason(error) : "there is no such file";
    throw new Error(`cannot load ${file}: ${reason}`);
  }
  if (name in module) return module[name];
  throw new Error(`${file} has no ${name === "default" ? "default export" : `export ${name}`}`);
}
