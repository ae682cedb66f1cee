/** The broker of one process: what is published is received at once, and history lives as long as the process. */

import { randomUUID } from "node:crypto";
import type { EventPublication, Position, Publication } from "../../domain/message.ts";
import type { Broker, Clock, HistoryPage, HistoryPolicy } from "../../domain/ports.ts";

interface Entry {
  readonly publication: EventPublication;
  readonly expiresAtMs: number;
}

interface Log {
  readonly epoch: string;
  offset: number;
  entries: Entry[];
}

export class MemoryBroker implements Broker {
  readonly #clock: Clock;
  /** The channels of each app that somebody here is in. */
  readonly #subscribed = new Map<string, Set<string>>();
  readonly #logs = new Map<string, Log>();
  #receive: (publication: Publication) => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  start(receive: (publication: Publication) => void): void {
    this.#receive = receive;
  }

  subscribe(app: string, channel: string): void {
    const channels = this.#subscribed.get(app) ?? new Set();
    this.#subscribed.set(app, channels.add(channel));
  }

  unsubscribe(app: string, channel: string): void {
    const channels = this.#subscribed.get(app);
    if (channels?.delete(channel) && channels.size === 0) this.#subscribed.delete(app);
  }

  publish(publication: Publication, keep?: HistoryPolicy): Position | undefined {
    if (!keep || publication.type !== "event") {
      this.#deliver(publication);
      return undefined;
    }
    const log = this.#log(publication);
    const position = { epoch: log.epoch, offset: ++log.offset };
    const placed = { ...publication, position };
    log.entries.push({ publication: placed, expiresAtMs: this.#clock.monotonicMs() + keep.ttlMs });
    if (log.entries.length > keep.size) log.entries.splice(0, log.entries.length - keep.size);
    this.#deliver(placed);
    return position;
  }

  history(app: string, channel: string, since: Position | undefined, limit: number): HistoryPage {
    const nowMs = this.#clock.monotonicMs();
    const log = this.#logs.get(subjectOf(app, channel));
    if (!log) return { kept: [], position: { epoch: "", offset: 0 }, complete: since === undefined };
    const live = log.entries.filter((entry) => entry.expiresAtMs > nowMs);
    const position = { epoch: log.epoch, offset: log.offset };
    const oldest = log.offset - live.length;
    const complete = since === undefined || (since.epoch === log.epoch && isWithin(since.offset, oldest, log.offset));
    const wanted = since && complete ? live.filter((entry) => offsetOf(entry) > since.offset) : live;
    const page = since ? wanted.slice(0, limit) : wanted.slice(-limit);
    const kept = page.map(({ publication, expiresAtMs }) => ({ publication, expiresInMs: expiresAtMs - nowMs }));
    return { kept, position, complete };
  }

  /** Drops what has expired, so that a million channels over time leave nothing behind. */
  prune(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [subject, log] of this.#logs) {
      log.entries = log.entries.filter((entry) => entry.expiresAtMs > nowMs);
      if (log.entries.length === 0) this.#logs.delete(subject);
    }
  }

  /** How many channels have one. */
  get histories(): number {
    return this.#logs.size;
  }

  close(): void {
    this.#receive = () => {};
    this.#subscribed.clear();
    this.#logs.clear();
  }

  #deliver(publication: Publication): void {
    if (this.#subscribed.get(publication.app)?.has(publication.channel)) this.#receive(publication);
  }

  #log({ app, channel }: EventPublication): Log {
    const subject = subjectOf(app, channel);
    let log = this.#logs.get(subject);
    if (!log) {
      log = { epoch: randomUUID(), offset: 0, entries: [] };
      this.#logs.set(subject, log);
    }
    return log;
  }
}

function subjectOf(app: string, channel: string): string {
  return `${app}/${channel}`;
}

function isWithin(offset: number, oldest: number, newest: number): boolean {
  return offset >= oldest && offset <= newest;
}

function offsetOf(entry: Entry): number {
  return entry.publication.position?.offset ?? 0;
}
