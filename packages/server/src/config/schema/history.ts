/** What a channel rule says about history, with its defaults. */

import { integer, object, seconds } from "./fields.ts";

/** A week: what has to be kept longer belongs in a database. */
const MAX_TTL_S = 7 * 86_400;

export const historyRule = object(
  "What is kept of the channel, so that clients of the native protocol can resume and the API can read it.",
  {
    size: integer("Most events that are kept of one such channel.", 1, 10_000).default(100),
    ttlS: seconds("Time each of them is kept, in seconds.", 0.001, MAX_TTL_S).default(86_400),
  },
  "an object with `size` and `ttlS`, both optional",
);

/** The rule for channels that only say that they keep a history. */
export const DEFAULT_HISTORY = historyRule.parse({});
