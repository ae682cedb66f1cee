/** What every registry has to do, run against each of them. Nothing here assumes that an answer comes at once. */

import { type ChannelSummary, CommandError, type PresenceEntry, parseUserInfo, type Registry } from "../src/engine.ts";
import { type EngineUnderTest, engineHost, type MakeEngine } from "./engine-under-test.ts";
import { memberUpdateContract } from "./member-update-contract.ts";
import { RegistryModel } from "./registry-model.ts";
import type { TestRunner } from "./runner.ts";

const NO_LIMIT = Number.POSITIVE_INFINITY;
const SEED = 20_260_801;
const OPERATIONS = 1_000;

export function registryContract(runner: TestRunner, name: string, makeEngine: MakeEngine): void {
  const { describe, test, expect, beforeEach, afterEach } = runner;
  memberUpdateContract(runner, name, makeEngine);
  describe(`${name} registry`, () => {
    let under: EngineUnderTest;
    let registry: Registry;

    beforeEach(async () => {
      under = await makeEngine();
      registry = under.engine.registry;
      await under.engine.start(engineHost(() => {}));
    });

    afterEach(async () => {
      await under.engine.close();
    });

    const join = async (row: PresenceEntry, most = NO_LIMIT) => registry.join(row, most);
    const leave = async (row: PresenceEntry) => registry.leave(row);
    const ids = async (channel = "presence-x", app = "app") =>
      (await registry.members(app, channel)).map(({ id }) => id).sort();
    const states = async (channel: string, app: string) =>
      Object.fromEntries((await registry.members(app, channel)).map(({ id, state = null }) => [id, state]));
    const names = async (prefix = "", app = "app") =>
      (await registry.channels(app, prefix)).map((summary) => summary.name).sort();

    describe("members", () => {
      test("a user is first with its first connection and last with its last", async () => {
        expect((await join(rowOf("1", "a"))).isFirst).toBe(true);
        expect((await join(rowOf("1", "b"))).isFirst).toBe(false);
        expect((await join(rowOf("1", "c"))).isFirst).toBe(false);
        expect(await leave(rowOf("1", "a"))).toEqual({ isLast: false });
        expect(await leave(rowOf("1", "c"))).toEqual({ isLast: false });
        expect(await leave(rowOf("1", "b"))).toEqual({ isLast: true });
        expect((await join(rowOf("1", "a"))).isFirst).toBe(true);
      });

      test("of many joining at once exactly one is first, of many leaving at once exactly one is last", async () => {
        const rows = Array.from({ length: 20 }, (_, n) => rowOf("1", `c${n}`));
        const joined = await Promise.all(rows.map((row) => join(row)));
        expect(joined.filter(({ isFirst }) => isFirst)).toHaveLength(1);
        const left = await Promise.all(rows.map(leave));
        expect(left.filter(({ isLast }) => isLast)).toHaveLength(1);
        expect(await ids()).toEqual([]);
      });

      test("joining again with the same connection counts once", async () => {
        await join(rowOf("1", "a"));
        expect((await join(rowOf("1", "a"))).isFirst).toBe(false);
        expect(await leave(rowOf("1", "a"))).toEqual({ isLast: true });
      });

      test("whoever joins is told everybody, itself included, each user once, with what was said about them", async () => {
        await join(rowOf("1", "a", { name: "Ada" }));
        await join(rowOf("1", "b", { name: "Ada" }));
        const { members } = await join(rowOf("2", "c", { name: "Böb", deep: [1, null, "\u2028"] }));
        expect(members.map(({ id, info }) => ({ id, info })).sort((a, b) => (a.id < b.id ? -1 : 1))).toEqual([
          { id: "1", info: { name: "Ada" } },
          { id: "2", info: { name: "Böb", deep: [1, null, "\u2028"] } },
        ]);
        expect(await registry.members("app", "presence-x")).toEqual(members);
      });

      test("what was said about a member is told as it was written", async () => {
        const member = { id: "1", ...parseUserInfo('{"n":1234567890123456789,"price":1.0 }') };
        await join({ ...rowOf("1", "a"), member });
        const [listed] = (await join(rowOf("2", "b"))).members;
        expect(listed).toMatchObject(member);
        expect(await registry.members("app", "presence-x")).toMatchObject([member, { id: "2" }]);
      });

      test("a member has been there since its first connection joined", async () => {
        const before = Date.now();
        const [first] = (await join(rowOf("1", "a"))).members;
        await under.pass(30);
        const [later] = (await join(rowOf("1", "b"))).members;
        expect(later?.joinedAtMs).toBe(first?.joinedAtMs ?? Number.NaN);
        // A second of doubt, because it may be the engine's clock that counts.
        expect(first?.joinedAtMs).toBeGreaterThanOrEqual(before - 1_000);
        expect(first?.joinedAtMs).toBeLessThanOrEqual(Date.now() + 1_000);
      });

      test("ids that mean something elsewhere are only ids", async () => {
        const awkward = ["__proto__", "constructor", "*", "a b", "a:b", "ü", "0", "\u{1f600}"];
        for (const id of awkward) expect((await join(rowOf(id, `of ${id}`))).isFirst).toBe(true);
        expect(await ids()).toEqual([...awkward].sort());
        for (const id of awkward) expect(await leave(rowOf(id, `of ${id}`))).toEqual({ isLast: true });
        expect(await ids()).toEqual([]);
      });

      test("apps and channels are separate", async () => {
        await join({ app: "a", channel: "presence-x", connection: "c", member: { id: "1", info: null } });
        expect(await ids("presence-x", "b")).toEqual([]);
        expect(await ids("presence-y", "a")).toEqual([]);
        expect(await ids("presence-*", "a")).toEqual([]);
        expect(await ids("presence-x", "a")).toEqual(["1"]);
      });

      test("leaving without having joined is harmless", async () => {
        expect(await leave(rowOf("1", "a"))).toEqual({ isLast: false });
        await join(rowOf("1", "a"));
        expect(await leave(rowOf("1", "unknown"))).toEqual({ isLast: false });
        expect(await leave(rowOf("2", "a"))).toEqual({ isLast: false });
        expect(await ids()).toEqual(["1"]);
      });
    });

    describe("the most members", () => {
      const full = async (row: PresenceEntry, most: number) => {
        const error = await join(row, most).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        return error instanceof CommandError ? error.code : error;
      };

      test("one user too many is refused, and leaves nothing behind", async () => {
        await join(rowOf("1", "a"), 2);
        await join(rowOf("2", "b"), 2);
        expect(await full(rowOf("3", "c"), 2)).toBe("channel_full");
        expect(await ids()).toEqual(["1", "2"]);
        expect(await leave(rowOf("3", "c"))).toEqual({ isLast: false });
        await leave(rowOf("2", "b"));
        expect((await join(rowOf("3", "c"), 2)).isFirst).toBe(true);
      });

      test("a further connection of a user who is there is always let in", async () => {
        await join(rowOf("1", "a"), 1);
        expect((await join(rowOf("1", "b"), 1)).isFirst).toBe(false);
      });

      test("a channel that refused its only visitor does not exist", async () => {
        expect(await full(rowOf("1", "a"), 0)).toBe("channel_full");
        expect(await registry.summary("app", "presence-x")).toBeUndefined();
        expect(await names()).toEqual([]);
      });

      test("of many who join at once, exactly as many as fit are let in", async () => {
        const outcomes = await Promise.all(Array.from({ length: 30 }, (_, n) => full(rowOf(String(n), `c${n}`), 10)));
        expect(outcomes.filter((outcome) => outcome === undefined)).toHaveLength(10);
        expect(outcomes.filter((outcome) => outcome === "channel_full")).toHaveLength(20);
        expect(await ids()).toHaveLength(10);
      });
    });

    describe("counts", () => {
      const tally = async (channel: string, count: number, app = "app") =>
        registry.setSubscriberCount(app, channel, count);

      test("coming to life and dying are told once each", async () => {
        const told = [];
        for (const count of [1, 2, 3, 3, 1, 0, 0, 2, 0]) told.push(await tally("room", count));
        const nothing = undefined;
        expect(told).toEqual([
          "occupied",
          nothing,
          nothing,
          nothing,
          nothing,
          "vacated",
          nothing,
          "occupied",
          "vacated",
        ]);
      });

      test("whoever reads finds what its own node was told just before, though nobody has been answered yet", async () => {
        for (let round = 0; round < 30; round++) {
          const channel = `room-${round}`;
          const told = [registry.setSubscriberCount("app", channel, 1)];
          expect(await registry.summary("app", channel)).toEqual({ name: channel, subscribers: 1 });
          told.push(registry.setSubscriberCount("app", channel, 0));
          expect(await registry.summary("app", channel)).toBeUndefined();
          told.push(registry.setSubscriberCount("app", channel, 1));
          expect(await names(channel)).toEqual([channel]);
          told.push(registry.setSubscriberCount("app", channel, 0));
          expect(await names(channel)).toEqual([]);
          const row = rowOf("1", "a", "presence-x");
          const members = [registry.join(row, NO_LIMIT)];
          expect(await ids()).toEqual(["1"]);
          const gone = registry.leave(row);
          expect(await ids()).toEqual([]);
          await Promise.all([...told, ...members, gone]);
        }
      });

      test("a channel nobody is in has no summary and is not listed", async () => {
        expect(await registry.summary("app", "room")).toBeUndefined();
        await tally("room", 2);
        expect(await registry.summary("app", "room")).toEqual({ name: "room", subscribers: 2 });
        expect(await names()).toEqual(["room"]);
        await tally("room", 0);
        expect(await registry.summary("app", "room")).toBeUndefined();
        expect(await names()).toEqual([]);
      });

      test("a presence channel's summary counts connections and users apart", async () => {
        await join(rowOf("1", "a"));
        await join(rowOf("1", "b"));
        await join(rowOf("2", "c"));
        await tally("presence-x", 3);
        expect(await registry.summary("app", "presence-x")).toEqual({ name: "presence-x", subscribers: 3, users: 2 });
        expect(await registry.channels("app", "presence-")).toEqual([{ name: "presence-x", subscribers: 3, users: 2 }]);
      });

      test("channels are listed by what their name begins with, and a prefix is no pattern", async () => {
        for (const channel of ["presence-a", "presence-b", "private-a", "a.presence-", "p*", "__proto__"]) {
          await tally(channel, 1);
        }
        expect(await names("presence-")).toEqual(["presence-a", "presence-b"]);
        expect(await names("p*")).toEqual(["p*"]);
        expect(await names("*")).toEqual([]);
        expect(await names("?")).toEqual([]);
        expect(await names("[p]")).toEqual([]);
        expect(await names()).toEqual(["__proto__", "a.presence-", "p*", "presence-a", "presence-b", "private-a"]);
        expect(await names("", "other")).toEqual([]);
      });

      test("the server's own channels are never listed", async () => {
        const row = { app: "app", channel: "#online-1", connection: "a", member: { id: "1", info: null } };
        await join(row);
        await tally("#server-to-user-1", 1);
        await tally("room", 1);
        expect(await names()).toEqual(["room"]);
        expect(await names("#")).toEqual([]);
        expect(await ids("#online-1")).toEqual(["1"]);
      });
    });

    test(`${OPERATIONS} operations at random come out as in the model, and all shrinks to nothing`, async () => {
      const commands = operations(SEED, OPERATIONS);
      const model = new RegistryModel();
      for (const command of commands) {
        expect(await perform(registry, command)).toEqual(model.perform(command));
        const { app, channel } = command;
        expect(await ids(channel, app)).toEqual([...model.members(app, channel)]);
        expect(await states(channel, app)).toEqual(model.states(app, channel));
        expect(counted(await registry.channels(app, "presence-"))).toEqual(model.channels(app, "presence-"));
      }
      for (const row of model.rows()) await leave(row);
      for (const app of APPS) {
        for (const channel of CHANNELS) await registry.setSubscriberCount(app, channel, 0);
        expect(await registry.channels(app, "")).toEqual([]);
        for (const channel of CHANNELS) expect(await registry.members(app, channel)).toEqual([]);
      }
    });
  });
}

