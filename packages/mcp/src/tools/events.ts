/** The live tail: what happens, for so many events or so many seconds. */

import { FEED_TYPES, type FeedEntry, type FeedFilter } from "fanfare/wire/admin";
import { array, int, object, enum as oneOf } from "zod";
import * as input from "../input.ts";
import { watchLive } from "../live-watch.ts";
import { type ToolContext, type ToolSpec, tool } from "../tool.ts";

/** Agents give up on a call after a minute. */
const MAX_SECONDS = 45;
const MAX_EVENTS = 200;
const LONGEST_PAYLOAD = 500;

const pattern = input.name.optional().describe("`*` stands for any run of characters.");

const tailEvents = tool({
  name: "tail_events",
  title: "Live tail",
  description:
    "What happened in the last minutes (`earlier`, as far as each node keeps it), and then what happens on all nodes until `seconds` are over or there are `limit` events: " +
    "connections, subscriptions, members, client events, API messages, webhooks, refusals with their reason, errors. Payloads are masked and cut.",
  effect: "look",
  input: object({
    ...{ app: input.app, channel: pattern, event: pattern },
    connection: input.connection.optional(),
    types: array(oneOf(FEED_TYPES)).min(1).max(FEED_TYPES.length).optional().describe("Only these kinds."),
    seconds: int().min(1).max(MAX_SECONDS).default(10).describe("How long it is watched; 1 for what happened before."),
    limit: input.limit(50, MAX_EVENTS),
  }),
  run: async ({ app, seconds, limit, ...filter }, context) => {
    const id = app === undefined ? undefined : (await input.appIn(context.admin, app)).id;
    return tail(context, { ...filter, app: id }, { forMs: seconds * 1000, limit });
  },
});

type Wanted = { readonly [Key in keyof FeedFilter]?: FeedFilter[Key] | undefined };

interface Tail {
  /** The latest of those before, oldest first. */
  readonly earlier: readonly object[];
  readonly events: readonly object[];
  /** Of which nothing is shown: there were more than are shown of a node at a time. */
  readonly leftOut: number;
  readonly watchedS: number;
  readonly interruption?: string;
}

/** Ends when as many have happened as wanted. */
async function tail(
  { admin, signal }: Pick<ToolContext, "admin" | "signal">,
  filter: Wanted,
  { forMs, limit }: { readonly forMs: number; readonly limit: number },
): Promise<Tail> {
  // Some are sent twice, where another watches the same.
  const before = new Map<string, FeedEntry>();
  const now = new Map<string, FeedEntry>();
  let leftOut = 0;
  const startedAtMs = performance.now();
  const watched = await watchLive(admin, {
    watch: { type: "feed", ...(JSON.parse(JSON.stringify(filter)) as FeedFilter) },
    ...{ name: "feed", forMs, signal },
    hear: (batch) => {
      for (const entry of batch.entries) if (!now.has(entry.id)) (batch.isEarlier ? before : now).set(entry.id, entry);
      leftOut += batch.leftOut;
      return now.size >= limit;
    },
  });
  return {
    earlier: inOrder(before).slice(-limit).map(shownEntry),
    events: inOrder(now).slice(0, limit).map(shownEntry),
    leftOut: leftOut + Math.max(0, now.size - limit),
    watchedS: Math.round((performance.now() - startedAtMs) / 100) / 10,
    ...watched,
  };
}

function inOrder(entries: ReadonlyMap<string, FeedEntry>): FeedEntry[] {
  return [...entries.values()].toSorted((one, other) => one.atMs - other.atMs);
}

function shownEntry({ id: _, atMs, payload, ...entry }: FeedEntry): object {
  return {
    at: new Date(atMs).toISOString(),
    ...entry,
    ...(payload && { payload: shortened(payload.text), bytes: payload.bytes }),
  };
}

function shortened(text: string): string {
  return text.length > LONGEST_PAYLOAD ? `${text.slice(0, LONGEST_PAYLOAD).toWellFormed()}…` : text;
}

export const EVENTS: readonly ToolSpec[] = [tailEvents];
