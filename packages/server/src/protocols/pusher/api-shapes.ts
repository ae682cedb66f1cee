/** What the calls of the HTTP API take in their query and answer, as shapes: requests are checked by them, and the API's document is made of them. */

import * as z from "zod/mini";

/** What only the document says of a text: the handler checks it, and knows the app's own limits. */
function text(meta: Readonly<Record<string, unknown>>) {
  return z.string().register(z.globalRegistry, meta);
}

export const CHANNEL = { pattern: "^[-a-zA-Z0-9_=@,.;]+$", minLength: 1, maxLength: 200 };

const offset = z.int().check(z.minimum(0));
const position = z.object({ epoch: z.string(), offset });
const cursor = (description: string) =>
  z
    .string()
    .check(z.regex(/^.{0,64}:\d{1,15}$/, "is a position: EPOCH:OFFSET"))
    .register(z.globalRegistry, { description });
const time = (description: string) =>
  z
    .string()
    .check(z.regex(/^\d{1,15}$/, "is a time in Unix milliseconds"))
    .register(z.globalRegistry, { description });
const info = (...known: readonly string[]) =>
  text({ description: `A list, separated by commas, of ${known.join(", ")}.`, examples: ["subscription_count"] });

export const ChannelsQuery = z.object({
  filter_by_prefix: z.optional(z.string()),
  info: z.optional(info("subscription_count", "user_count (with filter_by_prefix=presence-)")),
});
export const ChannelQuery = z.object({
  info: z.optional(info("subscription_count", "user_count (presence channels)", "cache (cache channels)")),
});
export const HistoryQuery = z.object({
  direction: z.optional(z.enum(["oldest", "newest"])),
  limit: z.optional(z.string().check(z.regex(/^(\d{1,3}|1000)$/, "is a whole number from 0 to 1000"))),
  after: z.optional(cursor("Only events after it, EPOCH:OFFSET; 410 where its epoch is gone.")),
  before: z.optional(cursor("Only events before it; 410 where its epoch is gone.")),
  from_ms: z.optional(time("Only events published then or later, Unix milliseconds.")),
  to_ms: z.optional(time("Only events published before, Unix milliseconds.")),
});
export const PurgeQuery = z.object({
  before: z.optional(cursor("What came before it; 410 where its epoch is gone.")),
  to_ms: z.optional(time("What was published before, Unix milliseconds; not together with before.")),
});
export const PurgeEventQuery = z.object({ epoch: z.optional(z.string()) });
export const NodesQuery = z.object({
  strategy: z.optional(text({ enum: ["round_robin", "random", "least_connections"] })),
});
export const ConnectionsQuery = z.object({
  limit: z.optional(z.string().check(z.regex(/^([1-9]\d{0,2}|1000)$/, "is a whole number from 1 to 1000"))),
  cursor: z.optional(text({ description: "`next` of the page before." })),
  user_id: z.optional(text({ minLength: 1, maxLength: 128 })),
  channel: z.optional(text(CHANNEL)),
});
export const TerminateQuery = z.object({ revoke: z.optional(z.enum(["true", "false"])) });
export const OldEventQuery = z.object({
  name: text({ pattern: "^[a-z][-a-z0-9]*$" }),
  socket_id: z.optional(z.string().check(z.regex(/^\d+\.\d+$/, "looks like 123.456"))),
});

const counts = {
  subscription_count: z.optional(z.int()),
  user_count: z.optional(z.int()),
};
const cached = z.optional(z.nullable(z.object({ data: z.string(), ttl: z.int() })));
const published = z.object({ ...counts, cache: cached, position: z.optional(position) });

export const Empty = z.object({});
export const Published = z.object({ channels: z.optional(z.record(z.string(), published)) });
export const PublishedBatch = z.object({ batch: z.optional(z.array(published)) });
export const Channels = z.object({ channels: z.record(z.string(), z.object(counts)) });
export const ChannelState = z.object({ occupied: z.boolean(), ...counts, cache: cached });
export const Users = z.object({ users: z.array(z.object({ id: z.string() })) });
export const Members = z.object({
  members: z.array(
    z.object({
      id: z.string(),
      info: z.unknown().register(z.globalRegistry, { description: "What the app says of the user: any JSON value." }),
      state: z
        .optional(z.unknown())
        .register(z.globalRegistry, { description: "What the user's clients say, unchecked: any JSON value." }),
      joined_at_ms: z.number(),
    }),
  ),
});
export const History = z.object({
  events: z.array(
    z.object({
      name: z.string(),
      data: z.string(),
      position,
      at_ms: z.int(),
      ttl: z.int(),
      socket_id: z.optional(z.string()),
      user_id: z.optional(z.string()),
    }),
  ),
  next: z.nullable(z.string()),
  position,
  complete: z.boolean(),
  keeps: z.nullable(z.object({ size: z.int(), ttl: z.number() })),
});
export const Purged = z.object({ purged: z.int(), position });
export const Reached = z.object({ connections: z.int(), nodes_missing: z.int() });
export const Connections = z.union([
  z.object({ connections: z.int() }),
  z.object({ items: z.array(z.looseObject({ id: z.string() })), next: z.nullable(z.string()), nodes_missing: z.int() }),
]);
export const Nodes = z.looseObject({ app: z.string(), nodes: z.array(z.looseObject({})) });
export const ApiError = z.object({ error: z.string(), code: z.string() });
