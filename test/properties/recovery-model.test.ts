/**
 * The hub with an engine that drops, delays, repeats and reorders what it delivers, answers questions about the past late, forgets, comes back
 * with what it kept or the better part of it, or as another and then as the first again, and is interrupted; against what every client of a channel with history is promised: each event once, in order, and never a hole that
 * it is not told of.
 */

import { expect, test } from "bun:test";
import fc from "fast-check";
import type { EventPublication, Position, Publication, Resume } from "../../packages/server/src/domain/message.ts";
import type {
  Broker,
  Clock,
  Engine,
  EngineHost,
  HistoryPage,
  HistoryPolicy,
  HistoryQuery,
} from "../../packages/server/src/domain/ports.ts";
import { memoryEngine } from "../../packages/server/src/engines/memory/engine.ts";
import { type Bench, bench, type FakeClient, fakeApp, type Seen, settled } from "../support/fakes.ts";
import { settings } from "./arbitraries.ts";

const CHANNEL = "room";
const SIZE = 6;
const MOST_CLIENTS = 4;

type Step =
  | { readonly do: "publish"; readonly count: number }
  | { readonly do: "deliver"; readonly count: number }
  | { readonly do: "drop" | "repeat" | "swap" | "answer" | "interrupt" | "forget" | "move" | "wait" }
  | { readonly do: "restart"; readonly lost: number }
  | { readonly do: "come"; readonly who: number; readonly how: "new" | "resume" | "kept" }
  | { readonly do: "go"; readonly who: number };

const who = fc.nat(MOST_CLIENTS - 1);
const how = fc.constantFrom("new", "resume", "kept");
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("publish" as const), count: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("deliver" as const), count: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom("drop", "repeat", "swap", "interrupt", "wait") }) },
  { weight: 4, arbitrary: fc.constant({ do: "answer" } as const) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("forget", "move") }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const), lost: fc.nat(3) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("come" as const), who, how }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("go" as const), who }) },
);

/** One channel's broker, every move of which is the test's. */
class RoughBroker implements Broker {
  readonly #onWay: Publication[] = [];
  readonly #questions: (() => void)[] = [];
  #here: World = { epoch: "e1", offset: 0, log: [], earlier: [] };
  #elsewhere: World = { epoch: "e2", offset: 0, log: [], earlier: [] };
  #epochs = 2;
  host: EngineHost | undefined;

  subscribe(): void {}

  unsubscribe(): void {}

  get position(): Position {
    const { epoch, offset } = this.#here;
    return { epoch, offset };
  }

  publish(publication: Publication, keep?: HistoryPolicy): Position | undefined {
    if (publication.type !== "event" || !keep)
      throw new Error("Only events in a channel with history are published here.");
    this.#here.offset++;
    const placed = { ...publication, position: this.position };
    this.#here.log = [...this.#here.log, placed].slice(-keep.size);
    this.#onWay.push(placed);
    return placed.position;
  }

  publishOnce(): never {
    throw new Error("Nothing is published under a key here.");
  }

  purge(): never {
    throw new Error("Nothing is purged here.");
  }

  /** The answer is made at once, and arrives when the test says so: it may be an old one by then. */
  history(_app: string, _channel: string, { after, limit }: HistoryQuery): Promise<HistoryPage> {
    const page = this.#pageOf(after, limit);
    return new Promise((resolve) => this.#questions.push(() => resolve(page)));
  }

  #pageOf(since: Position | undefined, limit: number): HistoryPage {
    const entry = (publication: EventPublication) => ({ publication, expiresInMs: 1_000 });
    const { position } = this;
    const { log, offset, earlier } = this.#here;
    const about = { position, hasMore: false, earlierEpochs: earlier };
    if (!since) return { events: log.slice(-limit).map(entry), complete: true, ...about };
    const start = since.offset - (offset - log.length);
    const complete = since.epoch === position.epoch && since.offset <= offset && start >= 0;
    const page = log.slice(complete ? start : 0).slice(0, limit);
    return { events: page.map(entry), complete, ...about };
  }

