/**
 * Who is where: this node writes its own events into the stream and applies every node's in the stream's order. The outcome of
 * an event of its own is known when it comes back; what the stream has after an interruption is reconciled with the node's own.
 */

import type {
  ChannelSummary,
  Clock,
  EngineHost,
  JoinResult,
  LeaveResult,
  NodeState,
  PresenceEntry,
  PresenceMember,
  PresenceUpdate,
  Registry,
  RegistryChange,
} from "fanfare/engine";
import { type Change, ClusterState, type Incarnation, type Outcome } from "./cluster-state.ts";
import { unavailable } from "./errors.ts";
import { EventFilter, ReapedIncarnations } from "./event-filter.ts";
import { channelFull, type LocalMember, LocalState } from "./local-state.ts";
import { NodeWriter } from "./node-writer.ts";
import { notify, notifyDifference, type PresenceAudience, registryChangesOf } from "./presence-notifier.ts";
import type { StoredMessage } from "./read-stream.ts";
import { Reconciler } from "./reconciler.ts";
import {
  type ChannelEvent,
  channelOf,
  countEvent,
  isReport,
  joinEvent,
  type ParsedEvent,
  parseEvent,
  type RegistryEvent,
  type UnnumberedEvent,
} from "./registry-event.ts";
import { WHEN_JOINED } from "./shown-member.ts";
import type { StreamStore } from "./stream-store.ts";
import type { Subjects } from "./subjects.ts";

/** Receives publications of channels that a client of this node is in. */
export interface RegistryHost extends PresenceAudience {
  happened(facts: readonly RegistryChange[]): void;
  report: EngineHost["report"];
  malformed(error: unknown): void;
  /** A caller is answered now, and has to be done with it before anything else is received. */
  answering(): void;
  /** Events were lost, or may be: everything has to be read again. */
  lost(why: string): void;
  /** Everything that this node has is written as another incarnation from now on. */
  restarted(): void;
}

interface RegistryOptions {
  readonly clock: Clock;
  readonly subjects: Subjects;
  readonly store: StreamStore;
  readonly waitMs: number;
  readonly beatMs: number;
  readonly nodeTimeoutMs: number;
}

/** How long events that are still being written may delay `close`. */
const CLOSE_WAIT_MS = 1_000;

export class NatsRegistry implements Registry {
  readonly #options: RegistryOptions;
  readonly #host: RegistryHost;
  readonly #local = new LocalState();
  #cluster = new ClusterState();
  readonly #filter: EventFilter;
  readonly #writer: NodeWriter;
  readonly #reconciler: Reconciler;
  readonly #reaped = new ReapedIncarnations();
  /** As what this node was reaped last, while something of it may still be in the stream. */
  #former: string | undefined;
  /** When this node's own report came back last. */
  #heardSelfAtMs = 0;
  #isClosed = false;

