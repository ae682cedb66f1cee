/** What the parts of the hub share: the engine, the clock, the apps that are here, and the way facts reach observers. */

import { isReserved } from "../domain/app.ts";
import type { Connection } from "../domain/connection.ts";
import type { HubEvent } from "../domain/hub-event.ts";
import type { Awaitable, Broker, Clock, Engine, Ledger, Observer, Registry } from "../domain/ports.ts";
import type { FrameObserver, FrameTap, TrafficMeter } from "../domain/traffic.ts";
import type { Fanout } from "../domain/transport.ts";
import { Channels } from "./channels.ts";
import { GuardChain } from "./guard-chain.ts";
import { HeldDepartures } from "./held-departures.ts";
import type { HubLimits, HubOptions } from "./options.ts";
import { Tenants } from "./tenants.ts";
import type { ScheduleTurn } from "./turn-queue.ts";

interface Observers {
  readonly all: readonly Observer[];
  /** Those that look at publications: to call the others for nothing takes a tenth of a client event. */
  readonly ofPublications: readonly Observer[];
}

function observersIn(all: readonly Observer[]): Observers {
  return { all, ofPublications: all.filter((one) => !one.ignoresPublications) };
}

export class HubContext {
  limits: HubLimits;
  /** Nothing is sent before there is one. */
  fanout: Fanout | undefined;
  /** Shown every frame. Undefined nearly always. */
  frameObserver: FrameObserver | undefined;
  /** Told what goes out in which channel here, and to how many. Empty nearly always. */
  readonly channelMeters = new Set<(app: string, channel: string, readers: number) => void>();
  /** Connections whose frames are watched as they pass. Empty nearly always, and then it costs one look at a size. */
  readonly taps = new Map<Connection, FrameTap>();
  readonly engine: Engine;
  readonly broker: Broker;
  readonly registry: Registry;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly guardChain: GuardChain;
  readonly traffic: TrafficMeter | undefined;
  readonly channels: Channels;
  readonly tenants: Tenants;
  readonly nodeNumber: number;
  /** Departures of those that come back elsewhere. */
  readonly held: HeldDepartures;
  /** When all connections were last looked at. */
  sweptAtMs = 0;
  readonly #observers: Observers;
  /** Those that hear of the server's own apps, too. */
  readonly #observersOfAll: Observers;
  readonly #scheduleTurn: ScheduleTurn;
  #running = 0;

  constructor(options: HubOptions) {
    this.limits = options.limits;
    this.engine = options.engine;
    this.broker = options.engine.broker;
    this.registry = options.engine.registry;
    this.ledger = options.engine.ledger;
    this.clock = options.clock;
    this.held = new HeldDepartures(options.clock);
    this.guardChain = new GuardChain(options.guards ?? []);
    this.traffic = options.traffic;
    this.channels = options.channels ?? new Channels();
    this.tenants = new Tenants(this.channels, this.broker);
    this.nodeNumber = nodeNumber(options.node().id);
    const ofAll = options.observersOfAll ?? [];
    this.#observersOfAll = observersIn(ofAll);
    this.#observers = observersIn([...(options.observers ?? []), ...ofAll]);
    this.#scheduleTurn = options.scheduleTurn;
  }

  /** Never throws: an observer's fault is reported to the others, and stops nothing. */
  observe(event: HubEvent): void {
    for (const observer of this.#observersFor(event)) {
      try {
        observer(event);
      } catch (error) {
        if (event.type !== "failed") this.observeFailure(error, `observing ${event.type}`);
      }
    }
  }

  #observersFor(event: HubEvent): readonly Observer[] {
    const observers = concernsReserved(event) ? this.#observersOfAll : this.#observers;
    return event.type === "published" ? observers.ofPublications : observers.all;
  }

  observeFailure(error: unknown, during: string): void {
    this.observe({ type: "failed", error, during });
  }

  /** Whether any work in the background has not come to its end. */
  get isBusy(): boolean {
    return this.#running > 0;
  }

  /** Lets the event loop turn, where work is long. */
  nextTurn(): Promise<void> {
    return this.pause(0);
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#scheduleTurn(ms, resolve));
  }

  /** Never throws: a failure is observed. */
  runInBackground(work: () => Awaitable<unknown>): void {
    let done: Awaitable<unknown>;
    try {
      done = work();
    } catch (error) {
      return this.observeFailure(error, "background work");
    }
    if (done instanceof Promise) this.follow(done);
  }

  /** The same of work that has begun. */
  follow(work: Promise<unknown>): void {
    void this.#follow(work);
  }

  async #follow(work: Promise<unknown>): Promise<void> {
    this.#running++;
    try {
      await work;
    } catch (error) {
      this.observeFailure(error, "background work");
    } finally {
      this.#running--;
    }
  }
}

function concernsReserved(event: HubEvent): boolean {
  if (event.type === "failed") return false;
  const app = "connection" in event ? event.connection.app : event.app;
  return app !== undefined && isReserved(app);
}

/** The node's number, from the id in its report: 32 bits, so that it fits the first number of its connections' ids. */
export function nodeNumber(id: string): number {
  let number = 0x811c9dc5;
  for (let at = 0; at < id.length; at++) number = Math.imul(number ^ id.charCodeAt(at), 0x01000193);
  return number >>> 0;
}
