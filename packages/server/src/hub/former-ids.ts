/**
 * Connections that clients had before, by their ids. What such a one sent may be published only now, its client having come back
 * meanwhile by another connection: it is the client's own all the same.
 */

import type { Connection } from "../domain/connection.ts";

export class FormerIds {
  /** More than one client may say so. */
  readonly #successors = new Map<string, Set<Connection>>();
  readonly #ids = new Map<Connection, Set<string>>();

  add(connection: Connection, ids: readonly string[]): void {
    const known = this.#ids.get(connection) ?? new Set();
    this.#ids.set(connection, known);
    for (const id of ids) {
      known.add(id);
      const successors = this.#successors.get(id) ?? new Set();
      this.#successors.set(id, successors.add(connection));
    }
  }

  remove(connection: Connection): void {
    const ids = this.#ids.get(connection);
    if (!ids) return;
    for (const id of ids) {
      const successors = this.#successors.get(id);
      if (successors?.delete(connection) && successors.size === 0) this.#successors.delete(id);
    }
    this.#ids.delete(connection);
  }

  get isEmpty(): boolean {
    return this.#successors.size === 0;
  }

  /** The connections of clients that had the one of that id before. */
  of(id: string): Iterable<Connection> {
    return this.#successors.get(id) ?? NONE;
  }
}

const NONE: readonly Connection[] = [];