const APPS = ["app", "app.2"] as const;
const CHANNELS = ["presence-a", "presence-b", "room", "#online-1"] as const;

export type Operation =
  | {
      readonly type: "join" | "leave";
      readonly app: string;
      readonly channel: string;
      readonly row: PresenceEntry;
      readonly most: number;
    }
  | {
      readonly type: "update";
      readonly app: string;
      readonly channel: string;
      readonly row: PresenceEntry;
      readonly state: string | null;
    }
  | { readonly type: "count"; readonly app: string; readonly channel: string; readonly count: number };

/** The same ones each time. A connection is in a channel as one user only. */
function operations(seed: number, count: number): readonly Operation[] {
  const random = randomFrom(seed);
  const oneOf = <T>(...values: readonly [T, ...T[]]): T => values[Math.floor(random() * values.length)] ?? values[0];
  return Array.from({ length: count }, (): Operation => {
    const [app, channel] = [oneOf(...APPS), oneOf(...CHANNELS)];
    if (random() < 1 / 4) return { type: "count", app, channel, count: oneOf(0, 1, 2, 3) };
    const user = oneOf("1", "2", "3", "4");
    const connection = `${user}${oneOf("a", "b", "c")}`;
    const row = { app, channel, connection, member: { id: user, info: { name: user } } };
    if (random() < 1 / 4)
      return { type: "update", app, channel, row, state: oneOf(null, "1", '"two"', '{"three":[3]}') };
    return { type: oneOf("join", "leave"), app, channel, row, most: oneOf(2, 3, NO_LIMIT) };
  });
}

/** Numbers from 0 to 1 (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What it said, without the times, which no model knows. */
async function perform(registry: Registry, command: Operation): Promise<unknown> {
  if (command.type === "count")
    return (await registry.setSubscriberCount(command.app, command.channel, command.count)) ?? "nothing";
  if (command.type === "leave") return registry.leave(command.row);
  if (command.type === "update") {
    const { row, state } = command;
    return registry.update({ ...row, member: { id: row.member.id, state } });
  }
  try {
    const { isFirst, members } = await registry.join(command.row, command.most);
    return { isFirst, members: members.map(({ id }) => id).sort() };
  } catch (error) {
    return error instanceof CommandError ? error.code : error;
  }
}

/** Sorted; a registry may say nought or nothing of users where there are none. */
function counted(list: readonly ChannelSummary[]): readonly ChannelSummary[] {
  return list.map((summary) => ({ ...summary, users: summary.users ?? 0 })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

function rowOf(user: string, connection: string, info: unknown = null): PresenceEntry {
  return { app: "app", channel: "presence-x", connection, member: { id: user, info } };
}
