/**
 * Who is where: this node writes its own words into the stream and applies everybody's in the stream's order. What a word of
 * its own came to is known when it comes back; what stands in the stream after an interruption is put right by comparing.
 */

import type { PresenceMember } from "../../domain/message.ts";
import type {
  ChannelSummary,
  Clock,
  EngineHost,
  JoinResult,
  LeaveResult,
  NodeState,
  PresenceEntry,
  Registry,
  RegistryChange,
} from "../../domain/ports.ts";
import { Broom } from "./broom.ts";
import { unavailable } from "./fault.ts";
import { type Audience, factOf, tell, tellDifference } from "./herald.ts";
import { full, type Holding, Holdings, type Waiter } from "./holdings.ts";
import { type Change, type Generation, type Outcome, Picture } from "./picture.ts";
import type { Stored } from "./reading.ts";
import { Standing } from "./standing.ts";
import type { Store } from "./store.ts";
import type { Subjects } from "./subjects.ts";
import { Voice } from "./voice.ts";
import { about, decodeWord, joinWord, tallyWord, type Unnumbered, type Word } from "./words.ts";

/** Publications are received of channels that somebody here is in. */
export interface RegistryEvents extends Audience {
  happened(facts: readonly RegistryChange[]): void;
  report: EngineHost["report"];
  garbage(error: unknown): void;
  /** Somebody was answered who has to be done with it before anything else is told. */
  answered(): void;
  /** Words were lost, or may be: everything has to be read again. */
  lost(why: string): void;
  /** All that this node has is written under another generation from now on. */
  reborn(): void;
}

interface Spoken {
  readonly generation: string;
  readonly key: string;
  readonly word: Word;
}

/** How long what is still being written may hold up the end. */
const SETTLE_MS = 1_000;
/** Reaped generations that are remembered. */
const MOST_OVER = 10_000;

export class NatsRegistry implements Registry {
  readonly #clock: Clock;
  readonly #subjects: Subjects;
  readonly #store: Store;
  readonly #events: RegistryEvents;
  readonly #waitMs: number;
  readonly #beatMs: number;
  readonly #nodeTimeoutMs: number;
  readonly #mine = new Holdings();
  #picture = new Picture();
  /** Of each subject that was read: what is heard of it up to there is older. */
  #read: Map<string, number> | undefined;
  #readUpTo = 0;
  /** The last of the stream that was heard since. */
  #heardUpTo = 0;
  readonly #voice: Voice;
  readonly #standing: Standing;
  readonly #broom: Broom;
  /** Generations that were reaped, the latest last: what they still write counts for nothing. */
  readonly #over = new Set<string>();
  /** As what this node was taken for dead last, while something of it may still stand in the stream. */
  #former: string | undefined;
  /** When this node's own record came back last. */
  #heardSelfAtMs = 0;
  #isClosed = false;

