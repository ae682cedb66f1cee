/**
 * Brings the reference in docs/clients.md up to date with the client's doc comments: `npm run generate`. What is between
 * `<!-- reference NAME -->` and `<!-- end -->` is generated, the rest is written by hand. A test fails when it is stale.
 */

import { readFileSync } from "node:fs";

export const DOCUMENT = new URL("../docs/clients.md", import.meta.url);
const SOURCES = ["types.ts", "tuning.ts", "iterate.ts", "nodes.ts", "session-positions.ts"].map(
  (name) => new URL(`../packages/client/src/${name}`, import.meta.url),
);

const BLOCK = /(<!-- reference (\w+) -->\n)[\s\S]*?(\n?<!-- end -->)/g;
const INTERFACE = /(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n)?export interface (\w+)[^{]*\{\n([\s\S]*?)\n\}/g;
/** A comment, if there is one, and what it is about: up to the semicolon that ends it at this depth. */
const MEMBER = /^ {2}(?:\/\*\*([\s\S]*?)\*\/\n {2})?(?!\/\*\*)(\S[\s\S]*?);$/gm;

interface Shape {
  readonly comment: string;
  readonly members: readonly (readonly [signature: string, comment: string])[];
}

/** The document with its generated parts as the sources have them now. */
export function renderReference(document: string): string {
  const shapes = readShapes(SOURCES.map((source) => readFileSync(source, "utf8")).join("\n"));
  return document.replaceAll(BLOCK, (_all, start: string, name: string) => {
    const shape = shapes.get(name);
    if (!shape) throw new Error(`The client exports no interface ${name}.`);
    return `${start}\n${render(shape)}\n\n<!-- end -->`;
  });
}

export function readShapes(source: string): ReadonlyMap<string, Shape> {
  const shapes = new Map<string, Shape>();
  for (const [, comment = "", name = "", body = ""] of source.matchAll(INTERFACE)) {
    const members = Array.from(
      body.matchAll(MEMBER),
      ([, about = "", signature = ""]) => [onOneLine(signature), prose(about)] as const,
    );
    shapes.set(name, { comment: prose(comment), members });
  }
  return shapes;
}

function render({ comment, members }: Shape): string {
  const rows = members.map(
    ([signature, about]) => `| \`${signature.replaceAll("|", "\\|")}\` | ${about.replaceAll("|", "\\|")} |`,
  );
  return [...(comment === "" ? [] : [comment, ""]), "| | |", "|---|---|", ...rows].join("\n");
}

/** As it would be written on one line, and without what only the compiler needs. */
function onOneLine(signature: string): string {
  return signature
    .replaceAll(/\s+/g, " ")
    .replaceAll(/, \)/g, ")")
    .replaceAll("( ", "(")
    .replaceAll(" | undefined", "")
    .replaceAll("readonly ", "");
}

function prose(comment: string): string {
  return comment.replaceAll(/\s*\n\s*\*\s?/g, " ").trim();
}

if (process.argv.includes("--write")) {
  await Bun.write(DOCUMENT, renderReference(await Bun.file(DOCUMENT).text()));
}
