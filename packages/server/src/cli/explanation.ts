/** Shows an explanation of a signature: the string, the signature, and what differs in somebody else's. */

import { type Explanation, firstDifference, type Verdict } from "../protocols/pusher/explain/explanation.ts";
import { printable, printableLines } from "./output.ts";

/** `more` are further lines of the form label and value. */
export function explanationText(explanation: Explanation, more: readonly (readonly [string, string])[]): string {
  const { text, signature, verdict } = explanation;
  const rows = [["signed string", escaped(text)] as const, ["signature", signature] as const, ...more];
  const lines = rows.map(([label, value]) => `${label.padEnd(WIDTH)}${printable(value)}`);
  const raw = ["", "the string as it is:", printableLines(text)];
  return [...lines, ...raw, ...(verdict === undefined ? [] : ["", ...verdictLines(verdict, text)])].join("\n");
}

const WIDTH = 16;

function verdictLines({ accepted, findings, signedText, notes }: Verdict, text: string): string[] {
  const noted = notes.map((note) => `note: ${printable(note)}`);
  if (accepted) return ["the given signature is right", ...noted];
  const width = Math.max(...findings.map(({ part }) => part.length)) + 2;
  const found = findings.map(({ part, says }) => `  ${part.padEnd(width)}${printable(says)}`);
  return ["the given signature does not match:", ...found, ...comparison(signedText, text), ...noted];
}

/** The two strings one below the other, with a mark where they part. */
function comparison(signed: string | undefined, right: string): string[] {
  if (signed === undefined) return [];
  const same = firstDifference(signed, right);
  const mark = " ".repeat(escaped(right.slice(0, same)).length - 1);
  return [
    "",
    `  signed was     ${printable(escaped(signed))}`,
    `  it has to be   ${printable(escaped(right))}`,
    `                 ${mark}^`,
  ];
}

function escaped(text: string): string {
  return JSON.stringify(text);
}
