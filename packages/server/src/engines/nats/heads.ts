/** The latest parcel of channels that number their publications: cached, because whoever writes the next has to know it. */

import { decodeParcel, type Item, lastOffset, type Parcel } from "./codec.ts";
import type { Store } from "./store.ts";
import type { Subjects } from "./subjects.ts";

export interface Head {
  readonly seq: number;
  /** The parcel as it was written. */
  readonly text: string;
  readonly epoch: string;
  readonly parcel: number;
  readonly offset: number;
  readonly size: number;
  /** Of what was published in it under a key: until when that counts, by the server's clock. */
  readonly keys: ReadonlyMap<string, number>;
}

const MOST_CACHED = 1_000;

export class Heads {
  readonly #store: Store;
  readonly #subjects: Subjects;
  readonly #cached = new Map<string, Head>();

  constructor(store: Store, subjects: Subjects) {
    this.#store = store;
    this.#subjects = subjects;
  }

  /** Undefined where nothing was ever numbered. May be out of date: then writing after it fails. */
  async of(place: string): Promise<Head | undefined> {
    return this.#cached.get(place) ?? (await this.read(place))?.head;
  }

  /** As it stands now. */
  async read(place: string): Promise<{ readonly head: Head; readonly parcel: Parcel } | undefined> {
    const stored = await this.#store.last(this.#subjects.head(place));
    if (!stored) return undefined;
    const parcel = decodeParcel("", "", stored.text);
    const head = headOf(stored.seq, stored.text, parcel);
    if (head) this.set(place, head);
    return head && { head, parcel };
  }

  set(place: string, head: Head): void {
    const known = this.#cached.get(place);
    if (known && known.epoch === head.epoch && known.parcel > head.parcel) return;
    this.#cached.delete(place);
    this.#cached.set(place, head);
    if (this.#cached.size <= MOST_CACHED) return;
    for (const oldest of this.#cached.keys()) {
      this.#cached.delete(oldest);
      return;
    }
  }

  /** What was heard of a channel that this node writes to. */
  heard(place: string, seq: number, text: string, parcel: Parcel): void {
    if (!this.#cached.has(place)) return;
    const head = headOf(seq, text, parcel);
    if (head) this.set(place, head);
  }

  forget(place: string): void {
    this.#cached.delete(place);
  }

  clear(): void {
    this.#cached.clear();
  }
}

export function keysOf(items: readonly Pick<Item, "once">[], atMs: number): ReadonlyMap<string, number> {
  return new Map(items.flatMap(({ once }) => (once ? [[once.key, atMs + once.ttlMs] as const] : [])));
}

function headOf(seq: number, text: string, parcel: Parcel): Head | undefined {
  const { numbering } = parcel;
  if (!numbering) return undefined;
  const { epoch, parcel: number, size, atMs } = numbering;
  const keys = keysOf(parcel.items, atMs);
  return { seq, text, epoch, parcel: number, offset: lastOffset(parcel), size, keys };
}
