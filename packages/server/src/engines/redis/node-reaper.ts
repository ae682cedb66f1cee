/** Takes back what a node had: a dead one's, on its behalf, or this one's own at the end. In small steps, each of which may be the last. */

import type { RegistryChange } from "../../domain/ports.ts";
import { type ChannelRef, parseChannelKey } from "../shared/channels.ts";
import { asParts, parseChange, type RegistryScripts, type Writer } from "./registry-scripts.ts";
import { ENTRIES, FORGET_NODE, TAKE_BACK } from "./scripts/nodes.ts";
import type { Shard } from "./shard.ts";

export interface ReapOptions {
  readonly incarnation: string;
  readonly shards: readonly Shard[];
  readonly scripts: RegistryScripts;
  /** Asked before each step; false where another node has taken over. */
  mayContinue(): Promise<boolean>;
  report(changes: readonly RegistryChange[]): void;
}

/** Answers whether nothing is left of it. Throws where a shard cannot be reached; a later reaper goes on from there. */
export async function reapNode(options: ReapOptions): Promise<boolean> {
  const { incarnation, shards, mayContinue } = options;
  // The first shard is the last: it knows that there was such a node.
  for (const { commands } of shards.toReversed()) {
    const writer: Writer = { incarnation, run: (script, args) => commands.run(script, args) };
    let isLeft = true;
    while (isLeft) {
      if (!(await mayContinue())) return false;
      isLeft = await takeBackSome(writer, options);
    }
    await commands.run(FORGET_NODE, { incarnation });
  }
  return true;
}

/** Answers whether there was anything. */
async function takeBackSome(writer: Writer, options: ReapOptions): Promise<boolean> {
  const { run, incarnation } = writer;
  const [withPresence, changes, count] = asParts(await run(TAKE_BACK, { incarnation }));
  options.report(parseChanges(asParts(changes)));
  await Promise.all(asParts(withPresence).map((channel) => takeBackPresence(writer, String(channel), options)));
  return Number(count) > 0;
}

async function takeBackPresence(writer: Writer, channel: string, options: ReapOptions): Promise<void> {
  const ref = parseChannelKey(channel);
  while (ref) {
    const { incarnation } = writer;
    const entries = asParts(await writer.run(ENTRIES, { incarnation, channel })).map(String);
    if (entries.length === 0) return;
    options.report(await removeEntries(writer, ref, entries, options.scripts));
    if (!(await options.mayContinue())) return;
  }
}

/** `entries` are connections, each followed by its user. */
async function removeEntries(
  writer: Writer,
  { app, channel }: ChannelRef,
  entries: readonly string[],
  scripts: RegistryScripts,
): Promise<readonly RegistryChange[]> {
  const left: Promise<RegistryChange[]>[] = [];
  for (let at = 0; at + 1 < entries.length; at += 2) {
    const member = { id: entries[at + 1] ?? "" };
    const isLast = scripts.leave(writer, { app, channel, connection: entries[at] ?? "", member }, "dead");
    left.push(isLast.then((is) => (is === true ? [{ type: "left", app, channel, member }] : [])));
  }
  return (await Promise.all(left)).flat();
}

/** Of channels, each followed by what became of it. */
function parseChanges(flat: readonly unknown[]): readonly RegistryChange[] {
  const changes: RegistryChange[] = [];
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const type = parseChange(flat[at + 1]);
    const ref = parseChannelKey(String(flat[at]));
    if (type && ref) changes.push({ type, ...ref });
  }
  return changes;
}
