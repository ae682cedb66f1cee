/** Turns text from the environment or the command line into the value that the setting takes. */

import type { SettingInfo } from "./schema/fields.ts";

/** Stands for text that is no JSON where JSON is needed. */
export const Unparseable = Symbol("unreadable");

/** Text that does not fit stays as it is, so that the table refuses it and the message can show it. */
export function parseValue({ parse: reads }: Pick<SettingInfo, "parse">, text: string): unknown {
  switch (reads) {
    case "text":
      return text;
    case "number":
      return parseNumber(text) ?? text;
    case "switch":
      return parseBoolean(text) ?? text;
    case "json":
      return parseJson(text);
  }
}

/** Decimal, and nothing round it but spaces. */
export function parseNumber(text: string): number | undefined {
  return /^\s*[+-]?\d+(\.\d+)?\s*$/.test(text) ? Number(text) : undefined;
}

export function parseBoolean(text: string): boolean | undefined {
  return SWITCHES.get(text.trim().toLowerCase());
}

const SWITCHES = new Map([
  ["true", true],
  ["1", true],
  ["yes", true],
  ["on", true],
  ["false", false],
  ["0", false],
  ["no", false],
  ["off", false],
]);

/** The parser's own message is dropped: it quotes the text, and there may be a secret in it. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return Unparseable;
  }
}
