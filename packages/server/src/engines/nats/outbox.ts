/**
 * What this node has to publish, in order per channel. What is only carried goes at once, one parcel after the other; what is
 * numbered goes one parcel at a time, because each has to know the one before. What waits longer than it may is withdrawn.
 */

import { CommandError } from "../../domain/error.ts";
import type { Position, Publication } from "../../domain/message.ts";
import type { Clock, HistoryPolicy, IdempotencyKey } from "../../domain/ports.ts";
import { encodeItem, encodeParcel, type Numbering } from "./codec.ts";
import { Conflict, Unsent, unavailable } from "./fault.ts";
import { type Head, type Heads, keysOf } from "./heads.ts";
import type { NatsSettings } from "./settings.ts";
import type { Store } from "./store.ts";
import type { Subjects } from "./subjects.ts";

type Done = Position | "repeated" | undefined;

interface Letter {
  readonly encoded: string;
  readonly keep: HistoryPolicy | undefined;
  readonly once: IdempotencyKey | undefined;
  readonly untilMs: number;
  readonly resolve: (done: Done) => void;
  readonly reject: (error: unknown) => void;
}

/** Letters that go as one message. */
interface Batch {
  letters: readonly Letter[];
  readonly number: number;
  readonly isNumbered: boolean;
  /** As it was sent, where nobody knows whether it arrived: it has to be sent as the same again. */
  sent: { readonly head: Head | undefined; readonly numbering: Numbering; readonly text: string } | undefined;
  /** It was withdrawn, and may have been written when nobody was connected to hear: until then that is worth finding out. */
  settleUntilMs: number | undefined;
}

interface Lane {
  readonly place: string;
  waiting: Letter[];
  /** Of which it is open whether they were written; to be sent again before anything else. */
  doubtful: Batch[];
  sending: Batch[];
  pausedUntilMs: number;
  /** The latest that certainly arrived. */
  arrived: number;
  isScheduled: boolean;
}

const BATCH_LETTERS = 200;
const BATCH_BYTES = 256 * 1024;
/** Beside the publications: what a parcel and its headers take at most. */
const ENVELOPE_BYTES = 2_048;
const SWEEP_MS = 100;
const PAUSE_AFTER_FAULT_MS = 100;
/** Less than the server knows an id. */
const SETTLE_WITHIN_MS = 15_000;
/** More than what can be on its way late, so that nothing overwrites what is newer. */
const LEAST_SLOTS = 64;

/** Where a parcel goes when the next takes its place. The same for sizes that are near to each other. */
export function slotOf(parcel: number, size: number): number {
  return parcel % Math.max(LEAST_SLOTS, 2 ** Math.ceil(Math.log2(size + 1)) * 2);
}

export class Outbox {
  readonly #clock: Clock;
  readonly #settings: NatsSettings;
  readonly #subjects: Subjects;
  readonly #store: Store;
  readonly #heads: Heads;
  readonly #lanes = new Map<string, Lane>();
  /** Names this node among those that publish; another at each start. */
  readonly #sender = crypto.randomUUID().slice(0, 13);
  #number = 0;
  #bytes = 0;
  #sweeping: ReturnType<typeof setInterval> | undefined;
  #isClosed = false;
  #openAtMs = 0;

  constructor(clock: Clock, settings: NatsSettings, subjects: Subjects, store: Store, heads: Heads) {
    this.#clock = clock;
    this.#settings = settings;
    this.#subjects = subjects;
    this.#store = store;
    this.#heads = heads;
  }

  start(): void {
    this.#sweeping = setInterval(() => this.#sweep(), SWEEP_MS);
    this.#sweeping.unref?.();
  }

