/** Whether a text is JSON, and where it stops being so, in words for whoever is typing it. */

import { size } from "./show.ts";

export type Finding =
  | { readonly is: "empty"; readonly says: string }
  | { readonly is: "json"; readonly says: string; readonly pretty: string }
  /** `at` is the place of the first mistake, in characters, where the browser tells. */
  | { readonly is: "text"; readonly says: string; readonly at?: number };

export function lookAt(text: string): Finding {
  if (text.trim() === "") return { is: "empty", says: "Empty: sent as an empty text." };
  try {
    const value: unknown = JSON.parse(text);
    const bytes = new TextEncoder().encode(text).length;
    return { is: "json", says: `JSON ${kindOf(value)}, ${size(bytes)}`, pretty: JSON.stringify(value, null, 2) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const at = placeIn(message, text);
    if (at === undefined) return { is: "text", says: `Not JSON: ${message}. It would be sent as a text.` };
    const before = text.slice(0, at).split("\n");
    const column = (before.at(-1)?.length ?? 0) + 1;
    return { is: "text", says: `Not JSON: line ${before.length}, column ${column}. It would be sent as a text.`, at };
  }
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

/** Each browser says it in its own way. */
function placeIn(message: string, text: string): number | undefined {
  const position = /position (\d+)/.exec(message)?.[1];
  if (position !== undefined) return Number(position);
  const [, line, column] = /line (\d+) column (\d+)/.exec(message) ?? [];
  if (line !== undefined && column !== undefined) {
    const before = text.split("\n").slice(0, Number(line) - 1);
    return before.reduce((sum, it) => sum + it.length + 1, 0) + Number(column) - 1;
  }
  return /end of (?:JSON )?(?:input|data)|EOF/i.test(message) ? text.length : undefined;
}