  deliver(): boolean {
    const next = this.#onWay.shift();
    if (next) this.host?.receive(next);
    return next !== undefined;
  }

  drop(): void {
    this.#onWay.shift();
  }

  repeat(): void {
    const [next] = this.#onWay;
    if (next) this.host?.receive(next);
  }

  swap(): void {
    const [first, second, ...rest] = this.#onWay;
    if (first && second) this.#onWay.splice(0, Number.POSITIVE_INFINITY, second, first, ...rest);
  }

  answer(): boolean {
    const next = this.#questions.shift();
    next?.();
    return next !== undefined;
  }

  /** An engine that loses what it keeps says that it was interrupted. */
  forget(): void {
    this.#here = { epoch: this.#newEpoch(), offset: 0, log: [], earlier: [] };
    this.#interrupt();
  }

  /** With what it kept, but for the last few: the numbers go on under another name. */
  restart(lost: number): void {
    const { log, offset: last, epoch: former, earlier } = this.#here;
    const offset = Math.max(last - log.length, last - lost);
    const epoch = this.#newEpoch();
    const kept = log.flatMap((each) => {
      const at = each.position?.offset ?? 0;
      return at <= offset ? { ...each, position: { epoch, offset: at } } : [];
    });
    this.#here = { epoch, offset, log: kept, earlier: [{ epoch: former, offset }, ...earlier] };
    this.#interrupt();
  }

  /** To another engine, or back to the first. */
  move(): void {
    [this.#here, this.#elsewhere] = [this.#elsewhere, this.#here];
    this.#interrupt();
  }

  #newEpoch(): string {
    return `e${++this.#epochs}`;
  }

  #interrupt(): void {
    this.#onWay.length = 0;
    this.host?.interrupted();
  }
}

interface World {
  readonly epoch: string;
  offset: number;
  log: readonly EventPublication[];
  readonly earlier: readonly Position[];
}

function roughEngine(clock: Clock, broker: RoughBroker): Engine {
  const inner = memoryEngine(clock);
  const { registry, ledger } = inner;
  return {
    name: "rough",
    broker,
    registry,
    ledger,
    start: (host) => {
      broker.host = host;
    },
    health: () => inner.health(),
    nodes: () => inner.nodes(),
    close: () => inner.close(),
  };
}

interface Reader {
  readonly client: FakeClient;
  /** What it wanted of the past. */
  readonly resume: Resume | undefined;
}

/** Where a client stood when it was last here: from there it resumes. */
type Stood = Map<number, Position>;

function positionOf({ position }: Seen): Position | undefined {
  return position as Position | undefined;
}

/** Checks the promise, and says where the client stands and whether a gap was the last it heard. */
function judge({ client, resume }: Reader): { stands: Position | undefined; gapLast: boolean } {
  let stands: Position | undefined;
  let gap = false;
  const told = new Set<unknown>();
  for (const frame of client.seen) {
    const position = positionOf(frame);
    if (frame.type === "refused") return { stands: undefined, gapLast: true };
    if (frame.type === "subscribed") {
      if (resume === undefined) expect(frame.recovered).toBeUndefined();
      if (typeof resume === "object" && frame.recovered === true) expect(position).toEqual(resume);
      if (!position) throw new Error("Subscribed without a position.");
      stands = position;
    } else if (frame.type === "gap") {
      gap = true;
    } else if (frame.type === "event") {
      if (!position || !stands) throw new Error("An event without a position, or before the answer.");
      if (position.epoch === stands.epoch) {
        if (gap) expect(position.offset).toBeGreaterThan(stands.offset);
        else expect(position.offset).toBe(stands.offset + 1);
      } else if (!gap) {
        // Only a numbering that begins anew may follow without a gap, and only where nothing of the old one is missing.
        expect(position.offset).toBe(1);
      }
      // Where the numbers went on under another name, it is the same event all the same.
      expect(String(frame.data)).toEndWith(` ${position.offset}`);
      expect(told).not.toContain(frame.data);
      told.add(frame.data);
      stands = position;
      gap = false;
    }
  }
  return { stands, gapLast: gap };
}

