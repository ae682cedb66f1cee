/** The guides of docs/from: their tables row by row, and what is quoted in them. */

import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../support/temporary-folder.ts";

export const DOCS = join(import.meta.dir, "..", "..", "docs");
const FOLDER = join(DOCS, "from");

export interface Row {
  readonly theirs: string;
  readonly ours: string;
  readonly remark: string;
}

export interface Guide {
  readonly name: string;
  readonly text: string;
  readonly rows: readonly Row[];
}

export const GUIDES: readonly Guide[] = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".md"))
  .sort()
  .map((name) => {
    const text = readFileSync(join(FOLDER, name), "utf8");
    return { name, text, rows: rowsOf(text) };
  });

/** Every row of every table, without heads and rules. */
function rowsOf(text: string): Row[] {
  const lines = text.split("\n").filter((line) => line.startsWith("| "));
  return lines
    .map((line) => line.slice(1).split("|"))
    .map(([theirs = "", ours = "", remark = ""]) => ({
      theirs: theirs.trim(),
      ours: ours.trim(),
      remark: remark.trim(),
    }))
    .filter(({ remark, ours }) => remark !== "what differs" && !/^-+$/.test(ours));
}

/** A guide's blocks of one language, those inside its list of steps too. */
export function blocksIn(guide: string, language: string): string[] {
  const { text = "" } = GUIDES.find(({ name }) => name === `${guide}.md`) ?? {};
  const fence = new RegExp(`^( *)\`\`\`${language}\\n([^]*?)^ *\`\`\`$`, "gm");
  return [...text.matchAll(fence)].map(([, indent = "", block = ""]) =>
    block.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
  );
}

/** A folder in which `fanfare` can be imported, with these files in it. */
export function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(join(DOCS, "..", "packages", "server"), join(folder, "node_modules", "fanfare"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

/** What stands between backticks. */
export function quoted(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, inner = ""]) => inner);
}

/** The kinds of quotation, each of which has a test of its own; the first that fits counts. */
const KINDS = {
  command: /^fanfare /,
  route: /^(?:GET|POST|WS) \//,
  variable: /^(?:[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?:=\S+)?|PORT)$/,
  call: /^(?:server|connection|socket|endpoint)\./,
  options: /^createServer\(/,
  client: /^(?:client\.|createClient\(|nodes\()/,
  frame: /^\{"event"/,
  pusherEvent: /^pusher(?:_internal)?:/,
  callback: /^on[A-Z]\w*$/,
  setting: /^[a-z]\w*(?:\[\])?(?:\.\w+(?:\[\])?)*(?:: \S+)?$/,
} as const;

export type Kind = keyof typeof KINDS;

export function kindOf(quotation: string): string | undefined {
  return Object.entries(KINDS).find(([, kind]) => kind.test(quotation))?.[0];
}

/** Each distinct quotation in the middle column, of one kind or of all. */
export function quotations(kind?: Kind): string[] {
  const all = GUIDES.flatMap(({ rows }) => rows.flatMap(({ ours }) => quoted(ours)));
  return [...new Set(all)].filter((one) => kind === undefined || kindOf(one) === kind);
}
