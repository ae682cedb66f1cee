/** `fanfare webhooks`: those that no receiver took in time. */

import type { Command } from "commander";
import { type Claimed, Outbox } from "../../observers/webhooks/outbox.ts";
import { addDatabaseFlags, withDatabase } from "../database.ts";
import { CliError } from "../errors.ts";
import { printable } from "../output.ts";

interface FailedOptions {
  readonly app?: string;
  readonly limit: string;
  readonly json?: true;
}

export function addWebhooks(program: Command): void {
  const group = program
    .command("webhooks")
    .description("look at webhooks that were not delivered, and send them again");
  addFailed(group);
  addReplay(group);
}

function addFailed(group: Command): void {
  const command = group.command("failed").description("list the dead letters, newest first");
  addDatabaseFlags(command)
    .option("--app <id>", "only those of this app")
    .option("--limit <number>", "most that are listed", "100")
    .option("--json", "print JSON")
    .addHelpText("after", "\nExample:\n  $ fanfare webhooks failed --app shop")
    .action(async () => {
      const { app, limit, json } = command.opts<FailedOptions>();
      const most = numberIn(limit, "--limit");
      const letters = await withOutbox(command, (outbox) => outbox.failed(most, app));
      if (json) return console.log(JSON.stringify(letters, undefined, 2));
      if (letters.length === 0) console.log("there are none");
      for (const letter of letters) console.log(lineOf(letter));
    });
}

function addReplay(group: Command): void {
  const command = group
    .command("replay")
    .description("send dead letters again: these, or all of them with --all")
    .argument("[ids...]", "their numbers, as `fanfare webhooks failed` lists them");
  addDatabaseFlags(command)
    .option("--all", "all of them")
    .addHelpText("after", "\nExample:\n  $ fanfare webhooks replay 17 18\n  $ fanfare webhooks replay --all")
    .action(async (ids: readonly string[]) => {
      const { all } = command.opts<{ all?: true }>();
      if (all ? ids.length > 0 : ids.length === 0) throw new CliError("say which: their numbers, or --all");
      const wanted = all ? undefined : ids.map((id) => numberIn(id, "a letter"));
      const count = await withOutbox(command, (outbox) => outbox.replay(Date.now(), wanted));
      console.log(`${count} ${count === 1 ? "goes" : "go"} out again, by a server that runs on this database`);
    });
}

function withOutbox<T>(command: Command, act: (outbox: Outbox) => Promise<T>): Promise<T> {
  return withDatabase(command, ({ database }) => act(new Outbox(database, "cli", 0)));
}

function lineOf({ id, app, channel, target, event, attempts, createdAtMs, lastError }: Claimed): string {
  const when = new Date(createdAtMs).toISOString();
  const words = [String(id), when, app, channel, target, `${attempts} attempts`, lastError ?? "", event];
  return words.map(printable).join("\t");
}

function numberIn(text: string, what: string): number {
  if (/^\d{1,15}$/.test(text) && Number(text) > 0) return Number(text);
  throw new CliError(`${what} has to be a whole number from 1 up, but is ${printable(JSON.stringify(text))}`);
}
