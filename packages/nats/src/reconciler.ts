/** What this node has, as the stream should have it: written where it is missing or wrong, and again before it expires. */

import type { Clock } from "fanfare/engine";
import type { Change, ClusterState } from "./cluster-state.ts";
import type { LocalState } from "./local-state.ts";
import type { NodeWriter } from "./node-writer.ts";
import { channelOf, countEvent, joinEvent, type UnnumberedEvent } from "./registry-event.ts";
import { isAheadOf } from "./shown-member.ts";
import type { StreamStore } from "./stream-store.ts";

export class Reconciler {
  readonly #clock: Clock;
  readonly #store: StreamStore;
  readonly #local: LocalState;
  readonly #writer: NodeWriter;

  constructor(clock: Clock, store: StreamStore, local: LocalState, writer: NodeWriter) {
    this.#clock = clock;
    this.#store = store;
    this.#local = local;
    this.#writer = writer;
  }

  /** Compares everything; where the stream is new to this node, writes everything. */
  reconcile(cluster: ClusterState, isNewStream: boolean): void {
    const known = cluster.incarnations.get(this.#writer.incarnation);
    const written = [...(known?.members.keys() ?? []), ...(known?.counts.keys() ?? [])];
    for (const key of new Set([...this.#local.keys(), ...written])) {
      const event = this.#missing(cluster, key, isNewStream);
      if (event) this.#rewrite(key, event);
      else this.#answer(cluster, key);
    }
  }

  /** Writes counts that wait for it, and what will soon expire. */
  refresh(): void {
    for (const key of this.#local.unwrittenCounts) {
      const local = this.#local.counts.get(key);
      if (local) this.#writer.write(key, countEvent(local, local.count));
    }
    this.#local.unwrittenCounts.clear();
    this.#rewriteOld();
  }

  /** This node knows its own count before it is written. */
  applyLocalCount(cluster: ClusterState, key: string): void {
    const known = cluster.incarnations.get(this.#writer.incarnation);
    const count = this.#local.counts.get(key)?.count ?? 0;
    if (known && count > 0) cluster.setCount(known, key, count);
  }

  /** Of a user that is here too, another node has taken back what it had written: what is shown of the user may be known by that alone. */
  keepShown(cluster: ClusterState, keys: Iterable<string>): void {
    const known = cluster.incarnations.get(this.#writer.incarnation);
    for (const key of keys) {
      const member = this.#local.members.get(key);
      const written = known?.members.get(key);
      if (member && written && isAheadOf(member.saidAt, written.saidAt)) this.#writer.write(key, joinEvent(member));
    }
  }

  #missing(cluster: ClusterState, key: string, isNewStream: boolean): UnnumberedEvent | undefined {
    const known = cluster.incarnations.get(this.#writer.incarnation);
    const member = this.#local.members.get(key);
    const count = this.#local.counts.get(key);
    const written = known?.members.get(key);
    const counted = known?.counts.get(key);
    if (member) {
      const isWritten = !isNewStream && written && !isAheadOf(member.saidAt, written.saidAt);
      return isWritten ? undefined : joinEvent(member);
    }
    if (count) return isNewStream || counted?.count !== count.count ? countEvent(count, count.count) : undefined;
    if (written) return { type: "leave", ...channelOf(written.entry) };
    return counted && countEvent(counted, 0);
  }

  #rewrite(key: string, event: UnnumberedEvent): void {
    const n = this.#writer.write(key, event);
    const pending = this.#local.pending(key);
    for (const each of pending) each.n = undefined;
    const last = pending.findLast(({ type }) => type === event.type);
    if (last) last.n = n;
  }

  /** The stream has it as it should be: answers callers by the state. */
  #answer(cluster: ClusterState, key: string): void {
    for (const { type, app, channel, user = "", resolve } of this.#local.takeAll(key)) {
      const holders = cluster.holders(app, channel, user);
      const entry = this.#local.members.get(key)?.entry;
      const changes: Change[] = [];
      if (type === "join" && entry && holders === 1) changes.push({ type: "joined", entry });
      if (type === "leave" && holders === 0)
        changes.push({ type: "left", app, channel, member: { id: user, info: null } });
      resolve({ type: "done", changes });
    }
  }

  #rewriteOld(): void {
    const nowMs = this.#clock.monotonicMs();
    const isOld = ({ writtenAtMs }: { writtenAtMs: number }) => nowMs - writtenAtMs > this.#store.maxAgeMs / 2;
    for (const [key, member] of this.#local.members) {
      if (!isOld(member)) continue;
      member.writtenAtMs = nowMs;
      this.#writer.write(key, joinEvent(member));
    }
    for (const [key, count] of this.#local.counts) {
      if (!isOld(count)) continue;
      count.writtenAtMs = nowMs;
      this.#writer.write(key, countEvent(count, count.count));
    }
  }
}
