/** Counts what happens, app by app, as long as anybody uses the app. */

import type { App } from "../../domain/app.ts";
import { type AppStatistics, noStatistics, statisticsOf } from "../../domain/app-statistics.ts";
import type { DisconnectCode } from "../../domain/error.ts";
import type { HubEvent } from "../../domain/hub-event.ts";
import type { Observer } from "../../domain/ports.ts";
import type { TrafficMeter } from "../../domain/traffic.ts";

type Tally = { -readonly [Name in keyof AppStatistics]: AppStatistics[Name] };

/** Farewells at the door that mean: this is not who may come in. */
const AUTH_FAILURES: readonly DisconnectCode[] = ["unauthorized", "token_invalid"];

export class Counters implements TrafficMeter {
  readonly #apps = new Map<string, Tally>();
  /** How far the numbers of each app were taken. */
  readonly #taken = new Map<string, AppStatistics>();
  readonly #forgotten: (app: string, numbers: AppStatistics) => void;

  /** `forgotten` hears what an app had done in all when its count begins anew. */
  constructor(forgotten: (app: string, numbers: AppStatistics) => void = () => {}) {
    this.#forgotten = forgotten;
  }

  readonly observe: Observer = (event: HubEvent) => {
    switch (event.type) {
      case "opened": {
        const numbers = this.#of(event.connection.app.id);
        if (++numbers.connections > numbers.peakConnections) numbers.peakConnections = numbers.connections;
        return;
      }
      case "closed":
        this.#of(event.connection.app.id).connections--;
        return;
      case "refused": {
        const { code } = event.error;
        const numbers = this.#of(event.connection.app.id);
        if (code === "unauthorized" || code === "signature_invalid") numbers.authFailures++;
        if (event.command?.type === "subscribe") numbers.subscribeFailures++;
        return;
      }
      case "published":
        if (!event.publication.from) this.#of(event.app.id).apiMessages++;
        return;
      case "rejected":
        if (event.app && AUTH_FAILURES.includes(event.why.code)) this.#of(event.app.id).authFailures++;
        return;
      default:
        return;
    }
  };

  received(app: App, bytes: number): void {
    const numbers = this.#of(app.id);
    numbers.messagesIn++;
    numbers.bytesIn += bytes;
  }

  sent(app: App, readers: number, bytes: number): void {
    const numbers = this.#of(app.id);
    numbers.messagesOut += readers;
    numbers.bytesOut += readers * bytes;
  }

  /** How long that takes is nothing to count. */
  published(): void {}
  delivered(): void {}

  /** Everything since the app was first used, for those who only look. */
  get apps(): ReadonlyMap<string, Readonly<AppStatistics>> {
    return this.#apps;
  }

  /** What came since the last time, with the connections that are there now and their peak since then. */
  take(): Map<string, AppStatistics> {
    const taken = new Map<string, AppStatistics>();
    for (const [app, numbers] of this.#apps) {
      taken.set(app, since(this.#taken.get(app), numbers));
      this.#taken.set(app, { ...numbers });
      numbers.peakConnections = numbers.connections;
      if (numbers.connections > 0) continue;
      this.#forgotten(app, numbers);
      this.#apps.delete(app);
      this.#taken.delete(app);
    }
    return taken;
  }

  /** Gives back what could not be written down, to be taken with the next. */
  giveBack(taken: ReadonlyMap<string, AppStatistics>): void {
    for (const [app, old] of taken) {
      const numbers = this.#of(app);
      const before = this.#taken.get(app) ?? noStatistics();
      numbers.peakConnections = Math.max(numbers.peakConnections, old.peakConnections);
      this.#taken.set(app, since(old, before));
    }
  }

  #of(app: string): Tally {
    let numbers = this.#apps.get(app);
    if (!numbers) {
      numbers = noStatistics();
      this.#apps.set(app, numbers);
    }
    return numbers;
  }
}

/** What came after `before`: the counts that are more now, and the connections as they are. */
function since(before: AppStatistics | undefined, now: AppStatistics): AppStatistics {
  if (!before) return { ...now };
  const { connections, peakConnections } = now;
  return { ...statisticsOf((name) => now[name] - before[name]), connections, peakConnections };
}
