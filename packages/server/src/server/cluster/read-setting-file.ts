/** A file that a setting of the engine names. */

import { readFileSync } from "node:fs";
import { errorReason } from "../../config/config-error.ts";

/** Throws an Error that names the setting. */
export function readSettingFile(setting: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new Error(`\`${setting}\`: cannot read ${file}: ${errorReason(error)}`);
  }
}
