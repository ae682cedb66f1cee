/** The time as this machine has it. */

import type { Clock } from "../../domain/ports.ts";

export const machineClock: Clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