  post(place: string, publication: Publication, keep: HistoryPolicy | undefined): Promise<Position | undefined>;
  /** What has a key is numbered, whether it is kept or not, because of all who write after the same head one succeeds. */
  post(place: string, publication: Publication, keep: HistoryPolicy | undefined, once: IdempotencyKey): Promise<Done>;
  post(place: string, publication: Publication, keep: HistoryPolicy | undefined, once?: IdempotencyKey): Promise<Done> {
    const encoded = encodeItem(publication, keep?.ttlMs, once);
    const bytes = Buffer.byteLength(encoded);
    if (this.#isClosed || this.#bytes + bytes > this.#settings.publishWaitBytes) return Promise.reject(unavailable());
    const most = this.#store.maxPayloadBytes - ENVELOPE_BYTES;
    if (bytes > most) {
      return Promise.reject(
        new CommandError(
          "data_too_large",
          `The event takes ${bytes} bytes; NATS carries at most ${most} (its max_payload).`,
        ),
      );
    }
    this.#bytes += bytes;
    const { promise, resolve, reject } = Promise.withResolvers<Done>();
    const untilMs = this.#clock.monotonicMs() + this.#settings.publishWaitMs;
    const lane = this.#lane(place);
    const freed =
      <T>(end: (value: T) => void) =>
      (value: T) => {
        this.#bytes -= bytes;
        end(value);
      };
    lane.waiting.push({ encoded, keep, once, untilMs, resolve: freed(resolve), reject: freed(reject) });
    this.#schedule(lane);
    return promise;
  }

  /** Numbers the channel, or says again where it stands, with nothing to publish. */
  async touch(place: string): Promise<void> {
    const head = await this.#heads.of(place);
    const batch: Batch = {
      letters: [],
      number: ++this.#number,
      isNumbered: true,
      sent: undefined,
      settleUntilMs: undefined,
    };
    try {
      await this.#write(place, batch, head);
    } catch (error) {
      // Somebody else did it just now.
      if (!(error instanceof Conflict)) throw error;
      this.#heads.forget(place);
    }
  }

  /** The way is open, but for so long other nodes may not be there to hear. */
  pump(afterMs: number): void {
    this.#openAtMs = this.#clock.monotonicMs() + afterMs;
    for (const lane of this.#lanes.values()) this.#schedule(lane);
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#sweeping);
    for (const lane of this.#lanes.values()) {
      for (const batch of lane.doubtful) this.#refuse(batch);
      for (const letter of lane.waiting) letter.reject(unavailable());
      lane.doubtful = [];
      lane.waiting = [];
    }
  }

  #lane(place: string): Lane {
    let lane = this.#lanes.get(place);
    if (!lane) {
      lane = { place, waiting: [], doubtful: [], sending: [], pausedUntilMs: 0, arrived: 0, isScheduled: false };
      this.#lanes.set(place, lane);
    }
    return lane;
  }

  /** What is published in one tick goes in one parcel. */
  #schedule(lane: Lane): void {
    if (lane.isScheduled) return;
    lane.isScheduled = true;
    queueMicrotask(() => {
      lane.isScheduled = false;
      this.#send(lane);
    });
  }

  #send(lane: Lane): void {
    if (!this.#store.isOpen || this.#clock.monotonicMs() < Math.max(lane.pausedUntilMs, this.#openAtMs)) return;
    while (!lane.sending.some(({ isNumbered }) => isNumbered)) {
      // What is in doubt goes first, and alone: what comes after must not overtake it.
      if (lane.doubtful.length > 0 && lane.sending.length > 0) return;
      const batch = lane.doubtful.shift() ?? this.#nextBatch(lane);
      if (!batch) break;
      lane.sending.push(batch);
      void this.#deliver(lane, batch);
    }
    if (lane.sending.length + lane.waiting.length + lane.doubtful.length === 0) this.#lanes.delete(lane.place);
  }

