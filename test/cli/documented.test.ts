/** docs/cli.md against the program: every command is in it, and every example in it is one the program takes. */

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Command } from "commander";
import { buildProgram } from "../../packages/server/src/cli/program.ts";
import { allBlocks } from "../docs/blocks.ts";

const text = await Bun.file(join(import.meta.dir, "../../docs/cli.md")).text();
const program = await buildProgram();
const commands = leaves(program, "fanfare");
const examples = [...text.matchAll(/^\$ (.*)$/gm)].map(([, line = ""]) => line);
/** In blocks of other documents, up to a comment or the next command. */
const elsewhere = allBlocks()
  .filter(({ document, language }) => document !== "docs/cli.md" && ["sh", "console"].includes(language))
  .flatMap(({ document, text }) =>
    Array.from(
      text.matchAll(/(?:^|[(&|] ?|\bnpx )(fanfare [a-z][^|&)]*?)(?= +#|$| [|&]|\))/gm),
      ([, line = ""]) => `${document}: ${line}`,
    ),
  );

/** Each command that does something, under its full name. */
function leaves(command: Command, name: string): (readonly [string, Command])[] {
  const own = command.registeredArguments.length > 0 || command.commands.length === 0 || command.name() === "token";
  const below = command.commands.flatMap((one) => leaves(one, `${name} ${one.name()}`));
  return own ? [[name, command] as const, ...below] : below;
}

/** As a shell would split it, as far as the examples go. */
function wordsOf(line: string): string[] {
  const words = line.match(/'[^']*'|"[^"]*"|[^\s'"]+/g) ?? [];
  return words.map((word) => word.replace(/^(['"])(.*)\1$/, "$2"));
}

function commandOf(words: readonly string[]): readonly [Command, readonly string[]] {
  let [command, rest] = [program, words];
  while (true) {
    const next = command.commands.find((one) => one.name() === rest[0]);
    if (next === undefined) return [command, rest];
    [command, rest] = [next, rest.slice(1)];
  }
}

describe("docs/cli.md", () => {
  test("has more than a few commands to be held against", () => {
    expect(commands.length).toBeGreaterThan(10);
    expect(examples.length).toBeGreaterThan(commands.length);
  });

  test.each(commands.map(([name]) => name))("has %s in its table, under a heading, with an example", (name) => {
    expect(text).toContain(`| [\`${name}\`](#${name.replaceAll(" ", "-")}) |`);
    expect(text).toContain(`\n### ${name}\n`);
    const own = examples.filter((line) => line.includes(name));
    expect(own.length).toBeGreaterThan(0);
  });

  test("names no command that there is not", () => {
    const named = [...text.matchAll(/^### (fanfare .*)$/gm)].map(([, name]) => name);
    expect(named.toSorted()).toEqual(commands.map(([name]) => name).toSorted());
  });

  test.each([...examples, ...elsewhere])("%s is a line that the program takes", (line) => {
    const [, inner = ""] = /fanfare ([^>)]*)/.exec(line) ?? [];
    const [command, rest] = commandOf(wordsOf(inner));
    expect(command).not.toBe(program);
    const known = [...command.options, ...(command.parent?.options ?? [])];
    const flags = rest.filter((word) => /^--/.test(word));
    for (const flag of flags) expect(known.map(({ long }) => long)).toContain(flag);
    const values = known.filter(({ required }) => required).map(({ long }) => long ?? "");
    const operands = rest.filter((word, index) => !word.startsWith("--") && !values.includes(rest[index - 1] ?? ""));
    const needed = command.registeredArguments.filter(({ required }) => required).length;
    expect(operands.length).toBeGreaterThanOrEqual(needed);
    const takesAny = command.registeredArguments.some(({ variadic }) => variadic);
    expect(operands.length).toBeLessThanOrEqual(takesAny ? operands.length : command.registeredArguments.length);
  });
});

describe("the help of", () => {
  test.each(commands)("%s says what it is for and gives an example", (_name, command) => {
    let help = "";
    command.configureOutput({ writeOut: (part) => (help += part) }).outputHelp();
    expect(command.description()).not.toBe("");
    expect(help).toMatch(/\nExamples?:\n {2}\$ .*fanfare /);
  });
});