async function publish({ hub, app }: Bench, broker: RoughBroker): Promise<void> {
  const { epoch, offset } = broker.position;
  const data = `${epoch} ${offset + 1}`;
  await hub.publish(app, { type: "event", app: app.id, channel: CHANNEL, event: "e", data });
}

async function perform(
  real: Bench,
  broker: RoughBroker,
  readers: Map<number, Reader>,
  stood: Stood,
  each: Step,
): Promise<void> {
  switch (each.do) {
    case "publish":
      for (let n = 0; n < each.count; n++) await publish(real, broker);
      return;
    case "deliver":
      for (let n = 0; n < each.count; n++) broker.deliver();
      return;
    case "drop":
      return broker.drop();
    case "repeat":
      return broker.repeat();
    case "swap":
      return broker.swap();
    case "answer":
      broker.answer();
      return settled();
    case "interrupt":
      return broker.host?.interrupted();
    case "forget":
      return broker.forget();
    case "move":
      return broker.move();
    case "restart":
      return broker.restart(each.lost);
    case "wait":
      real.clock.pass(6_000);
      return real.hub.sweep();
    case "come":
      return come(real, readers, stood, each.who, each.how);
    case "go":
      return go(readers, stood, each.who);
  }
}

async function come(real: Bench, readers: Map<number, Reader>, stood: Stood, who: number, how: string): Promise<void> {
  if (readers.has(who)) return;
  const resume = how === "kept" ? "kept" : how === "resume" ? stood.get(who) : undefined;
  const reader: Reader = { client: real.open(), resume };
  readers.set(who, reader);
  reader.client.send({ type: "subscribe", channel: CHANNEL, ...(resume && { resume }) });
  await settled();
}

async function go(readers: Map<number, Reader>, stood: Stood, who: number): Promise<void> {
  const reader = readers.get(who);
  if (!reader) return;
  const { stands } = judge(reader);
  if (stands) stood.set(who, stands);
  readers.delete(who);
  reader.client.vanish();
  await settled();
}

/** Everything that is on its way arrives, every question is answered. */
async function comeToRest(broker: RoughBroker): Promise<void> {
  for (let idle = 0; idle < 3; ) {
    const isMoving = broker.deliver() || broker.answer();
    idle = isMoving ? 0 : idle + 1;
    await settled();
  }
}

test("every client hears each event once and in order, whatever the engine does, or is told of the gap (scenarios 22 and 26)", async () => {
  let events = 0;
  let gaps = 0;
  let recoveries = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 70 }), async (steps) => {
      const broker = new RoughBroker();
      const app = fakeApp({ channels: [{ match: CHANNEL, history: { size: SIZE, ttlS: 60 } }] });
      const real = await bench({
        app,
        engine: (clock) => roughEngine(clock, broker),
        limits: { activityTimeoutS: 1e9 },
      });
      const readers = new Map<number, Reader>();
      const stood: Stood = new Map();
      for (const each of steps) {
        await perform(real, broker, readers, stood, each);
        for (const reader of readers.values()) judge(reader);
      }
      // What was dropped last shows when the engine says so.
      broker.host?.interrupted();
      await comeToRest(broker);
      for (const reader of readers.values()) {
        const { stands, gapLast } = judge(reader);
        if (!gapLast) expect(stands).toEqual(broker.position);
        const types = reader.client.types;
        events += types.filter((type) => type === "event").length;
        gaps += types.filter((type) => type === "gap").length;
        recoveries += reader.client.seen.filter(({ recovered }) => recovered === true).length;
      }
    }),
    settings(1_000),
  );
  // It is no proof where nothing happened.
  expect([events > 100, gaps > 10, recoveries > 10]).toEqual([true, true, true]);
});
