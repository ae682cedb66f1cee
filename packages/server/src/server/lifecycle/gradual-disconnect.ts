/** Disconnects clients a slice at a time, so that they do not all connect again in the same moment. */

import type { Connection } from "../../domain/connection.ts";
import { Disconnect } from "../../domain/error.ts";
import type { Clock } from "../../domain/ports.ts";
import type { Hub } from "../../hub/hub.ts";

export interface GradualDisconnectOptions<C = Connection> {
  readonly connections: Iterable<C>;
  readonly disconnect: (connection: C, why: Disconnect) => void;
  /** Time over which they are spread. A few clients are disconnected at once, whatever it is. */
  readonly spreadMs: number;
  readonly clock: Clock;
  readonly pause?: (ms: number) => Promise<void>;
  /** Why they go, in words for their clients. */
  readonly message?: string;
  /** No more are disconnected when it is aborted. */
  readonly signal?: AbortSignal;
  /** A slice has at least so many. */
  readonly fewest?: number;
  /** From 0 to 1. */
  readonly random?: () => number;
}

/** On average; each pause is between half of it and one and a half, so that several nodes do not keep step. */
const PAUSE_MS = 50;
/** So few in a slice are easy for the nodes that take them in: 200 a second. */
const FEW = 10;

/** The clients of one slice come back over so long, where their protocol can ask for it. */
const COME_BACK_MS = 1_000;

const SHUTTING_DOWN = "The server is shutting down; connect again.";
const ELSEWHERE = "This server sends its clients to another one; connect again.";

/** Clients that came meanwhile are disconnected so much later: a client whose only server this is comes back no more often. */
const AGAIN_MS = 1_000;

/** Disconnects the clients that are here, and those that come, until the signal is aborted. */
export async function keepDisconnecting<C>(
  options: Omit<GradualDisconnectOptions<C>, "connections"> & {
    readonly here: () => Iterable<C>;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { here, signal, pause = Bun.sleep } = options;
  let { spreadMs } = options;
  while (!signal.aborted) {
    await disconnectGradually({ message: ELSEWHERE, ...options, spreadMs, connections: here() });
    spreadMs = AGAIN_MS;
    if (!signal.aborted) await pause(AGAIN_MS);
  }
}

/** A node that has been silent for longer takes nothing over. */
const SILENT_MS = 5_000;

/** Whether no other node takes over what this one leaves. Without an answer of the engine there may be others. */
export async function isLastNode(hub: Pick<Hub, "nodes">, id: string): Promise<boolean> {
  try {
    const others = (await hub.nodes()).filter((node) => node.id !== id);
    return others.every(({ draining, silentMs }) => draining || silentMs > SILENT_MS);
  } catch {
    return false;
  }
}

/** Resolves when the last was sent its close, which is not yet when the last is gone. */
export async function disconnectGradually<C>(options: GradualDisconnectOptions<C>): Promise<void> {
  const { disconnect, spreadMs, clock, pause = Bun.sleep, fewest = FEW, random = Math.random } = options;
  const { message = SHUTTING_DOWN } = options;
  const reason = () => new Disconnect("shutdown", message, Math.round(random() * COME_BACK_MS));
  const waiting = [...options.connections];
  const endMs = clock.monotonicMs() + spreadMs;
  while (waiting.length > 0 && !options.signal?.aborted) {
    const slices = Math.max(1, Math.floor((endMs - clock.monotonicMs()) / PAUSE_MS));
    const size = Math.max(fewest, Math.ceil(waiting.length / slices));
    for (const connection of waiting.splice(0, size)) disconnect(connection, reason());
    if (waiting.length > 0) await pause(PAUSE_MS * (0.5 + random()));
  }
}
