/** Counts what happens, app by app, until somebody takes the numbers away. */

import type { App } from "../../domain/app.ts";
import type { HubEvent } from "../../domain/event.ts";
import type { Observer } from "../../domain/ports.ts";
import type { Traffic } from "../../domain/traffic.ts";

/** What happened since the numbers were last taken; `connections` and its peak are how many there are. */
export interface Numbers {
  peakConnections: number;
  connections: number;
  messagesIn: number;
  messagesOut: number;
  apiMessages: number;
  bytesIn: number;
  bytesOut: number;
  subscribeFailures: number;
  authFailures: number;
}

export class Counters implements Traffic {
  readonly #apps = new Map<string, Numbers>();

  readonly observe: Observer = (event: HubEvent) => {
    switch (event.type) {
      case "opened": {
        const numbers = this.#of(event.connection.app);
        if (++numbers.connections > numbers.peakConnections) numbers.peakConnections = numbers.connections;
        return;
      }
      case "closed":
        this.#of(event.connection.app).connections--;
        return;
      case "refused": {
        const { code } = event.error;
        const numbers = this.#of(event.connection.app);
        if (code === "unauthorized" || code === "signature_invalid") numbers.authFailures++;
        if (event.command === "subscribe") numbers.subscribeFailures++;
        return;
      }
      case "turned-away":
        if (event.app) this.#of(event.app).authFailures++;
        return;
      default:
        return;
    }
  };

  received(app: App, bytes: number): void {
    const numbers = this.#of(app);
    numbers.messagesIn++;
    numbers.bytesIn += bytes;
  }

  sent(app: App, readers: number, bytes: number): void {
    const numbers = this.#of(app);
    numbers.messagesOut += readers;
    numbers.bytesOut += readers * bytes;
  }

  called(app: App): void {
    this.#of(app).apiMessages++;
  }

  /** The numbers as they stand, for those who only look. */
  get apps(): ReadonlyMap<string, Readonly<Numbers>> {
    return this.#apps;
  }

  /** Takes the numbers away: what comes next begins at nothing, but for the connections that are still there. */
  take(): Map<string, Numbers> {
    const taken = new Map<string, Numbers>();
    for (const [app, numbers] of this.#apps) {
      taken.set(app, { ...numbers });
      const { connections } = numbers;
      if (connections === 0) this.#apps.delete(app);
      else this.#apps.set(app, { ...nothing(), connections, peakConnections: connections });
    }
    return taken;
  }

  /** Gives back what could not be written down, to be written with the next. */
  giveBack(taken: ReadonlyMap<string, Numbers>): void {
    for (const [app, old] of taken) {
      const numbers = this.#apps.get(app) ?? nothing();
      const peakConnections = Math.max(numbers.peakConnections, old.peakConnections);
      this.#apps.set(app, { ...sum(numbers, old), connections: numbers.connections, peakConnections });
    }
  }

  #of({ id }: App): Numbers {
    let numbers = this.#apps.get(id);
    if (!numbers) {
      numbers = nothing();
      this.#apps.set(id, numbers);
    }
    return numbers;
  }
}

export function nothing(): Numbers {
  return {
    peakConnections: 0,
    connections: 0,
    messagesIn: 0,
    messagesOut: 0,
    apiMessages: 0,
    bytesIn: 0,
    bytesOut: 0,
    subscribeFailures: 0,
    authFailures: 0,
  };
}

/** Everything added up, the connections too. */
export function sum(one: Numbers, other: Numbers): Numbers {
  return {
    peakConnections: one.peakConnections + other.peakConnections,
    connections: one.connections + other.connections,
    messagesIn: one.messagesIn + other.messagesIn,
    messagesOut: one.messagesOut + other.messagesOut,
    apiMessages: one.apiMessages + other.apiMessages,
    bytesIn: one.bytesIn + other.bytesIn,
    bytesOut: one.bytesOut + other.bytesOut,
    subscribeFailures: one.subscribeFailures + other.subscribeFailures,
    authFailures: one.authFailures + other.authFailures,
  };
}
