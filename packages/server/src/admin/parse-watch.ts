/** What a live channel's name says is to be watched; only such names can be subscribed to. */

import { z } from "zod";
import { FEED_TYPES, type FeedFilter, type Watch } from "./api-types.ts";

const text = z.string().max(300).optional();

const WatchSchema = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("feed"),
    ...{ app: text, channel: text, event: text, connection: text },
    types: z.array(z.enum(FEED_TYPES)).max(FEED_TYPES.length).optional(),
  }),
  z.strictObject({ type: z.literal("connections"), app: z.string().max(300), search: text }),
  z.strictObject({ type: z.literal("connection"), app: z.string().max(300), id: z.string().max(300) }),
  z.strictObject({ type: z.literal("seconds"), app: text }),
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
