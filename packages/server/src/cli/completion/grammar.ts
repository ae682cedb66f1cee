/** What can be typed: the commands of the program with their options and choices, as completion scripts need them. */

import type { Argument, Command, Option } from "commander";

export interface Place {
  /** The words that lead here: `[]`, `["token"]`, `["token", "inspect"]`. */
  readonly words: readonly string[];
  readonly commands: readonly Word[];
  readonly options: readonly Choice[];
  /** What the first argument may be, where that is known. */
  readonly choices: readonly string[];
}

export interface Word {
  readonly name: string;
  readonly says: string;
}

/** One option under all its names. */
export interface Choice extends Word {
  readonly names: readonly string[];
  /** Whether the next word is its value. */
  readonly takes: "nothing" | "file" | "one of" | "something";
  readonly choices: readonly string[];
}

/** Every place, the program itself first. */
export function places(program: Command): Place[] {
  return placesOf(program, [], []);
}

function placesOf(command: Command, words: readonly string[], inherited: readonly Option[]): Place[] {
  const help = command.createHelp();
  const commands = help.visibleCommands(command);
  const start = command.commands.find((one) => one.name() === "serve");
  // What is typed in front of any command is for the default one, unless it is the program's own.
  const own = [
    ...help.visibleOptions(command),
    // The help of `serve` shows only some.
    ...command.options,
    ...(words.length === 0 && start ? [...start.options] : []),
    ...inherited,
  ];
  const place: Place = {
    words,
    commands: commands.map((one) => ({ name: one.name(), says: one.description() })),
    options: distinct(own).map(choiceOf),
    choices: choicesOf(command.registeredArguments[0]),
  };
  // `token inspect` takes the options of `token` too; those of the program are for itself.
  const handed = words.length === 0 ? [] : command.options;
  const below = commands.flatMap((one) => placesOf(one, [...words, one.name()], handed));
  // After `help` comes the name of what is beside it.
  const names = place.commands.map(({ name }) => name).filter((name) => name !== "help");
  return [place, ...below.map((one) => (isHelpAt(one, words) ? { ...one, choices: names } : one))];
}

function isHelpAt(place: Place, words: readonly string[]): boolean {
  return place.words.length === words.length + 1 && place.words.at(-1) === "help";
}

function choiceOf(option: Option): Choice {
  const names = [option.long, option.short].filter((name) => name !== undefined && name !== null);
  const choices = option.argChoices ?? [];
  return {
    name: names[0] ?? "",
    names,
    says: sentenceOf(option.description),
    takes: takenBy(option, choices),
    choices,
  };
}

/** A value that may be left out is never completed in place of the next option. */
function takenBy({ flags, required }: Option, choices: readonly string[]): Choice["takes"] {
  if (!required) return "nothing";
  if (choices.length > 0) return "one of";
  return /<[^>]*file>/.test(flags) ? "file" : "something";
}

function choicesOf(argument: Argument | undefined): readonly string[] {
  return argument?.argChoices ?? [];
}

/** The first sentence is enough beside a word. */
function sentenceOf(text: string): string {
  return text.split(/(?<=[.;:])\s|\s\(/, 1)[0]?.replace(/[.;:]$/, "") ?? "";
}

function distinct(options: readonly Option[]): Option[] {
  const seen = new Set<string>();
  return options.filter(({ long, short }) => {
    const name = long ?? short ?? "";
    return !seen.has(name) && seen.add(name);
  });
}
