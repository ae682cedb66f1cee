/** Turns text from the environment or the command line into the value that the setting takes. */

import type { Setting } from "./tree.ts";

/** Stands for text that is no JSON where JSON is needed. */
export const Unreadable = Symbol("unreadable");

/** Text that does not fit stays as it is, so that the table refuses it and the message can show it. */
export function valueFrom(setting: Setting, text: string): unknown {
  switch (setting.facts.reads) {
    case "text":
      return text;
    case "number":
      return /^\s*[+-]?\d+(\.\d+)?\s*$/.test(text) ? Number(text) : text;
    case "switch":
      return SWITCHES.get(text.trim().toLowerCase()) ?? text;
    case "json":
      return fromJson(text);
  }
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
function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return Unreadable;
  }
}
