/**
 * What is remembered for days: a second stream, made when it is first needed. The first one keeps everything as long as what it
 * has to keep longest, and each channel's last word is in it.
 */

import { nanos } from "@nats-io/transport-node";
import type { Drawer } from "./cells.ts";
import { apiCode, Unsent } from "./fault.ts";
import type { Link, Wire } from "./link.ts";
import type { Stored } from "./reading.ts";
import type { NatsSettings } from "./settings.ts";
import { type AppendOptions, append, LAST_OF_EACH, lastOf, STREAM_NOT_FOUND, withReplicas } from "./stream.ts";
import type { Subjects } from "./subjects.ts";

export class LastingStore implements Drawer {
  readonly #settings: NatsSettings;
  readonly #subjects: Subjects;
  readonly #link: () => Link | undefined;
  /** How long it keeps what is written; 0 where nobody knows whether it is there. */
  #ageMs = 0;

  constructor(settings: NatsSettings, subjects: Subjects, link: () => Link | undefined) {
    this.#settings = settings;
    this.#subjects = subjects;
    this.#link = link;
  }

  /** Makes sure that it is there, and that messages stay at least so long. */
  async keepFor(ttlMs: number): Promise<void> {
    if (ttlMs <= this.#ageMs) return;
    const wire = this.#wire();
    const { streams } = wire;
    const name = this.#subjects.lastingStream;
    const foundMs = await this.#age(wire);
    if (foundMs === undefined) await withReplicas(this.#settings, wire, (replicas) => this.#add(wire, replicas, ttlMs));
    else if (foundMs < ttlMs) await streams.update(name, { max_age: nanos(ttlMs) });
    this.#ageMs = Math.max(ttlMs, foundMs ?? 0);
  }

  async append(subject: string, text: string, options: AppendOptions = {}): Promise<number> {
    return (await append(this.#wire(), subject, text, options)).seq;
  }

  /** As the stream's leader has it. */
  async last(subject: string): Promise<Stored | undefined> {
    try {
      return await lastOf(this.#wire(), this.#subjects.lastingStream, subject);
    } catch (error) {
      if (apiCode(error) === STREAM_NOT_FOUND) return undefined;
      throw error;
    }
  }

  /** On another connection nothing need be as it was. */
  clear(): void {
    this.#ageMs = 0;
  }

  /** Takes the stream away where nothing is in it any more. */
  async removeIfEmpty(): Promise<void> {
    const { streams } = this.#wire();
    try {
      const { state } = await streams.info(this.#subjects.lastingStream);
      if (state.messages === 0) await streams.delete(this.#subjects.lastingStream);
    } catch (error) {
      if (apiCode(error) !== STREAM_NOT_FOUND) throw error;
    }
  }

  #wire(): Wire {
    const wire = this.#link()?.wire;
    if (!wire) throw new Unsent("not connected");
    return wire;
  }

  async #age({ streams }: Wire): Promise<number | undefined> {
    try {
      return (await streams.info(this.#subjects.lastingStream)).config.max_age / 1e6;
    } catch (error) {
      if (apiCode(error) === STREAM_NOT_FOUND) return undefined;
      throw error;
    }
  }

  /** Another node may make it at the same time, for another time to live: then that is an error, and the next try finds it. */
  #add({ streams }: Wire, replicas: number, ttlMs: number) {
    return streams.add({
      name: this.#subjects.lastingStream,
      subjects: [this.#subjects.lasting],
      ...LAST_OF_EACH,
      max_age: nanos(ttlMs),
      num_replicas: replicas,
    });
  }
}
