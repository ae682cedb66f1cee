/** What came in over HTTP, if it has the shape that it has to have. */

import * as z from "zod/mini";
import english from "zod/v4/locales/en.js";

/** Zod's small half says nothing of what is wrong unless it is given the words. */
const { localeError: error } = english();

/** The value, or what is wrong first: where it is, and what it has to be. */
export function readShape<T>(
  shape: z.ZodMiniType<T>,
  value: unknown,
): { readonly data: T } | { readonly where: string; readonly problem: string } {
  const { data, error: wrong, success } = z.safeParse(shape, value, { error });
  if (success) return { data };
  const [issue] = wrong.issues;
  return { where: issue?.path.join(".") ?? "", problem: issue?.message ?? "" };
}
