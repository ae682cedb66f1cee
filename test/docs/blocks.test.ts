/** Every block of every document is in the language that it says, and can be read as such. What TypeScript and JavaScript mean is in snippets.test.ts. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { compile as compileSvelte } from "svelte/compiler";
import { compileScript, compileTemplate, parse as parseVue } from "vue/compiler-sfc";
import { external } from "../support/external.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { allBlocks } from "./blocks.ts";

setDefaultTimeout(30_000);

/** Each throws if it cannot. */
const READERS: Readonly<Record<string, (text: string) => unknown>> = {
  ts: (text) => new Bun.Transpiler({ loader: "ts" }).transformSync(asProgram(text)),
  tsx: (text) => new Bun.Transpiler({ loader: "tsx" }).transformSync(text),
  js: (text) => new Bun.Transpiler({ loader: "js" }).transformSync(text),
  jsx: (text) => new Bun.Transpiler({ loader: "jsx" }).transformSync(text),
  vue: readVue,
  svelte: (text) => compileSvelte(text, { generate: "client" }),
  json: readJson,
  yaml: Bun.YAML.parse,
  ini: readEnvironment,
  php: (text) => check([external("php"), "-l"], withOpeningTag(text)),
  sh: readShell,
  console: (text) => readShell(commandsIn(text)),
  sql: readSql,
  html: readHtml,
  // Frames, trees of files, and what a program prints.
  text: () => undefined,
};

const blocks = allBlocks();

test("there are many blocks, and each says its language", () => {
  expect(blocks.length).toBeGreaterThan(200);
  const unknown = blocks.filter(({ language }) => !Object.hasOwn(READERS, language));
  expect(unknown.map(({ document, line, language }) => `${document}:${line} ${language}`)).toEqual([]);
});

describe.each(Object.keys(READERS))("%s", (language) => {
  test.each(
    blocks
      .filter((block) => block.language === language)
      .map((block) => [`${block.document}:${block.line}`, block.text] as const),
  )("%s can be read", (_, text) => void READERS[language]?.(text));
});

test("what is wrong in a language is found", () => {
  const wrong = {
    ts: "const = 1",
    vue: "<template><p></template>",
    json: '{"a":}',
    yaml: "a: [",
    ini: "a b",
    php: "echo 'a",
    sh: "if",
    console: "$ 'a\na",
    sql: "selekt 1;",
    html: "<p><b></p>",
  };
  for (const [language, text] of Object.entries(wrong)) expect(() => READERS[language]?.(text), language).toThrow();
});

function refuse(complaints: readonly unknown[]): void {
  if (complaints.length > 0) throw new Error(complaints.join("\n"));
}

/** A part of a configuration: `log: { … }`. */
function asProgram(text: string): string {
  return /^\w+: /.test(text) ? `({ ${text} })` : text;
}

function readVue(text: string): void {
  const { descriptor, errors } = parseVue(text);
  const script = compileScript(descriptor, { id: "block" });
  const template =
    descriptor.template && compileTemplate({ id: "block", filename: "block.vue", source: descriptor.template.content });
  refuse([...errors, ...(template?.errors ?? []), ...(script.warnings ?? [])]);
}

/** One value, or one on each line. */
function readJson(text: string): void {
  try {
    JSON.parse(text);
  } catch (error) {
    const lines = text.trim().split("\n");
    if (lines.length === 1) throw error;
    for (const line of lines) JSON.parse(line);
  }
}

function readEnvironment(text: string): void {
  refuse(text.split("\n").filter((line) => !/^(?:[A-Z][A-Z0-9_]*=(?:"[^"]*"|[^\s"']*)|#.*|)$/.test(line)));
}

function withOpeningTag(text: string): string {
  if (text.startsWith("<?php")) return text;
  // An entry of a configuration that returns an array.
  return /^'[\w-]+' => /.test(text) ? `<?php return [${text}];` : `<?php ${text}`;
}

function readShell(text: string): void {
  check(["bash", "-n"], text);
}

/** What is typed: the lines with a prompt. */
function commandsIn(text: string): string {
  const typed = text.split("\n").filter((line) => /^[$>] /.test(line));
  if (typed.length === 0) throw new Error("nothing is typed in it");
  return typed.map((line) => line.slice(2)).join("\n");
}

function readSql(text: string): void {
  const statements = text
    .replaceAll(/--.*$/gm, "")
    .split(";")
    .map((one) => one.trim())
    .filter(Boolean);
  refuse(statements.filter((one) => !/^(?:begin|commit|update \w+ set|select|call|insert into)\b/.test(one)));
}

function readHtml(text: string): void {
  const open: string[] = [];
  for (const [tag, slash, name = ""] of text.matchAll(/<(\/?)([a-z][\w-]*)[^>]*>/g)) {
    if (slash && open.pop() !== name) refuse([`${tag} ends nothing`]);
    if (!slash) open.push(name);
  }
  refuse(open);
}

function check(command: readonly [string, ...string[]], text: string): void {
  const file = join(temporaryFolder(), "block");
  writeFileSync(file, text);
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command, file]);
  if (exitCode !== 0) throw new Error(`${stdout}${stderr}`);
}
