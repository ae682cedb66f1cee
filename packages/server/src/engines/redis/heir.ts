/** Takes back what a node had: a dead one's, on behalf of it, or one's own at the end. In small steps, each of which may be the last. */

import type { RegistryChange } from "../../domain/ports.ts";
import { fromPlace } from "./keys.ts";
import type { Send } from "./line.ts";
import { BURY, EMPTY, ROWS } from "./scripts.ts";
import { changeOf, parts, type Writes } from "./writes.ts";

export interface Estate {
  readonly generation: string;
  readonly buckets: number;
  readonly writes: Writes;
  send(bucket: number): Send;
  /** Asked before each step; false where another has taken over. */
  mayGoOn(): Promise<boolean>;
  tell(facts: readonly RegistryChange[]): void;
}

/** Answers whether nothing is left of it. Throws where a bucket cannot be reached; whoever comes later goes on from there. */
export async function inherit(estate: Estate): Promise<boolean> {
  for (let bucket = estate.buckets - 1; bucket >= 0; bucket--) {
    while (true) {
      if (!(await estate.mayGoOn())) return false;
      const isLeft = await step(estate, estate.send(bucket));
      if (!isLeft) break;
    }
    // The first bucket is the last: it knows that there was such a node.
    await estate.send(bucket)(BURY, [estate.generation]);
  }
  return true;
}

/** Answers whether there was anything. */
async function step({ generation, writes, tell, mayGoOn }: Estate, send: Send): Promise<boolean> {
  const [crowded, changes, count] = parts(await send(EMPTY, [generation]));
  tell(factsOf(parts(changes)));
  const emptied = parts(crowded).map(async (place) => {
    const found = fromPlace(String(place));
    if (!found) return;
    while (true) {
      const facts = await emptyPlace(send, generation, writes, String(place), found);
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
    const type = changeOf(changes[at + 1]);
    const found = fromPlace(String(changes[at]));
    if (type && found) facts.push({ type, ...found });
  }
  return facts;
}

/** Some rows of one place; nothing where there is none left. */
async function emptyPlace(
  send: Send,
  generation: string,
  writes: Writes,
  place: string,
  { app, channel }: { readonly app: string; readonly channel: string },
): Promise<readonly RegistryChange[] | undefined> {
  const rows = parts(await send(ROWS, [generation, place])).map(String);
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
