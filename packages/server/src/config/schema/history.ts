/** What a channel rule may say of history, with its defaults. */

import { z } from "zod";
import { settingInfo } from "./fields.ts";

/** A week: what has to outlive that belongs into a database. */
const MOST_TTL_S = 7 * 86_400;

export const historyRule = z.strictObject({
  size: z.number().int().min(1).max(10_000).default(100).register(settingInfo, {
    description: "Most events that are kept of one such channel.",
    expects: "a whole number from 1 to 10000",
    parse: "number",
  }),
  ttlS: z
    .number()
    .min(0.001)
    .max(MOST_TTL_S)
    .default(86_400)
    .register(settingInfo, {
      description: "Time each of them is kept, in seconds.",
      expects: `a number of seconds from 0.001 to ${MOST_TTL_S}`,
      parse: "number",
    }),
});

/** The rule for channels that say no more than that they keep something. */
export const DEFAULT_HISTORY = historyRule.parse({});
