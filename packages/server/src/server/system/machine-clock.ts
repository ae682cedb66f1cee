/** The time as this machine has it. */

import type { Clock } from "../../domain/ports.ts";
import type { ScheduleTurn } from "../../hub/turn-queue.ts";

/** See `ScheduleTurn`. */
export const scheduleTurn: ScheduleTurn = (ms, run) => void (ms > 0 ? setTimeout(run, ms) : setImmediate(run));

export const machineClock: Clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