  constructor(
    parts: {
      readonly clock: Clock;
      readonly subjects: Subjects;
      readonly store: Store;
      readonly waitMs: number;
      readonly beatMs: number;
      readonly nodeTimeoutMs: number;
    },
    events: RegistryEvents,
  ) {
    this.#clock = parts.clock;
    this.#subjects = parts.subjects;
    this.#store = parts.store;
    this.#waitMs = parts.waitMs;
    this.#beatMs = parts.beatMs;
    this.#nodeTimeoutMs = parts.nodeTimeoutMs;
    this.#voice = new Voice(
      parts.subjects,
      parts.store,
      () => events.report(),
      (why) => events.lost(why),
    );
    this.#standing = new Standing(parts.clock, parts.store, this.#mine, this.#voice);
    this.#broom = new Broom(parts.store);
    this.#events = events;
  }

  get generation(): string {
    return this.#voice.generation;
  }

  get generations(): ReadonlyMap<string, Generation> {
    return this.#picture.generations;
  }

  // ---- what the hub asks

  async join(row: PresenceEntry, maxMembers: number): Promise<JoinResult> {
    const { app, channel, connection, member } = row;
    const key = this.#rowKey(row);
    let holding = this.#mine.rows.get(key);
    const isFirstHere = holding === undefined;
    if (!holding) {
      const joinedAtMs = Math.round(this.#store.nowMs);
      const admission = this.#ask(key, { type: "join", ...about(row), user: member.id }, () =>
        joinWord(row, maxMembers, joinedAtMs),
      );
      const connections = new Set<string>();
      const writtenAtMs = this.#clock.monotonicMs();
      holding = { row, most: maxMembers, joinedAtMs, connections, admission, writtenAtMs };
      this.#mine.rows.set(key, holding);
    }
    holding.connections.add(connection);
    const outcome = await this.#admitted(key, holding);
    if (outcome.type === "full") throw full(maxMembers);
    const first = isFirstHere && outcome.type === "done" && outcome.changes.some(({ type }) => type === "joined");
    return { isFirst: first, members: this.#picture.members(app, channel) };
  }

  async leave(row: PresenceEntry): Promise<LeaveResult> {
    const key = this.#rowKey(row);
    const holding = this.#mine.rows.get(key);
    if (!holding?.connections.delete(row.connection) || holding.connections.size > 0) return { isLast: false };
    this.#mine.rows.delete(key);
    const outcome = await this.#ask(key, { type: "leave", ...about(row), user: row.member.id }, () => ({
      type: "leave",
      ...about(row),
    }));
    return { isLast: outcome.type === "done" && outcome.changes.some(({ type }) => type === "left") };
  }

  async setSubscriberCount(app: string, channel: string, count: number): Promise<"occupied" | "vacated" | undefined> {
    const key = this.#tallyKey(app, channel);
    const before = this.#mine.tallies.get(key)?.count ?? 0;
    if (before === count) return undefined;
    const tally = { app, channel, count, writtenAtMs: this.#clock.monotonicMs() };
    if (count > 0) this.#mine.tallies.set(key, tally);
    else this.#mine.tallies.delete(key);
    if (before > 0 && count > 0) {
      this.#mine.pending.add(key);
      this.#standing.show(this.#picture, key, tally);
      return undefined;
    }
    this.#mine.pending.delete(key);
    const outcome = await this.#ask(key, { type: "tally", app, channel }, () => ({
      type: "tally",
      app,
      channel,
      count,
    }));
    const change = outcome.type === "done" ? outcome.changes[0] : undefined;
    return change?.type === "occupied" || change?.type === "vacated" ? change.type : undefined;
  }

  // What this node was told before it asks is in the answer: it reads its own writes.

  async members(app: string, channel: string): Promise<readonly PresenceMember[]> {
    if (this.#voice.canSpeak) await this.#mine.written(app, channel);
    return this.#picture.members(app, channel);
  }

  /** Where this node's own count waits to be written, after it: of all who count at once, the last in the stream knows all. */
  async summary(app: string, channel: string): Promise<ChannelSummary | undefined> {
    const key = this.#tallyKey(app, channel);
    const tally = this.#mine.tallies.get(key);
    if (tally && this.#voice.canSpeak && this.#mine.pending.delete(key)) {
      await this.#ask(key, { type: "tally", app, channel }, () => tallyWord(tally)).catch(() => {});
    }
    if (this.#voice.canSpeak) await this.#mine.written(app, channel);
    return this.#picture.summary(app, channel);
  }

  async channels(app: string, prefix: string): Promise<readonly ChannelSummary[]> {
    if (this.#voice.canSpeak) await this.#mine.written(app);
    return this.#picture.channels(app, prefix);
  }

  nodes(): readonly NodeState[] {
    const nowMs = this.#clock.monotonicMs();
    const own = this.#events.report();
    const states = new Map<string, NodeState>();
    for (const { report, heardAtMs } of this.#picture.generations.values()) {
      if (!report) continue;
      const silentMs = Math.max(0, Math.round(nowMs - heardAtMs));
      const known = states.get(report.id);
      if (!known || known.silentMs > silentMs) states.set(report.id, { ...report, silentMs });
    }
    return [...states.set(own.id, { ...own, silentMs: 0 }).values()];
  }

  // ---- what the stream says

  /**
   * Takes what was read from the stream for the picture, after an interruption. Says to clients what changed meanwhile. What
   * others had in a stream that is lost they still have, until they say otherwise or are silent too long.
   */
  adopt(stored: readonly Stored[], isNewStream: boolean): void {
    this.#voice.heartbeat.restart();
    this.#heardUpTo = 0;
    const before = this.#picture;
    const nowMs = this.#clock.monotonicMs();
    const picture = new Picture();
    this.#read = new Map(stored.map(({ subject, seq }) => [this.#subjects.bare(subject), seq]));
    this.#readUpTo = stored.reduce((most, { seq }) => Math.max(most, seq), 0);
    const all = stored.flatMap((each) => this.#parse(each.subject, each.text) ?? []);
    for (const { generation, word } of all) if (word.type === "reap" && word.by !== "") this.#bury(generation);
    const words = all.filter(({ generation }) => !this.#over.has(generation));
    const isNode = ({ word }: Spoken) => word.type === "node";
    for (const each of [...words.filter(isNode), ...words.filter((each) => !isNode(each))]) {
      picture.apply(each.generation, each.key, each.word, false, nowMs);
    }
    if (isNewStream) {
      for (const [generation, known] of before.generations) picture.assume(generation, known, nowMs);
      this.#voice.isKnown = false;
    }
    const isOver = this.#over.has(this.#voice.generation);
    if (isOver || (this.#voice.isKnown && !picture.generations.has(this.#voice.generation))) this.#beReborn();
    this.#picture = picture;
    tellDifference(this.#events, before, picture);
  }

  /** All that was held back while reading has been heard, and the way is open: says what this node has. */
  begin(): void {
    // What was written under the old name after its end is of no use to anybody.
    if (this.#former) this.#store.purge(this.#subjects.ofGeneration(this.#former)).catch(() => {});
    this.#former = undefined;
    const isNew = !this.#voice.isKnown;
    this.#voice.isKnown = true;
    this.#voice.say(true, !isNew);
    this.#standing.putRight(this.#picture, isNew);
    if (isNew) this.#voice.say(false, true);
  }

  /** It came over the connection, and is heard when its turn comes. */
  arrived(subject: string, seq: number): void {
    if (subject.endsWith(`.${this.#voice.generation}.n`)) this.#voice.heartbeat.heard(seq);
  }

  hear(subject: string, text: string, seq: number): void {
    // The stream tells everything once and in order: what comes again is a replay.
    if (seq <= this.#heardUpTo) return;
    this.#heardUpTo = seq;
    if (seq > this.#readUpTo) this.#read = undefined;
    if ((this.#read?.get(this.#subjects.bare(subject)) ?? 0) >= seq) return;
    const spoken = this.#parse(subject, text);
    if (!spoken || this.#over.has(spoken.generation)) return;
    const { generation, key, word } = spoken;
    if (!this.#follows(generation, word)) return this.#events.lost("words of a node were missed");
    const isMine = generation === this.#voice.generation;
    const outcome = this.#picture.apply(generation, key, word, true, this.#clock.monotonicMs());
    if (outcome.type === "stray") return;
    const changes = outcome.type === "done" ? outcome.changes : [];
    tell(this.#events, changes);
    if (word.type === "reap") return this.#afterReap(generation, word.by, changes, seq);
    if (!isMine) return;
    if (word.type === "node") return this.#judge();
    this.#afterOwn(key, word, outcome, seq);
  }

  // ---- once a second or so

  beat(): void {
    if (!this.#store.isOpen) return;
    this.#voice.beat();
    this.#standing.write();
  }

  /** Gives up on what has waited too long. */
  sweep(): void {
    for (const waiter of this.#mine.late(this.#clock.monotonicMs())) waiter.reject(unavailable());
  }

  /** Takes back all that this node has, in one word. */
  async close(): Promise<void> {
    // The last connections have only just left.
    const untilMs = this.#clock.monotonicMs() + SETTLE_MS;
    do await Bun.sleep(1);
    while (this.#store.isOpen && this.#mine.isAwaited && this.#clock.monotonicMs() < untilMs);
    this.#isClosed = true;
    for (const key of this.#mine.keys()) {
      for (const waiter of this.#mine.takeAll(key)) waiter.reject(unavailable());
    }
    if (this.#store.isOpen) await this.#voice.farewell();
  }

  // ---- private

  #ask(
    key: string,
    about: Pick<Waiter, "type" | "app" | "channel" | "user">,
    word: () => Unnumbered,
  ): Promise<Outcome> {
    if (this.#isClosed) return Promise.reject(unavailable());
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    const untilMs = this.#clock.monotonicMs() + this.#waitMs;
    const n = this.#voice.canSpeak ? this.#voice.write(key, word()) : undefined;
    const settled = promise.catch(() => {});
    this.#mine.wait(key, { ...about, n, untilMs, settled, resolve, reject });
    return promise;
  }

  /** What became of the user's first connection here; takes the user back where it came to nothing. */
  async #admitted(key: string, holding: Holding): Promise<Outcome> {
    const withdraw = () => {
      if (this.#mine.rows.get(key) !== holding) return;
      this.#mine.rows.delete(key);
      if (this.#store.isOpen) this.#voice.write(key, { type: "leave", ...about(holding.row) });
    };
    try {
      const outcome = await holding.admission;
      if (outcome.type === "full") withdraw();
      return outcome;
    } catch (error) {
      withdraw();
      throw error;
    }
  }

  /** Whether nothing is missing before it. */
  #follows(generation: string, word: Word): boolean {
    const known = this.#picture.generations.get(generation);
    if (!known || word.type === "reap") return true;
    const expected = known.n;
    if (word.type === "node") {
      known.n = word.n;
      return expected === undefined || word.isFresh || word.n === expected;
    }
    known.n = word.n;
    return expected === undefined || word.n === expected + 1;
  }

  /**
   * This node's own record came back, so what others wrote before it has been heard. Who has been silent too long is taken for dead: by time in
   * which this node heard itself at every beat, because while it, its connection or NATS stood still nobody could be heard.
   */
  #judge(): void {
    const nowMs = this.#clock.monotonicMs();
    const beforeMs = this.#heardSelfAtMs;
    this.#heardSelfAtMs = nowMs;
    for (const [generation, known] of this.#picture.generations) {
      if (generation === this.#voice.generation) continue;
      known.silentMs += Math.min(nowMs - Math.max(beforeMs, known.heardAtMs), this.#beatMs);
      if (known.silentMs >= this.#nodeTimeoutMs) this.#voice.reap(generation);
    }
  }

  #afterOwn(key: string, word: Exclude<Word, { type: "reap" | "node" }>, outcome: Outcome, seq: number): void {
    const waiter = this.#mine.take(key, word.n);
    if (word.type === "leave" || (word.type === "tally" && word.count === 0)) {
      this.#broom.sweep(seq);
    }
    const tally = this.#mine.tallies.get(key);
    if (word.type === "tally" && tally) this.#standing.show(this.#picture, key, tally);
    if (waiter) {
      waiter.resolve(outcome);
      this.#events.answered();
    } else if (outcome.type === "done" && outcome.changes.length > 0) {
      this.#events.happened(outcome.changes.map(factOf));
    }
  }

  #afterReap(generation: string, by: string, changes: readonly Change[], seq: number): void {
    if (by === this.#voice.generation || (this.#isClosed && generation === this.#voice.generation)) {
      if (changes.length > 0) this.#events.happened(changes.map(factOf));
      // But not the word itself: whoever was away, that node included, has to find it beside what is still written in that name.
      this.#store.purge(this.#subjects.ofGeneration(generation), seq).catch(() => {});
    }
    this.#bury(generation);
    if (generation !== this.#voice.generation || this.#isClosed) return;
    this.#beReborn();
    this.begin();
  }

  #bury(generation: string): void {
    this.#over.add(generation);
    for (const oldest of this.#over) {
      if (this.#over.size <= MOST_OVER) break;
      this.#over.delete(oldest);
    }
  }

  #beReborn(): void {
    this.#former = this.#voice.generation;
    this.#voice.rename();
    this.#events.reborn();
  }

  #parse(subject: string, text: string): Spoken | undefined {
    try {
      const parsed = this.#subjects.parseRow(subject);
      if (!parsed) throw new Error("a subject of no node");
      return { ...parsed, word: decodeWord(text) };
    } catch (error) {
      this.#events.garbage(error);
      return undefined;
    }
  }

  #rowKey({ app, channel, member }: PresenceEntry): string {
    return this.#subjects.row("", app, channel, member.id).slice(this.#subjects.ofGeneration("").length - 1);
  }

  #tallyKey(app: string, channel: string): string {
    return this.#subjects.tally("", app, channel).slice(this.#subjects.ofGeneration("").length - 1);
  }
}