  #nextBatch(lane: Lane): Batch | undefined {
    const most = Math.min(BATCH_BYTES, this.#store.maxPayloadBytes - ENVELOPE_BYTES);
    let bytes = 0;
    let count = 0;
    const keys = new Set<string>();
    for (const { encoded, once } of lane.waiting) {
      bytes += Buffer.byteLength(encoded) + 1;
      if (count > 0 && (count >= BATCH_LETTERS || bytes > most)) break;
      if (once && keys.has(once.key)) break;
      if (once) keys.add(once.key);
      count++;
    }
    if (count === 0) return undefined;
    const letters = lane.waiting.splice(0, count);
    const isNumbered = letters.some(({ keep, once }) => keep !== undefined || once !== undefined);
    return { letters, number: ++this.#number, isNumbered, sent: undefined, settleUntilMs: undefined };
  }

  async #deliver(lane: Lane, batch: Batch): Promise<void> {
    try {
      if (batch.settleUntilMs !== undefined) await this.#settle(lane.place, batch);
      else if (batch.isNumbered) await this.#deliverNumbered(lane.place, batch);
      else await this.#deliverPassing(lane.place, batch);
      lane.sending = lane.sending.filter((each) => each !== batch);
      lane.arrived = Math.max(lane.arrived, batch.number);
    } catch (error) {
      this.#takeBack(lane, batch, error);
    }
    this.#send(lane);
  }

  async #deliverPassing(place: string, { letters, number }: Batch): Promise<void> {
    const text = encodeParcel(
      { sender: this.#sender, number },
      letters.map(({ encoded }) => encoded),
    );
    const subject = this.#subjects.passing(place);
    const { isRepeated } = await this.#store.appendOnce(subject, text, { id: this.#idOf({ number }) });
    // It arrived the first time, perhaps when nobody was connected to hear. Whoever did hear it knows its number.
    if (isRepeated) await this.#store.append(subject, text);
    for (const letter of letters) letter.resolve(undefined);
  }

