/** The declaration that the tests of typed events share: schemas of Zod, of Valibot, and one written by hand. */

import * as v from "valibot";
import { z } from "zod";
import { defineEvents, type Schema, unchecked } from "../../packages/schema/src/index.ts";

/** A schema without a library: positive numbers. */
export const positive = {
  "~standard": {
    version: 1,
    vendor: "by hand",
    validate: (value: unknown) =>
      typeof value === "number" && value > 0 ? { value } : { issues: [{ message: "not a positive number" }] },
    types: undefined as { readonly input: number; readonly output: number } | undefined,
  },
} as const satisfies Schema;

export const events = defineEvents({
  channels: {
    orders: { paid: z.object({ id: z.string(), sum: z.number() }), price: positive },
    "presence-room-*": {
      message: v.object({ text: v.pipe(v.string(), v.maxLength(20)) }),
      "client-typing": z.object({ on: z.boolean() }),
    },
    "*-audited": { audit: z.object({ by: z.string() }) },
    "presence-room-lobby": { message: z.object({ shout: z.string() }) },
    "legacy-*": { "*": unchecked<unknown>(), known: z.object({ n: z.number() }) },
    note: { "client-note": unchecked<{ readonly text: string }>() },
  },
  user: { notification: z.object({ title: z.string() }) },
  calls: {
    vote: {
      input: z.object({ option: z.enum(["a", "b"]), weight: z.number().default(1) }),
      output: z.object({ total: z.number() }),
    },
    ping: { input: unchecked<null>() },
  },
  member: z.object({ name: z.string() }),
});
