/**
 * Tells subscribers how many they are: at every change while they are few, at most once in five seconds when they are
 * many. Pusher protocol, subscription count events.
 */

import type { App } from "../domain/app.ts";
import type { HubEvent } from "../domain/event.ts";
import type { CountPublication } from "../domain/message.ts";
import type { Awaitable, ChannelSummary, Clock } from "../domain/ports.ts";

const FEW = 100;
const PAUSE_MS = 5_000;

interface Teller {
  readonly clock: Clock;
  summary(app: App, channel: string): Awaitable<ChannelSummary | undefined>;
  announce(publication: CountPublication): void;
  observe(event: HubEvent): void;
}

interface Due {
  readonly app: App;
  readonly channel: string;
  /** When it was last told; undefined while it is being told. */
  toldAtMs: number | undefined;
  /** It has changed since. */
  owed: boolean;
}

export class Counts {
  readonly #teller: Teller;
  /** Those being told, and large channels; one that has told its last number and is quiet is forgotten. */
  readonly #due = new Map<string, Due>();

  constructor(teller: Teller) {
    this.#teller = teller;
  }

  /** The channel's number of subscribers is another. Changes that come in while one is told are told as one. */
  async changed(app: App, channel: string): Promise<void> {
    const key = `${app.id}/${channel}`;
    const known = this.#due.get(key);
    if (known) {
      known.owed = true;
      return;
    }
    const due: Due = { app, channel, toldAtMs: undefined, owed: false };
    this.#due.set(key, due);
    try {
      let count: number;
      do {
        due.owed = false;
        count = await this.#tell(app, channel);
      } while (due.owed && count <= FEW);
      if (count > FEW) due.toldAtMs = this.#teller.clock.monotonicMs();
    } finally {
      if (due.toldAtMs === undefined) this.#due.delete(key);
    }
  }

  /** Tells the numbers whose pause is over. */
  flush(nowMs: number): void {
    for (const [key, due] of this.#due) {
      if (due.toldAtMs === undefined || nowMs - due.toldAtMs < PAUSE_MS) continue;
      this.#due.delete(key);
      if (due.owed) this.changed(due.app, due.channel).catch((error) => this.#failed(error));
    }
  }

  async #tell(app: App, channel: string): Promise<number> {
    const count = (await this.#teller.summary(app, channel))?.subscribers ?? 0;
    this.#teller.announce({ type: "count", app: app.id, channel, count });
    this.#teller.observe({ type: "counted", app, channel, count });
    return count;
  }

  #failed(error: unknown): void {
    this.#teller.observe({ type: "failed", error, during: "telling subscription counts" });
  }
}
