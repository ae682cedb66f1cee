/** Takes back what a node had: a dead one's, on behalf of it, or one's own at the end. In small steps, each of which may be the last. */

import type { RegistryFact } from "../../domain/ports.ts";
import { fromPlace } from "./keys.ts";
import type { Send } from "./line.ts";
import { BURY, FENCE, ROWS } from "./scripts.ts";
import { GONE, parts, type Writes } from "./writes.ts";

export interface Estate {
  readonly generation: string;
  readonly buckets: number;
  readonly writes: Writes;
  send(bucket: number): Send;
  /** Asked before each step; false where another has taken over. */
  mayGoOn(): Promise<boolean>;
  tell(facts: readonly RegistryFact[]): void;
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
  const [places, holds] = parts(await send(FENCE, [generation])).map(parts);
  const emptied = (places ?? []).map(async (place) => {
    const found = fromPlace(String(place));
    if (!found) return;
    while (true) {
      const facts = await emptyPlace(send, generation, writes, String(place), found);
      if (!facts) break;
      tell(facts);
      if (!(await mayGoOn())) return;
    }
    const change = await writes.tally(send, generation, { ...found, count: 0 }, false);
    if (change !== undefined && change !== GONE) tell([{ type: change, ...found }]);
  });
  await Promise.all(emptied);
  const held = (holds ?? []).flatMap((text) => {
    const [place, holder] = parts(JSON.parse(String(text)));
    return [{ place: String(place), holder: String(holder) }];
  });
  await Promise.all(held.map((hold) => writes.giveBack(send, generation, hold)));
  return (places?.length ?? 0) + held.length > 0;
}

/** Some rows of one place; nothing where there is none left. */
async function emptyPlace(
  send: Send,
  generation: string,
  writes: Writes,
  place: string,
  { app, channel }: { readonly app: string; readonly channel: string },
): Promise<readonly RegistryFact[] | undefined> {
  const rows = parts(await send(ROWS, [generation, place])).map(String);
  if (rows.length === 0) return undefined;
  const left: Promise<RegistryFact[]>[] = [];
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