  constructor(options: RegistryOptions, host: RegistryHost) {
    const { clock, store, subjects } = options;
    this.#options = options;
    this.#host = host;
    this.#filter = new EventFilter(subjects);
    this.#writer = new NodeWriter(
      subjects,
      store,
      () => host.report(),
      (why) => host.lost(why),
    );
    this.#reconciler = new Reconciler(clock, store, this.#local, this.#writer);
  }

  get incarnation(): string {
    return this.#writer.incarnation;
  }

  get incarnations(): ReadonlyMap<string, Incarnation> {
    return this.#cluster.incarnations;
  }

  // ---- what the hub asks

  async join(entry: PresenceEntry, maxMembers: number): Promise<JoinResult> {
    const { app, channel, connection, member } = entry;
    const key = this.#options.subjects.memberKey(app, channel, member.id);
    const known = this.#local.members.get(key);
    const local = known ?? this.#addMember(key, entry, maxMembers);
    local.connections.add(connection);
    const outcome = await this.#admitted(key, local);
    if (outcome.type === "full") throw channelFull(maxMembers);
    return { isFirst: !known && hasChange(outcome, "joined"), members: this.#cluster.members(app, channel) };
  }

  async leave(entry: PresenceEntry): Promise<LeaveResult> {
    const { app, channel, connection, member } = entry;
    const key = this.#options.subjects.memberKey(app, channel, member.id);
    const local = this.#local.members.get(key);
    if (!local?.connections.delete(connection) || local.connections.size > 0) return { isLast: false };
    this.#local.members.delete(key);
    const outcome = await this.#write(key, { type: "leave", ...channelOf(entry) }, member.id);
    return { isLast: hasChange(outcome, "left") };
  }

  async update({ app, channel, connection, member }: PresenceUpdate): Promise<boolean> {
    const key = this.#options.subjects.memberKey(app, channel, member.id);
    const local = this.#local.members.get(key);
    if (!local?.connections.has(connection)) return false;
    this.#local.update(local, member, Math.round(this.#options.store.nowMs));
    await this.#write(key, joinEvent(local), member.id);
    return true;
  }

  async setSubscriberCount(app: string, channel: string, count: number): Promise<"occupied" | "vacated" | undefined> {
    const key = this.#options.subjects.countKey(app, channel);
    const before = this.#local.counts.get(key)?.count ?? 0;
    if (before === count) return undefined;
    const writtenAtMs = this.#options.clock.monotonicMs();
    if (count > 0) this.#local.counts.set(key, { app, channel, count, writtenAtMs });
    else this.#local.counts.delete(key);
    if (before > 0 && count > 0) {
      this.#local.unwrittenCounts.add(key);
      this.#reconciler.applyLocalCount(this.#cluster, key);
      return undefined;
    }
    this.#local.unwrittenCounts.delete(key);
    const outcome = await this.#write(key, countEvent({ app, channel }, count));
    const change = outcome.type === "done" ? outcome.changes[0] : undefined;
    return change?.type === "occupied" || change?.type === "vacated" ? change.type : undefined;
  }

  // What this node wrote before it asks is in the answer: it reads its own writes.

  async members(app: string, channel: string): Promise<readonly PresenceMember[]> {
    if (this.#writer.canWrite) await this.#local.written(app, channel);
    return this.#cluster.members(app, channel);
  }

  /** Writes this node's own count first, where that waits: of all who count at once, the last in the stream knows all. */
  async summary(app: string, channel: string): Promise<ChannelSummary | undefined> {
    const key = this.#options.subjects.countKey(app, channel);
    const local = this.#local.counts.get(key);
    if (local && this.#writer.canWrite && this.#local.unwrittenCounts.delete(key)) {
      await this.#write(key, countEvent(local, local.count)).catch(() => {});
    }
    if (this.#writer.canWrite) await this.#local.written(app, channel);
    return this.#cluster.summary(app, channel);
  }

  async channels(app: string, prefix: string): Promise<readonly ChannelSummary[]> {
    if (this.#writer.canWrite) await this.#local.written(app);
    return this.#cluster.channels(app, prefix);
  }

  nodes(): readonly NodeState[] {
    const own = this.#host.report();
    const others = this.#cluster.nodes(this.#options.clock.monotonicMs()).filter(({ id }) => id !== own.id);
    return [...others, { ...own, silentMs: 0 }];
  }

  // ---- what the stream says

  /**
   * Takes what was read from the stream as the cluster's state, after an interruption. Notifies clients of what changed meanwhile.
   * What others had in a stream that is lost they still have, until they say otherwise or are silent too long.
   */
  load(stored: readonly StoredMessage[], isNewStream: boolean): void {
    this.#writer.heartbeat.reset();
    this.#filter.reset(stored);
    const before = this.#cluster;
    const nowMs = this.#options.clock.monotonicMs();
    const after = new ClusterState();
    const parsed = stored.flatMap((each) => this.#parse(each.subject, each.text) ?? []);
    for (const { incarnation, event } of parsed) {
      if (event.type === "reap" && event.by !== "") this.#reaped.add(incarnation);
    }
    const events = parsed.filter(({ incarnation }) => !this.#reaped.has(incarnation));
    const [reports, others] = [events.filter(isReport), events.filter((each) => !isReport(each))];
    for (const { incarnation, key, event } of [...reports, ...others]) {
      after.apply(incarnation, key, event, false, nowMs);
    }
    if (isNewStream) {
      for (const [incarnation, known] of before.incarnations) after.carryOver(incarnation, known, nowMs);
      this.#writer.isKnown = false;
    }
    const isLost = this.#writer.isKnown && !after.incarnations.has(this.#writer.incarnation);
    if (isLost || this.#reaped.has(this.#writer.incarnation)) this.#restart();
    this.#cluster = after;
    for (const key of this.#local.members.keys()) this.#local.show(key, after);
    notifyDifference(this.#host, before, after);
  }

  /** Everything that was held back while reading has been received, and the connection is up: writes what this node has. */
  begin(): void {
    // What was written as the former incarnation after its end does not count.
    if (this.#former) this.#purge(this.#former);
    this.#former = undefined;
    const isNew = !this.#writer.isKnown;
    this.#writer.isKnown = true;
    this.#writer.writeReport(true, !isNew);
    this.#reconciler.reconcile(this.#cluster, isNew);
    if (isNew) this.#writer.writeReport(false, true);
  }

  /** It came over the connection, and is applied when its turn comes. */
  arrived(subject: string, seq: number): void {
    if (subject.endsWith(`.${this.#writer.incarnation}.n`)) this.#writer.heartbeat.received(seq);
  }

  apply(subject: string, text: string, seq: number): void {
    if (!this.#filter.isNew(subject, seq)) return;
    const parsed = this.#parse(subject, text);
    if (!parsed || this.#reaped.has(parsed.incarnation)) return;
    const { incarnation, key, event } = parsed;
    if (!this.#follows(incarnation, event)) return this.#host.lost("registry events of a node were missed");
    const outcome = this.#cluster.apply(incarnation, key, event, true, this.#options.clock.monotonicMs());
    if (outcome.type === "stray") return;
    const changes = outcome.type === "done" ? outcome.changes : [];
    notify(this.#host, changes);
    if (event.type === "join") this.#local.show(key, this.#cluster);
    if (event.type === "reap") return this.#afterReap(incarnation, event.by, changes, seq);
    if (incarnation !== this.#writer.incarnation) {
      if (event.type === "leave") this.#reconciler.keepShown(this.#cluster, [key]);
      return;
    }
    if (event.type === "node") return this.#reapSilent();
    this.#afterOwn(key, event, outcome, seq);
  }

  // ---- once a second or so

  beat(): void {
    if (!this.#options.store.isOpen) return;
    this.#writer.beat();
    this.#reconciler.refresh();
  }

  /** Refuses callers that have waited too long. */
  sweep(): void {
    for (const pending of this.#local.takeExpired(this.#options.clock.monotonicMs())) pending.reject(unavailable());
  }

  /** Removes everything that this node has, by one event. */
  async close(): Promise<void> {
    const { clock, store } = this.#options;
    // The last connections have only just left.
    const untilMs = clock.monotonicMs() + CLOSE_WAIT_MS;
    do await Bun.sleep(1);
    while (store.isOpen && this.#local.hasPending && clock.monotonicMs() < untilMs);
    this.#isClosed = true;
    for (const key of this.#local.keys()) {
      for (const pending of this.#local.takeAll(key)) pending.reject(unavailable());
    }
    if (store.isOpen) await this.#writer.close();
  }

  // ---- private

  /** Writes the event, or has it written when the connection is up; resolves when it has come back. */
  #write(key: string, event: UnnumberedEvent, user?: string): Promise<Outcome> {
    if (this.#isClosed) return Promise.reject(unavailable());
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    const untilMs = this.#options.clock.monotonicMs() + this.#options.waitMs;
    const n = this.#writer.canWrite ? this.#writer.write(key, event) : undefined;
    const settled = promise.catch(() => {});
    const about = event.type === "join" ? event.entry : event;
    this.#local.add(key, {
      ...{ type: event.type, ...channelOf(about), ...(user !== undefined && { user }) },
      ...{ n, untilMs, settled, resolve, reject },
    });
    return promise;
  }

  #addMember(key: string, entry: PresenceEntry, maxMembers: number): LocalMember {
    const joinedAtMs = Math.round(this.#options.store.nowMs);
    const joined = { entry, saidAt: WHEN_JOINED, maxMembers, joinedAtMs };
    const admission = this.#write(key, joinEvent(joined), entry.member.id);
    const writtenAtMs = this.#options.clock.monotonicMs();
    const local = { ...joined, connections: new Set<string>(), admission, writtenAtMs };
    this.#local.members.set(key, local);
    return local;
  }

  /** The outcome of the user's first connection here; removes the user where it is not admitted. */
  async #admitted(key: string, local: LocalMember): Promise<Outcome> {
    const withdraw = () => {
      if (this.#local.members.get(key) !== local) return;
      this.#local.members.delete(key);
      if (this.#options.store.isOpen) this.#writer.write(key, { type: "leave", ...channelOf(local.entry) });
    };
    try {
      const outcome = await local.admission;
      if (outcome.type === "full") withdraw();
      return outcome;
    } catch (error) {
      withdraw();
      throw error;
    }
  }

  /** Whether no event of the incarnation is missing before it. */
  #follows(incarnation: string, event: RegistryEvent): boolean {
    const known = this.#cluster.incarnations.get(incarnation);
    if (!known || event.type === "reap") return true;
    const before = known.n;
    known.n = event.n;
    if (before === undefined) return true;
    return event.type === "node" ? event.isFresh || event.n === before : event.n === before + 1;
  }

  /**
   * This node's own report came back, so what others wrote before it has been received. Reaps nodes that were silent too long: by time in which this
   * node heard itself at every heartbeat, because while it, its connection or NATS stood still no node could be heard.
   */
  #reapSilent(): void {
    const { clock, beatMs, nodeTimeoutMs } = this.#options;
    const nowMs = clock.monotonicMs();
    const beforeMs = this.#heardSelfAtMs;
    this.#heardSelfAtMs = nowMs;
    for (const [incarnation, known] of this.#cluster.incarnations) {
      if (incarnation === this.#writer.incarnation) continue;
      known.silentMs += Math.min(nowMs - Math.max(beforeMs, known.heardAtMs), beatMs);
      if (known.silentMs >= nodeTimeoutMs) this.#writer.reap(incarnation);
    }
  }

  #afterOwn(key: string, event: ChannelEvent, outcome: Outcome, seq: number): void {
    const pending = this.#local.take(key, event.n);
    if (event.type === "leave" || (event.type === "count" && event.count === 0)) this.#options.store.removeLater(seq);
    if (event.type === "count") this.#reconciler.applyLocalCount(this.#cluster, key);
    if (pending) {
      pending.resolve(outcome);
      this.#host.answering();
    } else if (outcome.type === "done" && outcome.changes.length > 0) {
      this.#host.happened(registryChangesOf(outcome.changes));
    }
  }

  #afterReap(incarnation: string, by: string, changes: readonly Change[], seq: number): void {
    const isOwn = incarnation === this.#writer.incarnation;
    if (by === this.#writer.incarnation || (this.#isClosed && isOwn)) {
      if (changes.length > 0) this.#host.happened(registryChangesOf(changes));
      // But not this event: a node that was away, that one included, has to find it beside what is still written under that name.
      this.#purge(incarnation, seq);
    }
    this.#reaped.add(incarnation);
    if (!isOwn) this.#reconciler.keepShown(this.#cluster, this.#local.members.keys());
    if (!isOwn || this.#isClosed) return;
    this.#restart();
    this.begin();
  }

  #purge(incarnation: string, seq?: number): void {
    const { store, subjects } = this.#options;
    store.purge(subjects.ofIncarnation(incarnation), seq).catch(() => {});
  }

  #restart(): void {
    this.#former = this.#writer.incarnation;
    this.#writer.restart();
    this.#host.restarted();
  }

  #parse(subject: string, text: string): ParsedEvent | undefined {
    try {
      return parseEvent(this.#options.subjects, subject, text);
    } catch (error) {
      this.#host.malformed(error);
      return undefined;
    }
  }
}

function hasChange(outcome: Outcome, type: Change["type"]): boolean {
  return outcome.type === "done" && outcome.changes.some((change) => change.type === type);
}
