/** What one publication costs everybody, by how many hear it on the node that did not publish it. */

import { mostFor, type Plan, type Site, type Spent, withSites } from "./site.ts";

const PATIENCE_MS = 120_000;
const PER_TICK = 10;

export interface Round extends Spent {
  readonly perSecond: number;
}

/** A channel with so many readers, all of them on nodes that do not publish, where there are such. */
export interface Audience {
  readonly channel: string;
  readonly readers: number;
}

/** One list of rounds for each audience, of each plan. Processor time is per publication, in microseconds. */
export async function publications(
  plans: readonly Plan[],
  audiences: readonly Audience[],
  { rounds, forMs }: { readonly rounds: number; readonly forMs: number },
): Promise<Round[][][]> {
  return withSites(plans, async (sites) => {
    for (const site of sites) {
      for (const { channel, readers } of audiences) await site.open(readers, channel, "elsewhere");
    }
    const results = sites.map(() => audiences.map((): Round[] => []));
    for (let round = 0; round <= rounds; round++) {
      for (const [at, site] of sites.entries()) {
        for (const [which, audience] of audiences.entries()) {
          const measured = await measure(site, audience, forMs);
          // The first round is for compilers and caches.
          if (round > 0) results[at]?.[which]?.push(measured);
        }
      }
    }
    return results;
  });
}

async function measure(site: Site, { channel, readers }: Audience, forMs: number): Promise<Round> {
  await site.load.call("reset");
  let published = 0;
  const startMs = performance.now();
  const spent = await site.spent(async () => {
    published = await site.publisher.call("burst", {
      channel,
      perTick: PER_TICK,
      forMs,
      most: mostFor(readers, forMs),
    });
    await site.load.call("arrived", published * readers, PATIENCE_MS);
  });
  return {
    perSecond: (published * 1000) / (performance.now() - startMs),
    publisher: spent.publisher / published,
    receivers: spent.receivers / published,
    store: spent.store / published,
  };
}
