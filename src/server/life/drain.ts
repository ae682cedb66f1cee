/** Says farewell to everybody, a slice at a time, so that they do not all come back in the same moment. */

import type { Connection } from "../../domain/connection.ts";
import { Disconnect } from "../../domain/error.ts";
import type { Clock } from "../../domain/ports.ts";

export interface DrainOptions<C = Connection> {
  readonly connections: Iterable<C>;
  readonly disconnect: (connection: C, why: Disconnect) => void;
  /** Time the farewells are spread over. A few clients are told at once, whatever it is. */
  readonly spreadMs: number;
  readonly clock: Clock;
  readonly pause?: (ms: number) => Promise<void>;
  /** From 0 to 1. */
  readonly random?: () => number;
}

/** On average; each pause is between half of it and one and a half, so that several nodes do not keep step. */
const PAUSE_MS = 50;
/** So few in a slice trouble nobody who takes them in: 200 a second. */
const FEW = 10;

/** Over so long those come back who were told in one slice, as far as their protocol can say it. */
const COME_BACK_MS = 1_000;

function farewell(chance: number): Disconnect {
  return new Disconnect("shutdown", "The server is shutting down; connect again.", Math.round(chance * COME_BACK_MS));
}

/** Resolves when the last was told, which is not yet when the last is gone. */
export async function sayFarewell<C>(options: DrainOptions<C>): Promise<void> {
  const { disconnect, spreadMs, clock, pause = Bun.sleep, random = Math.random } = options;
  const waiting = [...options.connections];
  const endMs = clock.monotonicMs() + spreadMs;
  while (waiting.length > 0) {
    const slices = Math.max(1, Math.floor((endMs - clock.monotonicMs()) / PAUSE_MS));
    const size = Math.max(FEW, Math.ceil(waiting.length / slices));
    for (const connection of waiting.splice(0, size)) disconnect(connection, farewell(random()));
    if (waiting.length > 0) await pause(PAUSE_MS * (0.5 + random()));
  }
}
