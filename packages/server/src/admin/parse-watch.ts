/** What a live channel's name says is to be watched; only such names can be subscribed to. */

import * as z from "zod/mini";
import { FEED_TYPES, type FeedFilter, type Watch } from "./api-types.ts";

const name = z.string().check(z.maxLength(300));
const text = z.optional(name);
const oneOf = z.optional(z.union([name, z.array(name)]));

const WatchSchema = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("feed"),
    ...{ app: text, channel: oneOf, event: oneOf, user: oneOf, connection: oneOf, reason: oneOf, node: oneOf },
    ...{ text: z.optional(z.array(name)), withNobodys: z.optional(z.boolean()) },
    types: z.optional(z.array(z.enum(FEED_TYPES)).check(z.maxLength(FEED_TYPES.length))),
  }),
  z.strictObject({
    ...{ type: z.literal("connections"), app: text, search: text },
    isAnonymous: z.optional(z.boolean()),
  }),
  z.strictObject({ type: z.literal("connection"), app: name, id: name }),
  z.strictObject({ type: z.literal("seconds"), app: text }),
  z.strictObject({ type: z.literal("channels"), app: text, channel: text }),
]);

const NAME = /^live-([-\w]{1,995})$/;

/** Undefined where it is no such name. */
export function parseWatch(channel: string): Watch | undefined {
  const encoded = NAME.exec(channel)?.[1];
  if (encoded === undefined) return undefined;
  try {
    const read = WatchSchema.safeParse(JSON.parse(Buffer.from(encoded, "base64url").toString("utf8")));
    return read.success ? withoutGaps(read.data) : undefined;
  } catch {
    return undefined;
  }
}

export function filterOf({ type: _, ...filter }: Extract<Watch, { type: "feed" }>): FeedFilter {
  return filter;
}

/** What is undefined is not there. */
function withoutGaps(watch: z.output<typeof WatchSchema>): Watch {
  return JSON.parse(JSON.stringify(watch));
}
