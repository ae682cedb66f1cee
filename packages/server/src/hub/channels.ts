/** What applies to each channel: the rules of its app, under what the program made of one channel by its name. */

import type { App, ChannelRule } from "../domain/app.ts";
import { type Channel, channelOf, ruleOf } from "../domain/channel.ts";
import type { EventPublication } from "../domain/message.ts";
import type { HistoryPolicy } from "../domain/ports.ts";

export class Channels {
  readonly #made = new Map<string, Map<string, ChannelRule>>();
  /** Whether the app, or any rule of it, speaks of history. */
  readonly #keeping = new WeakMap<App, boolean>();

  /** Searches the rules: for the first who comes to a channel, not for every message. */
  of(app: App, name: string): Channel {
    return channelOf(app, name, this.#made.get(app.id)?.get(name));
  }

  /**
   * What is kept of the publication. A cache channel keeps the last event that a back end sent; a channel with history keeps
   * what clients publish as well. `known` is the channel, where this node has it.
   */
  historyFor(app: App, known: Channel | undefined, { channel, from }: EventPublication): HistoryPolicy | undefined {
    const found = known ?? (this.#mayKeep(app, channel) ? this.of(app, channel) : undefined);
    if (!found) return undefined;
    const { traits, policy } = found;
    if (policy.history) {
      const { size, ttlS, totalBytes } = policy.history;
      return { size, ttlMs: ttlS * 1000, ...(totalBytes !== undefined && { totalBytes }) };
    }
    return traits.cache && from === undefined ? { size: 1, ttlMs: policy.cacheTtlS * 1000 } : undefined;
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

  /** Where nothing can be kept, no rule has to be looked for; and where its rule says nothing of history, no channel has to be made. */
  #mayKeep(app: App, name: string): boolean {
    if (name.includes("cache-") || this.#made.get(app.id)?.get(name)?.history !== undefined) return true;
    return this.#rulesKeep(app) && (app.recovery.enabled || ruleOf(app, name)?.history !== undefined);
  }

  #rulesKeep(app: App): boolean {
    let keeps = this.#keeping.get(app);
    if (keeps === undefined) {
      keeps = app.recovery.enabled || app.channels.some(({ history }) => history !== undefined);
      this.#keeping.set(app, keeps);
    }
    return keeps;
  }
}
