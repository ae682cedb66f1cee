/** The protocol's table of numbers: which refusal is which code. Farewells are in ../close-codes.ts. */

import type { CommandErrorCode } from "../../domain/error.ts";

/** Refusals that have a number; every other is sent with the code null, and the connection goes on. */
export const ERROR_CODES: Partial<Record<CommandErrorCode, number>> = {
  rate_limited: 4301,
  too_many_watched: 4302,
};
