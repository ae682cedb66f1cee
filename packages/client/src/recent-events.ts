/** A channel's last events, for those who look later. A burst of them is one change. */

import { after, type Cancel, type Environment } from "./environment.ts";
import type { ChannelEvent } from "./types.ts";

const CHANGE_MS = 16;

export class RecentEvents {
  events: readonly ChannelEvent[] = [];
  /** How many. */
  most = 0;
  readonly #environment: Environment;
  readonly #changed: () => void;
  #due: ChannelEvent[] = [];
  #cancel: Cancel | undefined;

  constructor(environment: Environment, changed: () => void) {
    this.#environment = environment;
    this.#changed = changed;
  }

  add(event: ChannelEvent): void {
    if (this.most === 0) return;
    this.#due.push(event);
    this.#cancel ??= after(this.#environment, CHANGE_MS, () => this.flush());
  }

  flush(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#due.length === 0) return;
    this.events = [...this.events, ...this.#due].slice(-this.most);
    this.#due = [];
    this.#changed();
  }

  clear(): void {
    this.flush();
    this.events = [];
  }
}
