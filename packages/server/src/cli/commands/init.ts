/** `fanfare init`: writes a configuration file with every setting explained and one app with keys of its own. */

import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { errorReason } from "../../config/config-error.ts";
import { FILE_NAMES } from "../../config/config-file.ts";
import { appVariablesHere } from "../../config/load.ts";
import { CliError } from "../errors.ts";
import { type Format, render } from "../init/render.ts";

interface InitOptions {
  readonly format: Format;
  readonly force?: boolean;
}

/** Gives the text to print. */
export async function init({ format, force = false }: InitOptions): Promise<string> {
  const name = `fanfare.config.${format}`;
  const other = FILE_NAMES.find((one) => one !== name && existsSync(one));
  if (other !== undefined) {
    throw new CliError(`there is ${other} already, and there may be only one: change that, or remove it first`);
  }
  const app = { id: "my-app", name: "My app", key: token(10), secret: token(20) };
  const [there] = appVariablesHere(process.env, process.cwd());
  await write(name, render(format, app, there === undefined), force);
  const comments = format === "json" ? ["JSON has no comments: docs/configuration.md explains each setting."] : [];
  const summary =
    there === undefined
      ? [
          `wrote ${name}, with every setting at its default and one app:`,
          "",
          `  id      ${app.id}`,
          `  key     ${app.key}`,
          `  secret  in the file; keep it out of version control`,
        ]
      : [
          `wrote ${name}, with every setting at its default and no app:`,
          `${there} in the environment make one already.`,
        ];
  return [
    ...summary,
    "",
    ...comments,
    "Next: start the server with `fanfare serve`, and send an event with",
    `  fanfare publish news hello '{"text":"Hello"}'`,
  ].join("\n");
}

function token(bytes: number): string {
  return randomBytes(bytes).toString("hex");
}

/** For its owner alone: there is a secret in it. Whole or not at all: half a file would keep the server from starting. */
async function write(name: string, text: string, force: boolean): Promise<void> {
  if (!force && existsSync(name)) throw new CliError(`there is ${name} already: overwrite it with --force`);
  const aside = `${name}.${token(4)}`;
  try {
    await writeFile(aside, text, { mode: 0o600, flag: "wx" });
    await rename(aside, name);
  } catch (error) {
    await rm(aside, { force: true });
    throw new CliError(`cannot write ${name}: ${errorReason(error)}`);
  }
}
