/** What every registry has to do where something else is said of a member. Part of the registry's contract. */

import {
  type MemberUpdate,
  type PresenceEntry,
  type Publication,
  parseUserInfo,
  type Registry,
} from "../src/engine.ts";
import { type EngineUnderTest, engineHost, type MakeEngine } from "./engine-under-test.ts";
import { eventually } from "./eventually.ts";
import type { TestRunner } from "./runner.ts";

const NO_LIMIT = Number.POSITIVE_INFINITY;
const CHANNEL = "presence-x";

export function memberUpdateContract(runner: TestRunner, name: string, makeEngine: MakeEngine): void {
  const { describe, test, expect, beforeEach, afterEach } = runner;
  describe(`${name} registry, of members that are updated`, () => {
    let under: EngineUnderTest;
    let registry: Registry;
    let received: Publication[];

    beforeEach(async () => {
      under = await makeEngine();
      registry = under.engine.registry;
      received = [];
      await under.engine.start(engineHost((publication) => received.push(publication)));
      await under.engine.broker.subscribe("app", CHANNEL);
    });

    afterEach(async () => {
      await under.engine.close();
    });

    const join = async (user: string, connection: string, info: unknown = null) =>
      registry.join(entryOf(user, connection, info), NO_LIMIT);
    const leave = async (user: string, connection: string) => registry.leave(entryOf(user, connection));
    const update = async (connection: string, member: MemberUpdate) =>
      registry.update({ app: "app", channel: CHANNEL, connection, member });
    const members = async () =>
      (await registry.members("app", CHANNEL)).map(({ joinedAtMs: _, ...member }) => member).sort(byId);
    const updates = () => received.filter(({ type }) => type === "updated");
    const updatesAre = (expected: readonly MemberUpdate[]) =>
      eventually(() =>
        expect(updates()).toEqual(
          expected.map((member) => ({ type: "updated", app: "app", channel: CHANNEL, member })),
        ),
      );

    test("a state is listed and published, and what the user is stays as it was", async () => {
      await join("1", "a", { name: "Ada" });
      await join("2", "b");
      expect(await update("a", { id: "1", state: '{"typing":true,"n":12345678901234567890}' })).toBe(true);
      const ada = { id: "1", info: { name: "Ada" }, state: '{"typing":true,"n":12345678901234567890}' };
      expect(await members()).toEqual([ada, { id: "2", info: null }]);
      await updatesAre([{ id: "1", state: ada.state }]);
      const { members: listed } = await join("3", "c");
      expect(listed.find(({ id }) => id === "1")).toMatchObject(ada);
    });

    test("what the user is changes alone, as it was written, and the state stays", async () => {
      const named = { id: "1", ...parseUserInfo('{"price":1.0 }') };
      await join("1", "a", { name: "Ada" });
      await update("a", { id: "1", state: '"away"' });
      expect(await update("a", named)).toBe(true);
      expect(await members()).toEqual([{ ...named, state: '"away"' }]);
      await update("a", { id: "1", info: null });
      expect(await members()).toEqual([{ id: "1", info: null, state: '"away"' }]);
      await updatesAre([{ id: "1", state: '"away"' }, named, { id: "1", info: null }]);
    });

    test("a state is taken away by null", async () => {
      await join("1", "a");
      await update("a", { id: "1", state: "[1]" });
      expect(await update("a", { id: "1", state: null })).toBe(true);
      expect(await members()).toEqual([{ id: "1", info: null }]);
      await updatesAre([
        { id: "1", state: "[1]" },
        { id: "1", state: null },
      ]);
    });

    test("texts that mean something elsewhere are only text", async () => {
      await join("1", "a");
      for (const state of [
        '""',
        '" 7 "',
        '"%d,5]"',
        '"\\u0000\\ud800"',
        '"null"',
        '"ü\u2028\u{1f600}"',
        "[[],{}]",
        "0",
      ]) {
        await update("a", { id: "1", state });
        expect(await members()).toEqual([{ id: "1", info: null, state }]);
        await update("a", { id: "1", info: { is: state } });
        expect(await members()).toEqual([{ id: "1", info: { is: state }, state }]);
        await update("a", { id: "1", info: null });
      }
    });

    test("the user has been there as long as before, and stays where it was in the list", async () => {
      const [before] = (await join("1", "a")).members;
      await under.pass(30);
      await join("2", "b");
      await update("a", { id: "1", state: "1", info: { name: "Ada" } });
      const [first, second] = await registry.members("app", CHANNEL);
      expect([first?.id, second?.id]).toEqual(["1", "2"]);
      expect(first?.joinedAtMs).toBe(before?.joinedAtMs ?? Number.NaN);
    });

    test("of a user's connections each may say it, the last one counts, and it stays until the last has left", async () => {
      await join("1", "a");
      await join("1", "b");
      await update("a", { id: "1", state: '"a"' });
      await update("b", { id: "1", state: '"b"' });
      expect(await members()).toEqual([{ id: "1", info: null, state: '"b"' }]);
      await leave("1", "b");
      expect(await members()).toEqual([{ id: "1", info: null, state: '"b"' }]);
      await leave("1", "a");
      expect(await members()).toEqual([]);
      await join("1", "a");
      expect(await members()).toEqual([{ id: "1", info: null }]);
    });

    test("of many at once, what was published last is what is listed", async () => {
      await join("1", "a");
      await join("1", "b");
      const states = Array.from({ length: 20 }, (_, n) => String(n));
      const done = await Promise.all(states.map((state, n) => update(n % 2 ? "a" : "b", { id: "1", state })));
      expect(done).toEqual(states.map(() => true));
      const [listed] = await members();
      await eventually(() =>
        expect(updates().at(-1)).toMatchObject({ member: { id: "1", state: listed?.state ?? "none" } }),
      );
    });

    test("who is not there changes nothing, and nothing is published", async () => {
      await join("1", "a");
      await join("2", "b");
      expect(await update("c", { id: "1", state: "1" })).toBe(false);
      expect(await update("b", { id: "1", state: "1" })).toBe(false);
      expect(await update("a", { id: "3", state: "1" })).toBe(false);
      await leave("2", "b");
      expect(await update("b", { id: "2", state: "1" })).toBe(false);
      expect(await members()).toEqual([{ id: "1", info: null }]);
      await update("a", { id: "1", state: "2" });
      await updatesAre([{ id: "1", state: "2" }]);
    });
  });
}

function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : 1;
}

function entryOf(user: string, connection: string, info: unknown = null): PresenceEntry {
  return { app: "app", channel: CHANNEL, connection, member: { id: user, info } };
}
