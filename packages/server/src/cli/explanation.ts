/** Shows an explanation of a signature: the string, the signature, and what differs in the one that was given. */

import { type Explanation, firstDifference, type Verdict } from "../protocols/pusher/explain/explanation.ts";
import { printable, printableLines, type Row, table } from "./output.ts";

export function explanationText({ text, signature, verdict }: Explanation, more: readonly Row[]): string {
  const rows: readonly Row[] = [["signed string", escaped(text)], ["signature", signature], ...more];
  const lines = [...table(rows, { indent: 0, gap: 3 }), "", "the string as it is:", printableLines(text)];
  return [...lines, ...(verdict === undefined ? [] : ["", ...verdictLines(verdict, text)])].join("\n");
}

function verdictLines({ accepted, findings, signedText, notes }: Verdict, text: string): string[] {
  const noted = notes.map((note) => `note: ${printable(note)}`);
  if (accepted) return ["the given signature is right", ...noted];
  const found = table(findings.map(({ part, says }) => [part, says]));
  return ["the given signature does not match:", ...found, ...comparison(signedText, text), ...noted];
}

/** The two strings one below the other, with a mark where they differ first. */
function comparison(signed: string | undefined, right: string): string[] {
  if (signed === undefined) return [];
  const same = firstDifference(signed, right);
  const mark = " ".repeat(escaped(right.slice(0, same)).length - 1);
  return [
    "",
    ...table(
      [
        ["signed was", escaped(signed)],
        ["it has to be", escaped(right)],
        ["", `${mark}^`],
      ],
      { gap: 3 },
    ),
  ];
}

function escaped(text: string): string {
  return JSON.stringify(text);
}