  async #deliverNumbered(place: string, batch: Batch): Promise<void> {
    await this.#store.keepFor(
      Math.max(...batch.letters.map(({ keep, once }) => Math.max(keep?.ttlMs ?? 0, once?.ttlMs ?? 0))),
    );
    for (;;) {
      try {
        const head = batch.sent ? batch.sent.head : await this.#heads.of(place);
        if (!batch.sent) await this.#sort(batch, head);
        if (batch.letters.length === 0) return;
        const { epoch, before } = await this.#write(place, batch, head);
        let offset = before;
        for (const { keep, resolve } of batch.letters) resolve(keep && { epoch, offset: ++offset });
        return;
      } catch (error) {
        if (!(error instanceof Conflict)) throw error;
        this.#heads.forget(place);
        batch.sent = undefined;
        if (batch.letters.every(({ untilMs }) => untilMs <= this.#clock.monotonicMs())) throw error;
      }
    }
  }

  /**
   * Answers what was published before. Whoever replaces a head notes its keys first, so whatever was published under a key is either noted
   * or in the head. That was known before the notes are read: where another comes after it, writing fails, and all is looked at again.
   */
  async #sort(batch: Batch, head: Head | undefined): Promise<void> {
    const isPublished = async ({ once }: Letter): Promise<boolean> => {
      if (!once) return false;
      const inHead = head?.keys.get(once.key) ?? 0;
      if (inHead > this.#store.nowMs) return true;
      const noted = await this.#store.last(this.#subjects.cell("published", once.key));
      return noted !== undefined && Number(noted.text) > this.#store.nowMs;
    };
    if (batch.letters.every(({ once }) => !once)) return;
    const found = await Promise.all(batch.letters.map(isPublished));
    for (const [at, letter] of batch.letters.entries()) if (found[at]) letter.resolve("repeated");
    batch.letters = batch.letters.filter((_, at) => !found[at]);
  }

  async #note({ keys }: Head): Promise<void> {
    const noted = [...keys].map(([key, untilMs]) =>
      this.#store.append(this.#subjects.cell("published", key), String(untilMs)),
    );
    await Promise.all(noted);
  }

  /** Makes the parcel the channel's head, and puts what was the head where history finds it. */
  async #write(place: string, batch: Batch, head: Head | undefined): Promise<Numbering> {
    const { letters, number } = batch;
    const kept = letters.flatMap(({ keep }) => keep ?? []);
    const size = kept.at(-1)?.size ?? head?.size ?? 0;
    if (head && head.keys.size > 0 && !batch.sent) await this.#note(head);
    const numbering: Numbering = {
      epoch: head?.epoch ?? crypto.randomUUID().slice(0, 18),
      parcel: (head?.parcel ?? 0) + 1,
      before: head?.offset ?? 0,
      size,
      atMs: Math.round(this.#store.nowMs),
    };
    const encoded = letters.map((letter) => letter.encoded);
    const text = encodeParcel({ sender: this.#sender, number, numbering }, encoded);
    batch.sent ??= { head, numbering, text };
    const { sent } = batch;
    const isNeeded = head !== undefined && kept.length < size;
    const archived = isNeeded
      ? this.#store.append(this.#subjects.archive(place, slotOf(head.parcel, size)), head.text)
      : undefined;
    const written = this.#store.appendOnce(this.#subjects.head(place), sent.text, {
      expect: head?.seq ?? 0,
      id: this.#idOf({ number }),
    });
    // Where only the first fails, history has a hole, and says so to whoever asks for what was in it.
    const [{ seq, isRepeated }] = await Promise.all([written, archived?.catch(() => 0)]);
    if (isRepeated) await this.#tellAgain(place, batch);
    const { epoch, parcel, before, atMs } = sent.numbering;
    const keys = keysOf(letters, atMs);
    this.#heads.set(place, { seq, text: sent.text, epoch, parcel, offset: before + kept.length, size, keys });
    return sent.numbering;
  }

  async #settle(place: string, batch: Batch): Promise<void> {
    const isWritten = await this.#store.isWritten(this.#subjects.head(place), this.#idOf(batch));
    if (isWritten) await this.#tellAgain(place, batch);
  }

  /**
   * Nobody knows who heard it: what is kept is found in history, the rest is said again to whoever has not heard the parcel
   * of this number.
   */
  async #tellAgain(place: string, { letters, number }: Batch): Promise<void> {
    const unkept = letters.flatMap(({ keep, encoded }) => (keep ? [] : encoded));
    if (unkept.length === 0) return;
    await this.#store.append(this.#subjects.passing(place), encodeParcel({ sender: this.#sender, number }, unkept));
  }

  #idOf({ number }: Pick<Batch, "number">): string {
    return `${this.#sender}.${number}`;
  }

  /** It may be sent again, unless something later of its channel has gone before. */
  #takeBack(lane: Lane, batch: Batch, error: unknown): void {
    lane.sending = lane.sending.filter((each) => each !== batch);
    if (this.#isClosed || batch.number < lane.arrived) return this.#refuse(batch);
    lane.doubtful.push(batch);
    lane.doubtful.sort((a, b) => a.number - b.number);
    if (!(error instanceof Unsent)) lane.pausedUntilMs = this.#clock.monotonicMs() + PAUSE_AFTER_FAULT_MS;
  }

  #refuse({ letters, settleUntilMs }: Batch): void {
    if (settleUntilMs !== undefined) return;
    for (const letter of letters) letter.reject(unavailable());
  }

  /** Its publishers are told that it was not taken. Says whether it has to be settled. */
  #withdraw(batch: Batch, nowMs: number): boolean {
    if (batch.settleUntilMs !== undefined) return nowMs < batch.settleUntilMs;
    this.#refuse(batch);
    batch.settleUntilMs = nowMs + SETTLE_WITHIN_MS;
    return batch.sent !== undefined && batch.letters.some(({ keep, once }) => once && !keep);
  }

  /** Withdraws what has waited too long. */
  #sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const lane of this.#lanes.values()) {
      lane.doubtful = lane.doubtful.filter(
        (batch) => batch.letters.every(({ untilMs }) => untilMs > nowMs) || this.#withdraw(batch, nowMs),
      );
      const over = lane.waiting.findIndex(({ untilMs }) => untilMs > nowMs);
      for (const letter of lane.waiting.splice(0, over < 0 ? lane.waiting.length : over)) letter.reject(unavailable());
      this.#send(lane);
    }
  }
}
