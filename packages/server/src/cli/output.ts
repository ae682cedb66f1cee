/** What commands print: a text, or with `--json` a value; tables of two columns; numbers as people read them. */

import { encodeUnlimited } from "../config/parse-value.ts";

/** `text` for people, `json` where `--json` was given. */
export interface Report {
  readonly json: unknown;
  readonly text: string;
  readonly exitCode?: number;
}

/** What a command gives back to be printed. */
export type Output = string | Report | undefined;

export function print(output: Output, asJson: boolean): void {
  if (output === undefined) return;
  if (typeof output === "string") return console.log(output);
  console.log(asJson ? JSON.stringify(output.json, encodeUnlimited, 2) : output.text);
  if (output.exitCode !== undefined) process.exitCode = output.exitCode;
}

export type Row = readonly [label: string, value: string];

/** Label and value, the values below each other; `width` is the least that a label takes. */
export function table(rows: readonly Row[], { indent = 2, gap = 2, width = 0 } = {}): string[] {
  const column = Math.max(width, ...rows.map(([label]) => printable(label).length + gap));
  return rows.map(([label, value]) =>
    `${" ".repeat(indent)}${printable(label).padEnd(column)}${printable(value)}`.trimEnd(),
  );
}

/** 1,234 */
export function grouped(count: number): string {
  return count.toLocaleString("en-US");
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** With control characters escaped: a text from elsewhere must not move the cursor of the terminal that shows it. */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** The same, where the text may have several lines. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}
