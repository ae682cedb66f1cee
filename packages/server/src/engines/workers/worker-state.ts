/** What one node has written down with the engine, so that all of it can be taken back when the node is gone. */

import type { PresenceEntry } from "../../domain/ports.ts";

export interface Subject {
  readonly app: string;
  readonly channel: string;
}

export interface Taken {
  readonly place: string;
  readonly holder: string;
}

export class WorkerState {
  readonly subjects = new Map<string, Subject>();
  readonly #rows = new Map<string, PresenceEntry>();
  readonly #counts = new Map<string, Subject & { readonly count: number }>();
  readonly #places = new Map<string, Taken>();

  joined(row: PresenceEntry): void {
    this.#rows.set(rowKey(row), row);
  }

  left(row: PresenceEntry): void {
    this.#rows.delete(rowKey(row));
  }

  rows(): readonly PresenceEntry[] {
    return [...this.#rows.values()];
  }

  countOf(subject: Subject): number {
    return this.#counts.get(keyOf(subject))?.count ?? 0;
  }

  counted(subject: Subject, count: number): void {
    if (count > 0) this.#counts.set(keyOf(subject), { ...subject, count });
    else this.#counts.delete(keyOf(subject));
  }

  counts(): readonly (Subject & { readonly count: number })[] {
    return [...this.#counts.values()];
  }

  took(taken: Taken): void {
    this.#places.set(placeKey(taken), taken);
  }

  gaveBack(taken: Taken): void {
    this.#places.delete(placeKey(taken));
  }

  places(): readonly Taken[] {
    return [...this.#places.values()];
  }

  /** How much is remembered. */
  get size(): number {
    return this.subjects.size + this.#rows.size + this.#counts.size + this.#places.size;
  }
}

/** App ids have no slash. */
export function keyOf({ app, channel }: Subject): string {
  return `${app}/${channel}`;
}

/** Connections and places are named by the server itself, without a NUL. */
function rowKey({ app, channel, connection, member }: PresenceEntry): string {
  return `${connection}\0${app}/${channel}\0${member.id}`;
}

function placeKey({ place, holder }: Taken): string {
  return `${holder}\0${place}`;
}
