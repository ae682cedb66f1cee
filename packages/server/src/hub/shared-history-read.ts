/**
 * Reading a channel's past for several newcomers at once: who asks the same while the answer is under way gets that answer,
 * and hears of the channel from when the reading began, as whoever asked first.
 */

import type { EventPublication, Position, Resume } from "../domain/message.ts";
import type { Broker, HistoryPage } from "../domain/ports.ts";
import type { Audience } from "./audience.ts";

/** Most that are collected while history is read; where more come in, it is read again. */
const MOST_HEARD = 1_000;

/** Those under way that a newcomer may still share, by what they ask. */
type Open = Map<string, SharedHistoryRead>;
const OPEN = new WeakMap<Audience, Open>();

export class SharedHistoryRead {
  /** Numbered publications that came in since it began. */
  readonly #heard: EventPublication[] = [];
  /** Pages by what was asked for. None is older than the reading, so what came after any of them was heard. */
  readonly #pages = new Map<string, Promise<HistoryPage>>();
  readonly #broker: Pick<Broker, "history">;
  readonly #audience: Audience;
  readonly #open: Open;
  readonly #name: string;
  readonly #interruptions: number;
  #readers = 0;

  /** One that others began just now and that asks the same, or a new one. To be left with `end`. */
  static of(broker: Pick<Broker, "history">, audience: Audience, resume: Resume | undefined): SharedHistoryRead {
    const name = nameOf(resume);
    const open = OPEN.get(audience) ?? new Map();
    OPEN.set(audience, open);
    const known = open.get(name);
    const read = known?.isCurrent && known.heard ? known : new SharedHistoryRead(broker, audience, open, name);
    if (read.#readers++ === 0) audience.listeners.add(read.#listen);
    return read;
  }

  private constructor(broker: Pick<Broker, "history">, audience: Audience, open: Open, name: string) {
    this.#broker = broker;
    this.#audience = audience;
    this.#open = open;
    this.#name = name;
    this.#interruptions = audience.interruptions;
    open.set(name, this);
  }

  /** Everything that came in since it began; undefined where that is too much. */
  get heard(): readonly EventPublication[] | undefined {
    return this.#heard.length > MOST_HEARD ? undefined : this.#heard;
  }

  /** Nothing may have been lost since it began. */
  get isCurrent(): boolean {
    return this.#audience.interruptions === this.#interruptions;
  }

  /** As the broker's, and the broker is asked once. */
  async history(app: string, channel: string, since: Position | undefined, limit: number): Promise<HistoryPage> {
    const asked = JSON.stringify([since?.epoch, since?.offset, limit]);
    const page = this.#pages.get(asked) ?? this.#ask(app, channel, since, limit);
    this.#pages.set(asked, page);
    try {
      return await page;
    } finally {
      // Whoever comes now begins anew, so that no reading lasts as long as newcomers keep coming.
      this.#close();
    }
  }

  /** The reader has its answer. */
  end(): void {
    if (--this.#readers > 0) return;
    this.#close();
    this.#audience.listeners.delete(this.#listen);
  }

  async #ask(...query: Parameters<Broker["history"]>): Promise<HistoryPage> {
    return await this.#broker.history(...query);
  }

  #close(): void {
    if (this.#open.get(this.#name) === this) this.#open.delete(this.#name);
  }

  readonly #listen = (publication: EventPublication): void => {
    if (publication.position && this.#heard.length <= MOST_HEARD) this.#heard.push(publication);
  };
}

function nameOf(resume: Resume | undefined): string {
  return typeof resume === "object" ? JSON.stringify([resume.epoch, resume.offset]) : (resume ?? "last");
}
