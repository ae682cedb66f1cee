/** Text from the environment or the command line, and the value that a setting takes. */

import type { SettingInfo } from "./schema/fields.ts";

/** Stands for text that does not parse. */
export const Unparseable = Symbol("unparseable");

/** Text that does not fit is returned as it is, so that the schema refuses it and the message can show it. */
export function parseValue({ parse }: Pick<SettingInfo, "parse">, text: string): unknown {
  switch (parse) {
    case "text":
      return text;
    case "number":
      return parseNumber(text) ?? text;
    case "boolean":
      return parseBoolean(text) ?? text;
    case "json":
      return parseJson(text);
  }
}

/** Decimal, and nothing around it but spaces. */
export function parseNumber(text: string): number | undefined {
  return /^\s*[+-]?\d+(\.\d+)?\s*$/.test(text) ? Number(text) : undefined;
}

export function parseBoolean(text: string): boolean | undefined {
  const word = text.trim().toLowerCase();
  if (["true", "1", "yes", "on"].includes(word)) return true;
  return ["false", "0", "no", "off"].includes(word) ? false : undefined;
}

/** The parser's own message is dropped: it quotes the text, which may hold a secret. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return Unparseable;
  }
}

/** For `JSON.stringify`: JSON has no infinity, so the configuration spells it "unlimited". */
export function encodeUnlimited(_key: string, value: unknown): unknown {
  return value === Number.POSITIVE_INFINITY ? "unlimited" : value;
}
