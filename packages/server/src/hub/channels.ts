/** What applies to each channel: the rules of its app, under what the program made of one channel by its name. */

import type { App, ChannelRule } from "../domain/app.ts";
import { type Channel, channelOf } from "../domain/channel.ts";

export class Channels {
  readonly #made = new Map<string, Map<string, ChannelRule>>();
  /** Whether any rule of the app speaks of history. */
  readonly #keeping = new WeakMap<App, boolean>();

  /** Searches the rules: for the first who comes to a channel, not for every message. */
  of(app: App, name: string): Channel {
    return channelOf(app, name, this.#made.get(app.id)?.get(name));
  }

  /** The same, but nothing where nothing can be kept of it: then no rule has to be looked for. */
  ofIfKept(app: App, name: string): Channel | undefined {
    const mayKeep = name.includes("cache-") || this.#made.get(app.id)?.get(name)?.history || this.#rulesKeep(app);
    return mayKeep ? this.of(app, name) : undefined;
  }

  /** Takes the place of an earlier one for the same channel. Whether there was one. */
  override(app: App, rule: ChannelRule): boolean {
    const made = this.#made.get(app.id) ?? new Map<string, ChannelRule>();
    const known = made.has(rule.match);
    this.#made.set(app.id, made.set(rule.match, rule));
    return known;
  }

  /** Whether there was one. */
  clearOverride(app: App, name: string): boolean {
    return this.#made.get(app.id)?.delete(name) ?? false;
  }

  #rulesKeep(app: App): boolean {
    let keeps = this.#keeping.get(app);
    if (keeps === undefined) {
      keeps = app.channels.some(({ history }) => history !== undefined);
      this.#keeping.set(app, keeps);
    }
    return keeps;
  }
}
