/** Colours JSON and short pieces of code, by wrapping what stands out in spans. */

import { make } from "./dom.ts";

const TOKEN = new RegExp(
  [
    String.raw`(?<comment>(?<!:)\/\/[^\n]*|^#[^\n]*)`,
    String.raw`(?<text>"(?:\\.|[^"\\\n])*"|'[^'\n]*')(?<key>\s*:)?`,
    String.raw`\b(?<word>const|await|import|from|new|async|true|false|null)\b`,
    String.raw`(?<number>-?\b\d+(?:\.\d+)?\b)`,
  ].join("|"),
  "gm",
);

/** The text in coloured parts. */
export function painted(text: string): (Node | string)[] {
  const parts: (Node | string)[] = [];
  let done = 0;
  for (const match of text.matchAll(TOKEN)) {
    const { comment, text: quoted, key, word } = match.groups ?? {};
    const token = quoted ?? match[0];
    const kind = comment ? "comment" : quoted ? (key === undefined ? "text" : "key") : word ? "word" : "number";
    parts.push(text.slice(done, match.index), make("span", `t-${kind}`, token));
    done = match.index + token.length;
  }
  return [...parts, text.slice(done)];
}
