/** `fanfare completion`: the scripts are run by the shells they are for. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { candidates, completionScript } from "../../packages/server/src/cli/completion.ts";
import { buildProgram } from "../../packages/server/src/cli/program.ts";
import { external } from "../support/external.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { run } from "./run.ts";

setDefaultTimeout(30_000);

const program = await buildProgram();
const folder = temporaryFolder();
const bashFile = join(folder, "fanfare.bash");
const zshFile = join(folder, "_fanfare");
writeFileSync(bashFile, completionScript({}, "bash"));
writeFileSync(zshFile, completionScript({}, "zsh"));
/** What the scripts ask. */
const main = join(import.meta.dir, "../../packages/server/src/cli/main.ts");
writeFileSync(join(folder, "fanfare"), `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@"\n`, { mode: 0o755 });
const env = { ...process.env, PATH: `${folder}:${process.env.PATH}` };

const DRIVER = `
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
_fanfare
printf '%s\\n' "\${COMPREPLY[@]}"`;

/** What bash offers for the last word. */
function inBash(...words: string[]): string[] {
  const { stdout, stderr } = Bun.spawnSync(["bash", "-c", DRIVER, "bash", bashFile, "fanfare", ...words], {
    cwd: folder,
    env,
  });
  expect(stderr.toString()).toBe("");
  return stdout
    .toString()
    .split("\n")
    .filter((line) => line !== "");
}

/** The command that these words lead to. */
function commandAt(words: readonly string[]): Command {
  return words.reduce((command, word) => command.commands.find((one) => one.name() === word) ?? command, program);
}

/** The commands below it, with that for help where it has one. */
function names(words: readonly string[]): string[] {
  const command = commandAt(words);
  return command
    .createHelp()
    .visibleCommands(command)
    .map((one) => one.name());
}

function everyCommand(command: Command, words: readonly string[] = []): (readonly [string[], Command])[] {
  const below = command.commands.flatMap((one) => everyCommand(one, [...words, one.name()]));
  return [[[...words], command], ...below];
}

describe("in bash", () => {
  test("the commands of the program are offered, and those of each command", () => {
    expect(names([])).toContain("serve");
    expect(inBash("")).toEqual(names([]));
    expect(inBash("sign", "")).toEqual(names(["sign"]));
    expect(inBash("sign", "re")).toEqual(["request"]);
    expect(inBash("help", "tok")).toEqual(["token"]);
  });

  test("every option of every command is offered", () => {
    for (const [words, command] of everyCommand(program)) {
      const offered = candidates(program, [...words, "-"]).map((line) => line.split("\t", 1)[0]);
      const flags = command.options.flatMap(({ long, short }) => [long, short]).filter((name) => name !== undefined);
      expect(offered).toEqual(expect.arrayContaining([...flags, "--help", "-h"]));
    }
    expect(inBash("sign", "user", "--s")).toEqual(["--signature", "--secret"]);
  });

  test.each([
    [
      ["init", "--format", ""],
      ["ts", "json", "yaml", "toml"],
    ],
    [
      ["init", "--format", "=", "t"],
      ["ts", "toml"],
    ],
    [
      ["init", "--format", "="],
      ["ts", "json", "yaml", "toml"],
    ],
    [["serve", "--log-level", "d"], ["debug"]],
    [["--log-level", "d"], ["debug"]],
    [
      ["completion", ""],
      ["bash", "zsh", "fish"],
    ],
    [["listen", "news", "--ap"], ["--app"]],
    [["token", "inspect", "--ap"], ["--app"]],
    [["token", "--user", ""], []],
    [["serve", "--strict-protocol", "--log-l"], ["--log-level"]],
  ])("%j is completed", (words, offered) => {
    expect(inBash(...words)).toEqual(offered);
  });

  test("files are offered where a file is named", () => {
    writeFileSync(join(folder, "some.yaml"), "");
    expect(inBash("serve", "--config", "so")).toEqual(["some.yaml"]);
    expect(inBash("listen", "-c", "so")).toEqual(["some.yaml"]);
  });

  test("the script announces itself", () => {
    const { stdout } = Bun.spawnSync(["bash", "-c", `source "$1"; complete -p fanfare`, "bash", bashFile]);
    expect(stdout.toString()).toBe("complete -F _fanfare fanfare\n");
  });
});

/** Types each line into an interactive zsh with a tab behind it, and has the shell write down what it made of it. */
const ZSH_DRIVER = `
zmodload zsh/zpty zsh/zselect
script=$1 answers=$2; shift 2
: > $answers
zpty shell zsh -f -i
zpty -w shell "PS1=; autoload -Uz compinit; compinit -u -D; source $script"
zpty -w shell "answer() { print -r -- \\"\\$BUFFER\\" >> $answers; BUFFER= }; zle -N answer; bindkey '^T' answer; print ready >> $answers"
wait_for() {
  local round
  for ((round = 0; round < 1500; round++)); do
    zpty -r -t shell >/dev/null
    [ $(wc -l < $answers) -ge $1 ] && return
    zselect -t 1
  done
  exit 1
}
wait_for 1
count=1
for line in "$@"; do
  zpty -w -n shell "$line"$'\\t'
  zpty -w -n shell $'\\C-t'
  wait_for $((++count))
done
zpty -d shell`;

describe("in zsh", () => {
  const zsh = external("zsh");

  test("the script is valid", () => {
    const { exitCode, stderr } = Bun.spawnSync([zsh, "-n", zshFile]);
    expect({ exitCode, stderr: stderr.toString() }).toEqual({ exitCode: 0, stderr: "" });
  });

  test("commands, options, choices and files are completed as they are typed", () => {
    const typed: Readonly<Record<string, string>> = {
      "fanfare sig": "fanfare sign ",
      "fanfare sign req": "fanfare sign request ",
      "fanfare token ins": "fanfare token inspect ",
      "fanfare init --format y": "fanfare init --format yaml ",
      "fanfare serve --log-le": "fanfare serve --log-level ",
      "fanfare --log-level si": "fanfare --log-level silent ",
      "fanfare config check --conf": "fanfare config check --config ",
      "fanfare serve --config some.y": "fanfare serve --config some.yaml ",
      "fanfare completion z": "fanfare completion zsh ",
      "fanfare help tok": "fanfare help token ",
      "fanfare qq": "fanfare qq",
    };
    writeFileSync(join(folder, "some.yaml"), "");
    const answers = join(folder, "answers");
    const command = [zsh, "-f", "-c", ZSH_DRIVER, "zsh", zshFile, answers, ...Object.keys(typed)];
    const { exitCode } = Bun.spawnSync(command, { cwd: folder, env, timeout: 25_000 });
    expect(readFileSync(answers, "utf8").split("\n").slice(1, -1)).toEqual(Object.values(typed));
    expect(exitCode).toBe(0);
  });
});

test("fanfare completion prints the script of the shell", async () => {
  for (const shell of ["bash", "zsh", "fish"] as const) {
    expect((await run(["completion", shell])).stdout).toBe(`${completionScript({}, shell)}\n`);
  }
  const { code, stderr } = await run(["completion", "tcsh"]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^fanfare: .*'tcsh' is invalid.* Allowed choices are bash, zsh, fish\.\n$/);
});
