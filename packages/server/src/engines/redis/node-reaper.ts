/** Takes back what a node had: a dead one's, on behalf of it, or one's own at the end. In small steps, each of which may be the last. */

import type { RegistryChange } from "../../domain/ports.ts";
import type { RunScript } from "./command-connection.ts";
import { parseChannelKey } from "./keys.ts";
import { asParts, parseChange, type RegistryScripts } from "./registry-scripts.ts";
import { ENTRIES, FORGET_NODE, TAKE_BACK } from "./scripts.ts";

export interface ReapOptions {
  readonly incarnation: string;
  readonly buckets: number;
  readonly writes: RegistryScripts;
  send(bucket: number): RunScript;
  /** Asked before each step; false where another has taken over. */
  mayContinue(): Promise<boolean>;
  report(facts: readonly RegistryChange[]): void;
}

/** Answers whether nothing is left of it. Throws where a bucket cannot be reached; whoever comes later goes on from there. */
export async function reapNode(estate: ReapOptions): Promise<boolean> {
  for (let bucket = estate.buckets - 1; bucket >= 0; bucket--) {
    while (true) {
      if (!(await estate.mayContinue())) return false;
      const isLeft = await reapStep(estate, estate.send(bucket));
      if (!isLeft) break;
    }
    // The first bucket is the last: it knows that there was such a node.
    await estate.send(bucket)(FORGET_NODE, [estate.incarnation]);
  }
  return true;
}

/** Answers whether there was anything. */
async function reapStep(
  { incarnation: generation, writes, report: tell, mayContinue: mayGoOn }: ReapOptions,
  send: RunScript,
): Promise<boolean> {
  const [crowded, changes, count] = asParts(await send(TAKE_BACK, [generation]));
  tell(factsOf(asParts(changes)));
  const emptied = asParts(crowded).map(async (place) => {
    const found = parseChannelKey(String(place));
    if (!found) return;
    while (true) {
      const facts = await reapChannel(send, generation, writes, String(place), found);
      if (!facts) break;
      tell(facts);
      if (!(await mayGoOn())) return;
    }
  });
  await Promise.all(emptied);
  return Number(count) > 0;
}

/** Of places, each followed by what became of it. */
function factsOf(changes: readonly unknown[]): readonly RegistryChange[] {
  const facts: RegistryChange[] = [];
  for (let at = 0; at + 1 < changes.length; at += 2) {
    const type = parseChange(changes[at + 1]);
    const found = parseChannelKey(String(changes[at]));
    if (type && found) facts.push({ type, ...found });
  }
  return facts;
}

/** Some rows of one place; nothing where there is none left. */
async function reapChannel(
  send: RunScript,
  generation: string,
  writes: RegistryScripts,
  place: string,
  { app, channel }: { readonly app: string; readonly channel: string },
): Promise<readonly RegistryChange[] | undefined> {
  const rows = asParts(await send(ENTRIES, [generation, place])).map(String);
  if (rows.length === 0) return undefined;
  const left: Promise<RegistryChange[]>[] = [];
  for (let at = 0; at + 1 < rows.length; at += 2) {
    const member = { id: rows[at + 1] ?? "" };
    const row = { app, channel, connection: rows[at] ?? "", member };
    left.push(
      writes
        .leave(send, generation, row, "dead")
        .then((isLast) => (isLast === true ? [{ type: "left", app, channel, member }] : [])),
    );
  }
  return (await Promise.all(left)).flat();
}
