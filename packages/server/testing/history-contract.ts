/** What every engine has to do with a history: pages both ways and by time, and forgetting before its time. */

import type { Broker, HistoryPage, HistoryPolicy, HistoryQuery, Position, PurgeRange } from "../src/engine.ts";
import { type EngineUnderTest, engineHost, type MakeEngine } from "./engine-under-test.ts";
import { HistoryModel } from "./history-model.ts";
import type { TestRunner } from "./runner.ts";

const KEEP: HistoryPolicy = { size: 100, ttlMs: 60_000 };
const SEED = 15;
const OPERATIONS = 150;

export function historyContract(runner: TestRunner, name: string, makeEngine: MakeEngine): void {
  const { describe, test, expect, beforeEach, afterEach } = runner;
  describe(`${name} history`, () => {
    let under: EngineUnderTest;
    let broker: Broker;

    beforeEach(async () => {
      under = await makeEngine();
      broker = under.engine.broker;
      await under.engine.start(engineHost(() => {}));
    });

    afterEach(async () => {
      await under.engine.close();
    });

    const publish = async (data: string, keep = KEEP): Promise<Position> => {
      const event = { type: "event", app: "app", channel: "room", event: "e", data } as const;
      const position = await broker.publish(event, keep);
      if (!position) throw new Error("a publication with history has to have a position");
      return position;
    };
    const publishAll = async (count: number): Promise<readonly [Position, ...Position[]]> => {
      const positions: [Position, ...Position[]] = [await publish("1")];
      for (let n = 2; n <= count; n++) positions.push(await publish(String(n)));
      return positions;
    };
    const read = async (query: Partial<HistoryQuery> = {}) =>
      broker.history("app", "room", { limit: 100, direction: "oldest", ...query });
    const purge = async (range: PurgeRange) => broker.purge("app", "room", range);
    const dataOf = ({ events }: HistoryPage) =>
      events.flatMap(({ publication }) => (publication.erased ? [] : publication.data));
    /** Page after page to the end. */
    const readAll = async (query: HistoryQuery): Promise<readonly string[]> => {
      const isOldest = query.direction === "oldest";
      let read: readonly string[] = [];
      for (let bounds = query, pages = 0; pages < 1_000; pages++) {
        const page = await broker.history("app", "room", bounds);
        read = isOldest ? [...read, ...dataOf(page)] : [...dataOf(page), ...read];
        const end = page.events.at(isOldest ? -1 : 0)?.publication.position;
        if (!page.hasMore || !end) return read;
        bounds = { ...bounds, ...(isOldest ? { after: end } : { before: end }) };
      }
      throw new Error("It never ends.");
    };

    test("pages both ways have every event once, and say where the last one is", async () => {
      await publishAll(11);
      const all = Array.from({ length: 11 }, (_, n) => String(n + 1));
      const [first, last] = [await read({ limit: 4 }), await read({ limit: 4, direction: "newest" })];
      expect([dataOf(first), first.hasMore]).toEqual([all.slice(0, 4), true]);
      expect([dataOf(last), last.hasMore]).toEqual([all.slice(-4), true]);
      for (const limit of [1, 4, 10, 11, 12]) {
        expect(await readAll({ limit, direction: "oldest" })).toEqual(all);
        expect(await readAll({ limit, direction: "newest" })).toEqual(all);
      }
    });

    test("bounds hold together, and one of another epoch or ahead of the channel finds nothing behind it", async () => {
      const positions = await publishAll(9);
      const at = (offset: number) => positions[offset - 1] ?? { ...positions[0], offset };
      const between = await read({ after: at(2), before: at(6) });
      expect([dataOf(between), between.complete, between.hasMore]).toEqual([["3", "4", "5"], true, false]);
      const some = await read({ after: at(2), before: at(8), limit: 2, direction: "newest" });
      expect([dataOf(some), some.complete, some.hasMore]).toEqual([["6", "7"], true, true]);
      expect(dataOf(await read({ before: at(1) }))).toEqual([]);
      for (const before of [at(11), { epoch: "another", offset: 5 }]) {
        const page = await read({ before });
        expect([dataOf(page), page.complete]).toEqual([[], false]);
      }
      const next = await read({ before: at(10), limit: 1, direction: "newest" });
      expect([dataOf(next), next.complete]).toEqual([["9"], true]);
    });

    test("each event has its time, which never goes back, and a range of times has what lies in it", async () => {
      for (const data of ["1", "2"]) await publish(data);
      await under.pass(30);
      for (const data of ["3", "4"]) await publish(data);
      await under.pass(30);
      await publish("5");
      const times = (await read()).events.map(({ publication }) => publication.atMs ?? 0);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      const [first = 0, , third = 0, , last = 0] = times;
      const ranges: readonly [Partial<HistoryQuery>, readonly string[]][] = [
        [{ fromMs: third }, ["3", "4", "5"]],
        [{ toMs: third }, ["1", "2"]],
        [{ fromMs: third, toMs: last }, ["3", "4"]],
        [{ fromMs: third, limit: 1 }, ["3"]],
        [{ fromMs: third, limit: 1, direction: "newest" }, ["5"]],
        [{ toMs: third, limit: 1, direction: "newest" }, ["2"]],
        [{ fromMs: last + 1 }, []],
        [{ toMs: first }, []],
        [{ withinMs: 600_000, toMs: third }, ["1", "2"]],
      ];
      for (const [query, expected] of ranges) {
        const page = await read(query);
        expect([query, dataOf(page), page.complete]).toEqual([query, expected, true]);
      }
      await under.pass(40);
      expect(dataOf(await read({ withinMs: 20 }))).toEqual([]);
    });

    test("a time before what is kept is not said to be complete", async () => {
      const keep = { ...KEEP, size: 2 };
      for (const data of ["1", "2", "3"]) await publish(data, keep);
      const page = await read({ fromMs: 1 });
      expect([dataOf(page), page.complete]).toEqual([["2", "3"], false]);
      expect((await read({ fromMs: 1, limit: 1, direction: "newest" })).complete).toBe(true);
    });

    test("purged as a whole it is empty and stands where it stood: from there on all is complete, from before it is not", async () => {
      const positions = await publishAll(5);
      const last = positions.at(-1) ?? positions[0];
      expect(await purge({ type: "all" })).toEqual({ purged: 5, position: last });
      expect(await purge({ type: "all" })).toEqual({ purged: 0, position: last });
      expect(dataOf(await read())).toEqual([]);
      expect([(await read({ after: last })).complete, (await read({ after: positions[3] ?? last })).complete]).toEqual([
        true,
        false,
      ]);
      expect(await publish("6")).toEqual({ ...last, offset: last.offset + 1 });
      const page = await read({ after: last });
      expect([dataOf(page), page.complete]).toEqual([["6"], true]);
    });

    test("purged in part, by position or by time, what is behind that stays", async () => {
      const positions = await publishAll(4);
      await under.pass(30);
      const later = await publish("5");
      const [, , third] = positions;
      if (!third) throw new Error("Four were published.");
      expect((await purge({ type: "before", position: third })).purged).toBe(2);
      expect(dataOf(await read())).toEqual(["3", "4", "5"]);
      expect((await read({ after: { ...third, offset: third.offset - 1 } })).complete).toBe(true);
      expect((await read({ after: positions[0] })).complete).toBe(false);
      const [event] = (await read({ before: { ...later, offset: later.offset + 1 }, limit: 1, direction: "newest" }))
        .events;
      expect((await purge({ type: "older", toMs: event?.publication.atMs ?? 0 })).purged).toBe(2);
      expect(dataOf(await read())).toEqual(["5"]);
      expect((await purge({ type: "before", position: { epoch: "another", offset: 9 } })).purged).toBe(0);
      expect(dataOf(await read())).toEqual(["5"]);
    });

    test("one event that is purged leaves its place: everything around it is still proved complete", async () => {
      const positions = await publishAll(5);
      for (const at of [1, 4]) {
        const position = positions[at];
        if (!position) throw new Error("Five were published.");
        expect((await purge({ type: "event", position })).purged).toBe(1);
        expect((await purge({ type: "event", position })).purged).toBe(0);
      }
      const page = await read({ after: { ...positions[0], offset: positions[0].offset - 1 } });
      expect([dataOf(page), page.complete]).toEqual([["1", "3", "4"], true]);
      expect(page.events.map(({ publication }) => publication.position)).toEqual([...positions]);
      expect(JSON.stringify(page).includes('"data":"2"')).toBe(false);
      const [, , third] = positions;
      const rest = await read({ after: third ?? positions[0] });
      expect([dataOf(rest), rest.complete]).toEqual([["4"], true]);
      await publish("6");
      expect(dataOf(await read({ limit: 2, direction: "newest" }))).toEqual(["4", "6"]);
      const unknown = { ...positions[0], offset: positions[0].offset + 50 };
      expect((await purge({ type: "event", position: unknown })).purged).toBe(0);
    });

    test("a channel that is not known has nothing to read and nothing to purge", async () => {
      expect(await purge({ type: "all" })).toMatchObject({ purged: 0 });
      expect(await read()).toMatchObject({ events: [], complete: true, hasMore: false });
      expect(await read({ before: { epoch: "another", offset: 3 } })).toMatchObject({ events: [], complete: false });
    });

    test("pages that are read while others publish have each event once, in order, both ways", async () => {
      const keep = { size: 5_000, ttlMs: 60_000 };
      const first = await publish("1", keep);
      const written = (async () => {
        for (let n = 2; n <= 600; n += 20) {
          await Promise.all(Array.from({ length: 20 }, (_, at) => publish(String(n + at), keep)));
        }
      })();
      const forwards: string[] = dataOf(await read());
      for (let after = first, isOver = false; !isOver || forwards.length < 601; ) {
        const page = await read({ after, limit: 17 });
        expect(page.complete).toBe(true);
        forwards.push(...dataOf(page).filter((data) => data !== "1" && Number(data) > forwards.length));
        after = page.events.at(-1)?.publication.position ?? after;
        if (page.events.length > 0) continue;
        await written;
        isOver = true;
        if (page.events.length === 0 && forwards.length >= 601) break;
      }
      const all = Array.from({ length: 601 }, (_, n) => String(n + 1));
      expect(forwards).toEqual(all);
      expect(await readAll({ limit: 97, direction: "newest" })).toEqual(all);
    });

    test(`${OPERATIONS} operations at random come out as in the model`, async () => {
      const random = randomNumbers(SEED);
      const keep = { size: 20, ttlMs: 600_000 };
      const model = new HistoryModel(keep.size);
      model.epoch = (await publish("1", keep)).epoch;
      model.publish("1");
      const publishSome = async () => {
        const count = 1 + random(6);
        if (random(4) === 0) await under.pass(5);
        const data = Array.from({ length: count }, (_, n) => String(model.newest + n + 1));
        await Promise.all(data.map((each) => publish(each, keep)));
        for (const each of data) model.publish(each);
        model.learn(await read({ limit: 1_000 }));
      };
      const purgeSome = async () => {
        const position = model.position(Math.max(1, model.newest - random(25)));
        const toMs = model.timeOf(position.offset) ?? 0;
        const ranges: readonly PurgeRange[] = [{ type: "all" }, { type: "before", position }, { type: "older", toMs }];
        const range = random(3) > 0 ? ({ type: "event", position } as const) : (ranges[random(3)] ?? { type: "all" });
        const { purged } = await purge(range);
        expect([range, purged]).toEqual([range, model.purge(range)]);
      };
      const readSome = async () => {
        const some = () => Math.max(0, model.newest - random(30));
        const times = [model.timeOf(some()) ?? 0, model.timeOf(some()) ?? 0].toSorted((a, b) => a - b);
        const isByTime = random(3) === 0 && times.every((time) => time > 0);
        const query: HistoryQuery = {
          ...(random(2) === 0 && { after: model.position(some()) }),
          ...(random(3) === 0 && { before: model.position(1 + some()) }),
          ...(isByTime && { fromMs: times[0] as number, toMs: times[1] as number }),
          limit: 1 + random(8),
          direction: random(2) === 0 ? "oldest" : "newest",
        };
        const page = await read(query);
        const expected = model.matching(query);
        const [found, isOldest] = [dataOf(page), query.direction === "oldest"];
        const part = isOldest ? expected.slice(0, query.limit) : expected.slice(-query.limit);
        expect([query, found]).toEqual([query, part]);
        const isBounded = query.after !== undefined || isByTime;
        if (page.complete && isBounded) expect([query, found]).toEqual([query, model.truth(query, page)]);
        if (!page.complete) expect([query, model.isCovered(query) && !isByTime]).toEqual([query, false]);
        expect(await readAll(query)).toEqual(expected);
      };
      for (let n = 0; n < OPERATIONS; n++) {
        const kind = random(10);
        await (kind < 3 ? publishSome() : kind < 5 ? purgeSome() : readSome());
      }
    });
  });
}

/** Whole numbers below a bound, the same at each run. */
function randomNumbers(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}
