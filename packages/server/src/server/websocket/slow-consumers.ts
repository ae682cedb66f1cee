/**
 * Tells clients that were cut because they did not read from those that vanished: Bun says 1006 of both, and keeps no count.
 * What has bytes waiting when it is looked at, and then ends without a word, was cut.
 */

import type { Connection } from "../../domain/connection.ts";
import type { TrafficMeter } from "../../domain/traffic.ts";
import type { Hub } from "../../hub/hub.ts";

/** A look costs 15 ns a connection: 18,000 connections take a third of a millisecond. */
const MIN_CHECK_INTERVAL_MS = 50;
/** The code of a socket that ended without a farewell from either side. */
const ABNORMAL_CLOSURE = 1006;

export class SlowConsumers {
  readonly #hub: Hub;
  readonly #behind = new WeakSet<Connection>();
  /** What any one client can have been sent since the last look, at most. */
  #sentBytes = 0;
  #lookedAtMs = 0;

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  /** Remembers who has bytes waiting. Call it every second or so. */
  check(): void {
    this.#sentBytes = 0;
    this.#lookedAtMs = this.#hub.clock.monotonicMs();
    for (const connection of this.#hub.connections()) {
      if ((connection.socket?.getBufferedAmount() ?? 0) > 0) this.#behind.add(connection);
      else this.#behind.delete(connection);
    }
  }

  /** So much was sent to somebody: where that fills a buffer quickly, waiting for the next look would be too late. */
  sent(bytes: number): void {
    this.#sentBytes += bytes;
    const { limits, clock } = this.#hub;
    if (this.#sentBytes < limits.outboundBufferBytes / 4) return;
    if (clock.monotonicMs() - this.#lookedAtMs >= MIN_CHECK_INTERVAL_MS) this.check();
  }

  /** The connection's socket is gone. */
  socketClosed(connection: Connection, code: number): void {
    if (code !== ABNORMAL_CLOSURE || connection.disconnectReason || connection.closed || !this.#behind.has(connection))
      return;
    this.#hub.observe({ type: "slow-consumer", connection, limit: "limits.outboundBufferBytes" });
  }
}

/** The same traffic, told to both. */
export function withSlowConsumers(
  traffic: TrafficMeter | undefined,
  slow: () => SlowConsumers | undefined,
): TrafficMeter {
  return {
    received: (app, bytes) => traffic?.received(app, bytes),
    sent: (app, readers, bytes) => {
      traffic?.sent(app, readers, bytes);
      slow()?.sent(bytes);
    },
    published: (tookMs) => traffic?.published(tookMs),
    delivered: (tookMs) => traffic?.delivered(tookMs),
  };
}
