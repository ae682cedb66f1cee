/**
 * What every engine has to do, run against each of them. Nothing here assumes that an answer or a delivery comes at once:
 * a promise is awaited, a delivery is waited for, and absence is proved by what was published after it.
 */

import {
  type Broker,
  type EventPublication,
  type HistoryPolicy,
  type Publication,
  parseUserInfo,
} from "../src/engine.ts";
import { type EngineUnderTest, engineHost, type MakeEngine } from "./engine-under-test.ts";
import { eventually, sleep } from "./eventually.ts";
import { historyContract } from "./history-contract.ts";
import type { TestRunner } from "./runner.ts";

/** Names that mean something to Redis, NATS, paths or JavaScript, each beside one that it would match as a pattern. */
const AWKWARD_NAMES: readonly (readonly [string, string])[] = [
  ["a*", "ab"],
  ["a>", "a.b"],
  ["a.*", "a.b"],
  ["a?", "ab"],
  ["[ab]", "a"],
  ["a/b", "a"],
  ["__proto__", "constructor"],
  ["#online-1", "online-1"],
  ["a\\*", "a*"],
];

const KEEP: HistoryPolicy = { size: 3, ttlMs: 60_000 };

export function brokerContract(runner: TestRunner, name: string, makeEngine: MakeEngine): void {
  const { describe, test, expect, beforeEach, afterEach } = runner;
  historyContract(runner, name, makeEngine);
  describe(`${name} broker`, () => {
    let under: EngineUnderTest;
    let broker: Broker;
    let received: Publication[];

    beforeEach(async () => {
      under = await makeEngine();
      broker = under.engine.broker;
      received = [];
      await under.engine.start(engineHost((publication) => received.push(publication)));
    });

    afterEach(async () => {
      await under.engine.close();
    });

    const eachPair = (name: string, body: (channel: string, other: string) => Promise<void>) => {
      for (const [channel, other] of AWKWARD_NAMES) {
        test(`${JSON.stringify(channel)} and ${JSON.stringify(other)} ${name}`, () => body(channel, other));
      }
    };
    const publish = async (channel: string, data: string, keep?: HistoryPolicy, app = "app") =>
      broker.publish(event(channel, data, app), keep);
    const heard = (channel: string, app = "app") =>
      received.flatMap((each) =>
        each.type === "event" && each.channel === channel && each.app === app ? each.data : [],
      );
    /** Publishes a last word and waits for it: what came before it in the channel has come, or never will. */
    const upToNow = async (channel: string, app = "app") => {
      const mark = crypto.randomUUID();
      await publish(channel, mark, undefined, app);
      await eventually(() => expect(heard(channel, app).at(-1)).toBe(mark));
      return heard(channel, app).slice(0, -1);
    };
    const history = async (channel: string, since?: { epoch: string; offset: number }, limit = 100, app = "app") =>
      broker.history(
        app,
        channel,
        since ? { after: since, limit, direction: "oldest" } : { limit, direction: "newest" },
      );
    const kept = async (channel: string, app = "app") =>
      (await history(channel, undefined, 100, app)).events.map(({ publication }) => publication.data);

    test("what is published in a subscribed channel is received once, in order", async () => {
      await broker.subscribe("app", "room");
      const sent = Array.from({ length: 200 }, (_, n) => String(n));
      await Promise.all(sent.map((data) => publish("room", data)));
      expect(await upToNow("room")).toEqual(sent);
    });

    test("a publication arrives as it was handed over", async () => {
      await broker.subscribe("app", "room");
      const publication: Publication = {
        type: "event",
        app: "app",
        channel: "room",
        event: "client-ü\u0000",
        data: '{"a":"\\u2028 ☃ \u{1f600}"}',
        except: ["1.2", "3.4"],
        from: { connection: "1.2", user: "u" },
        bare: true,
        key: "k",
        timed: { node: 7, atMs: 12.5 },
      };
      await broker.publish(publication);
      await eventually(() => expect(received).toEqual([publication]));
    });

    test("events of the largest size arrive, even where JSON takes six bytes for each of theirs", async () => {
      await broker.subscribe("app", "room");
      const sent = Array.from({ length: 10 }, (_, n) => `${n}${"\u0001".repeat(102_399)}`);
      await Promise.all(sent.map((data) => publish("room", data, KEEP)));
      expect((await upToNow("room")).map((data) => [data[0], data.length])).toEqual(
        sent.map((data) => [data[0], 102_400]),
      );
    });

    test("publications about members, counts and users travel too", async () => {
      await broker.subscribe("app", "presence-x");
      const about = { app: "app", channel: "presence-x" };
      const sent: Publication[] = [
        { type: "joined", ...about, member: { id: "1", info: { name: "Ada" } }, except: ["1.1"] },
        { type: "joined", ...about, member: { id: "2", ...parseUserInfo('{ "n":1234567890123456789}') } },
        { type: "count", ...about, count: 7 },
        { type: "online", ...about, user: "1" },
        { type: "replaced", ...about, user: "1", connection: "1.1" },
        { type: "left", ...about, member: { id: "1" } },
      ];
      for (const publication of sent) await broker.publish(publication);
      await eventually(() => expect(received).toEqual(sent));
    });

    test("everything published after subscribe has resolved is received", async () => {
      for (let round = 0; round < 20; round++) {
        await broker.subscribe("app", `room-${round}`);
        await publish(`room-${round}`, "first");
      }
      for (let round = 0; round < 20; round++) {
        await eventually(() => expect(heard(`room-${round}`)).toEqual(["first"]));
      }
    });

    test("subscribing again right after unsubscribing leaves it subscribed", async () => {
      const first = broker.subscribe("app", "room");
      broker.unsubscribe("app", "room");
      await Promise.all([first, broker.subscribe("app", "room")]);
      await publish("room", "heard");
      await eventually(() => expect(heard("room")).toEqual(["heard"]));
    });

    test("unsubscribing from a channel never subscribed to is harmless", async () => {
      broker.unsubscribe("app", "nowhere");
      await broker.subscribe("app", "room");
      expect(await upToNow("room")).toEqual([]);
    });

    eachPair("are two channels", async (channel, other) => {
      await broker.subscribe("app", channel);
      await broker.subscribe("app", other);
      await publish(channel, "one");
      await publish(other, "two");
      expect(await upToNow(channel)).toEqual(["one"]);
      expect(await upToNow(other)).toEqual(["two"]);
    });

    test("the channels of two apps are separate, however their names add up", async () => {
      await broker.subscribe("a", "b.c");
      await broker.subscribe("a.b", "c");
      await publish("b.c", "one", KEEP, "a");
      await publish("c", "two", KEEP, "a.b");
      expect(await upToNow("b.c", "a")).toEqual(["one"]);
      expect(await upToNow("c", "a.b")).toEqual(["two"]);
      expect(await kept("b.c", "a")).toEqual(["one"]);
      expect(await kept("c", "a.b")).toEqual(["two"]);
    });

    describe("history", () => {
      test("nothing is kept where nothing is to be kept", async () => {
        expect(await publish("room", "gone")).toBeUndefined();
        const page = await history("room");
        expect(page.events).toEqual([]);
        expect(page.complete).toBe(true);
      });

      test("as many as the policy says are kept, oldest first, whether anybody is subscribed or not", async () => {
        for (const data of ["1", "2", "3", "4", "5"]) await publish("room", data, KEEP);
        expect(await kept("room")).toEqual(["3", "4", "5"]);
      });

      test("without since, a limit gives the latest", async () => {
        for (const data of ["1", "2", "3"]) await publish("room", data, KEEP);
        const page = await history("room", undefined, 1);
        expect(page.events.map(({ publication }) => publication.data)).toEqual(["3"]);
      });

      test("what has outlived its time is not given out, and what has not says how long it has", async () => {
        await publish("room", "short", { size: 10, ttlMs: 300 });
        await publish("room", "long", { size: 10, ttlMs: 60_000 });
        await under.pass(400);
        expect(await kept("room")).toEqual(["long"]);
        const [entry] = (await history("room")).events;
        expect(entry?.expiresInMs).toBeGreaterThan(50_000);
        expect(entry?.expiresInMs).toBeLessThanOrEqual(60_000);
      });

      test("positions grow by one within an epoch, and are told in the answer, the delivery and the history", async () => {
        await broker.subscribe("app", "room");
        const positions = [];
        for (const data of ["1", "2", "3"]) positions.push(await publish("room", data, KEEP));
        const [first] = positions;
        if (!first) throw new Error("a publication with history has to have a position");
        expect(positions).toEqual([0, 1, 2].map((n) => ({ epoch: first.epoch, offset: first.offset + n })));
        await eventually(() => expect(received).toHaveLength(3));
        expect(received.map((each) => each.type === "event" && each.position)).toEqual(positions);
        const page = await history("room");
        expect(page.events.map(({ publication }) => publication.position)).toEqual(positions);
        expect(page.position).toEqual({ epoch: first.epoch, offset: first.offset + 2 });
      });

      test("channels count for themselves", async () => {
        const one = await publish("one", "x", KEEP);
        await publish("two", "x", KEEP);
        const next = await publish("one", "x", KEEP);
        expect(next).toEqual({ epoch: one?.epoch ?? "", offset: (one?.offset ?? 0) + 1 });
      });

      test("since a position that history still covers, exactly what came after, up to the limit", async () => {
        const first = await publish("room", "1", KEEP);
        for (const data of ["2", "3", "4"]) await publish("room", data, KEEP);
        const page = await history("room", first);
        expect(page.complete).toBe(true);
        expect(page.events.map(({ publication }) => publication.data)).toEqual(["2", "3", "4"]);
        const short = await history("room", first, 2);
        expect(short.events.map(({ publication }) => publication.data)).toEqual(["2", "3"]);
      });

      test("since the newest position nothing, and complete", async () => {
        await publish("room", "1", KEEP);
        const last = await publish("room", "2", KEEP);
        const page = await history("room", last);
        expect(page.events).toEqual([]);
        expect(page.complete).toBe(true);
      });

      test("with a limit of none, only where the channel stands", async () => {
        const first = await publish("room", "1", KEEP);
        const position = await publish("room", "2", KEEP);
        if (!position) throw new Error("a publication with history has to have a position");
        for (const [since, complete] of [
          [undefined, true],
          [first, true],
          [{ epoch: "another", offset: 1 }, false],
        ] as const) {
          expect(await history("room", since, 0)).toMatchObject({ events: [], position, complete });
        }
      });

      test("channels that share a number of bytes keep no more together, and say of what is gone that it is", async () => {
        const shared = { size: 10, ttlMs: 60_000, totalBytes: 20_000 };
        const before = new Map<string, { epoch: string; offset: number }>();
        for (let n = 0; n < 40; n++) {
          const position = await publish(`room-${n}`, "x".repeat(1_000), shared);
          if (!position) throw new Error("a publication with history has to have a position");
          before.set(`room-${n}`, { ...position, offset: position.offset - 1 });
        }
        await eventually(async () => {
          const pages = await Promise.all([...before].map(([channel, since]) => history(channel, since)));
          const count = pages.filter(({ events }) => events.length > 0).length;
          expect(count).toBeGreaterThan(5);
          expect(count).toBeLessThanOrEqual(20);
          for (const { events, complete } of pages) expect(complete).toBe(events.length === 1);
        });
      });

      test("a channel that forgot what it may not keep goes on, and what comes after is kept", async () => {
        const shared = { size: 10, ttlMs: 60_000, totalBytes: 3_000 };
        const first = await publish("room", "1".repeat(5_000), shared);
        const second = await publish("room", "2", { ...shared, totalBytes: 1_000_000 });
        if (!first || !second) throw new Error("a publication with history has to have a position");
        expect(second).toEqual({ ...first, offset: first.offset + 1 });
        const page = await history("room", first);
        expect([page.complete, page.events.map(({ publication }) => publication.data)]).toEqual([true, ["2"]]);
      });

      test("since a position that history has forgotten, incomplete", async () => {
        const first = await publish("room", "1", KEEP);
        for (const data of ["2", "3", "4", "5"]) await publish("room", data, KEEP);
        expect((await history("room", first)).complete).toBe(false);
      });

      test("since a position of another epoch, or of a channel that is not known, incomplete", async () => {
        await publish("room", "1", KEEP);
        expect((await history("room", { epoch: "another", offset: 1 })).complete).toBe(false);
        expect((await history("nowhere", { epoch: "another", offset: 1 })).complete).toBe(false);
      });

      test("since a position ahead of the channel, incomplete", async () => {
        const first = await publish("room", "1", KEEP);
        if (!first) throw new Error("a publication with history has to have a position");
        expect((await history("room", { ...first, offset: first.offset + 5 })).complete).toBe(false);
      });

      test("when all has expired, a client that missed something is told so", async () => {
        const before = await publish("room", "1", { size: 10, ttlMs: 300 });
        await publish("room", "2", { size: 10, ttlMs: 300 });
        await under.pass(400);
        const page = await history("room", before);
        expect(page.events).toEqual([]);
        expect(page.complete).toBe(false);
      });

      test("page after page since a position gives everything once, oldest first, and then nothing", async () => {
        const keep = { size: 20, ttlMs: 60_000 };
        const first = await publish("room", "0", keep);
        for (let n = 1; n <= 11; n++) await publish("room", String(n), keep);
        const read: string[] = [];
        let since = first;
        for (let pages = 0; pages < 10; pages++) {
          const page = await history("room", since, 5);
          expect(page.complete).toBe(true);
          expect(page.position.offset).toBe((first?.offset ?? 0) + 11);
          if (page.events.length === 0) break;
          read.push(...page.events.map(({ publication }) => publication.data));
          since = page.events.at(-1)?.publication.position;
        }
        expect(read).toEqual(Array.from({ length: 11 }, (_, n) => String(n + 1)));
      });

      test("since a position that is not covered, what is kept from the oldest on, up to the limit", async () => {
        const first = await publish("room", "1", KEEP);
        for (const data of ["2", "3", "4", "5"]) await publish("room", data, KEEP);
        for (const since of [first, { epoch: first?.epoch ?? "", offset: 0 }, { epoch: "another", offset: 4 }]) {
          const page = await history("room", since, 2);
          expect(page.complete).toBe(false);
          expect(page.events.map(({ publication }) => publication.data)).toEqual(["3", "4"]);
          expect(page.position).toEqual({ epoch: first?.epoch ?? "", offset: (first?.offset ?? 0) + 4 });
        }
      });

      test("a later one that expires before an earlier one leaves no hole that nobody is told of", async () => {
        const [long, short] = [
          { size: 10, ttlMs: 60_000 },
          { size: 10, ttlMs: 300 },
        ];
        const first = await publish("room", "1", long);
        await publish("room", "2", short);
        const before = await history("room", first);
        expect([before.complete, before.events.length]).toEqual([true, 1]);
        await under.pass(400);
        expect((await history("room", first)).complete).toBe(false);
        await publish("room", "3", long);
        expect((await history("room", first)).complete).toBe(false);
      });

      test("a subscribed channel has an epoch before anything is published, and all since then is complete", async () => {
        await broker.subscribe("app", "room");
        const { position } = await history("room");
        expect(position.epoch).not.toBe("");
        expect((await history("room")).position).toEqual(position);
        const published = await publish("room", "1", KEEP);
        expect(published).toEqual({ epoch: position.epoch, offset: position.offset + 1 });
        const page = await history("room", position);
        expect(page.complete).toBe(true);
        expect(page.events.map(({ publication }) => publication.data)).toEqual(["1"]);
      });

      test("a subscribed channel goes on counting when all that it kept has expired", async () => {
        await broker.subscribe("app", "room");
        const first = await publish("room", "1", { size: 10, ttlMs: 200 });
        await under.pass(700);
        const page = await history("room", first);
        expect([page.events, page.complete, page.position]).toEqual([[], true, first ?? page.position]);
        const second = await publish("room", "2", KEEP);
        expect(second).toEqual({ epoch: first?.epoch ?? "", offset: (first?.offset ?? 0) + 1 });
      });

      test("what many publish at once is numbered without a hole, in the order it is received", async () => {
        await broker.subscribe("app", "room");
        const sent = Array.from({ length: 50 }, (_, n) => String(n));
        await Promise.all(sent.map((data) => publish("room", data, { size: 100, ttlMs: 60_000 })));
        await eventually(() => expect(heard("room")).toHaveLength(50));
        const offsets = received.map((each) => (each.type === "event" ? each.position?.offset : undefined));
        const [start = 0] = offsets;
        expect(offsets).toEqual(sent.map((_, n) => start + n));
        expect(await kept("room")).toEqual(heard("room"));
      });

      eachPair("have two histories", async (channel, other) => {
        await publish(channel, "one", KEEP);
        await publish(other, "two", KEEP);
        expect(await kept(channel)).toEqual(["one"]);
        expect(await kept(other)).toEqual(["two"]);
      });
    });

    const withKeys = (keep: HistoryPolicy | undefined) => {
      const once = async (data: string, key: string, ttlMs = 60_000, channel = "room") =>
        broker.publishOnce(event(channel, data, "app"), { key, ttlMs }, keep);

      test("is made once: the next is answered so, and is nowhere", async () => {
        await broker.subscribe("app", "room");
        const first = await once("1", "k");
        expect([first !== "repeated", first !== undefined]).toEqual([true, keep !== undefined]);
        expect(await once("1 again", "k")).toBe("repeated");
        await publish("room", "between", keep);
        expect(await once("1 once more", "k")).toBe("repeated");
        expect(await upToNow("room")).toEqual(["1", "between"]);
        expect(await kept("room")).toEqual(keep ? ["1", "between"] : []);
      });

      test("is made once where many ask for it at once", async () => {
        await broker.subscribe("app", "room");
        const asked = Array.from({ length: 30 }, (_, n) => once(String(n), "k"));
        const done = await Promise.all(asked);
        expect(done.filter((answer) => answer !== "repeated")).toHaveLength(1);
        const first = done.findIndex((answer) => answer !== "repeated");
        expect(await upToNow("room")).toEqual([String(first)]);
      });

      test("keeps its place among those without a key, and is numbered with them", async () => {
        await broker.subscribe("app", "room");
        const sent = Array.from({ length: 60 }, (_, n) => String(n));
        const done = await Promise.all(
          sent.map((data, n) => (n % 3 === 0 ? once(data, data) : publish("room", data, keep))),
        );
        expect(await upToNow("room")).toEqual(sent);
        if (!keep) return;
        const [first] = done.map((answer) => (answer === "repeated" ? undefined : answer));
        expect(done).toEqual(sent.map((_, n) => ({ epoch: first?.epoch ?? "", offset: (first?.offset ?? 0) + n })));
      });

      test("does not stand in the way of another key, whatever they are made of", async () => {
        await broker.subscribe("app", "room");
        const keys = [...AWKWARD_NAMES.flat(), "k k", "ü\u0000", "x".repeat(2_000)];
        const others = keys.filter((key, at) => keys.indexOf(key) === at);
        for (const key of others) expect(await once(key, key)).not.toBe("repeated");
        for (const key of others) expect(await once(key, key)).toBe("repeated");
        expect(await upToNow("room")).toEqual(others);
      });

      test("may be made again when the time is over", async () => {
        await broker.subscribe("app", "room");
        await once("1", "k", 300);
        await once("2", "other", 60_000);
        await under.pass(400);
        expect(await once("3", "k", 60_000)).not.toBe("repeated");
        expect(await once("4", "k", 60_000)).toBe("repeated");
        expect(await once("5", "other", 60_000)).toBe("repeated");
        expect(await upToNow("room")).toEqual(["1", "2", "3"]);
      });

      test("may be made again before that where its key is forgotten, and another key stays", async () => {
        await broker.subscribe("app", "room");
        expect(await once("1", "k")).not.toBe("repeated");
        await once("2", "other");
        if (!broker.expireKey) return;
        await broker.expireKey("app", "room", "k", 300);
        await broker.expireKey("app", "room", "unknown", 300);
        expect(await once("1 again", "k")).toBe("repeated");
        await under.pass(400);
        await eventually(async () => expect(await once("3", "k")).not.toBe("repeated"));
        expect(await once("4", "other")).toBe("repeated");
        expect(await upToNow("room")).toEqual(["1", "2", "3"]);
      });
    };

    describe("under a key, a publication that is kept", () => withKeys(KEEP));
    describe("under a key, a publication that is only carried", () => withKeys(undefined));

    test("nothing is received before subscribing, after unsubscribing, or from a neighbour", async () => {
      await broker.subscribe("app", "witness");
      await publish("room", "before");
      await broker.subscribe("app", "room");
      await publish("room", "during");
      await publish("neighbour", "elsewhere");
      await eventually(() => expect(heard("room")).toContain("during"));
      broker.unsubscribe("app", "room");
      await under.pass(50);
      await publish("room", "after");
      await upToNow("witness");
      expect(heard("room")).toEqual(["during"]);
    });

    test("closing ends all delivery, and closing again is harmless", async () => {
      await broker.subscribe("app", "room");
      await publish("room", "1");
      await eventually(() => expect(heard("room")).toEqual(["1"]));
      await under.engine.close();
      await under.engine.close();
      await publish("room", "2").catch(() => {});
      await sleep(50);
      expect(heard("room")).toEqual(["1"]);
    });
  });
}

function event(channel: string, data: string, app: string): EventPublication {
  return { type: "event", app, channel, event: "e", data };
}
