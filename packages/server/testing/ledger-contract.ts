/** What every ledger has to do, run against each of them. */

import type { Ledger } from "../src/engine.ts";
import { type EngineUnderTest, engineHost, type MakeEngine } from "./engine-under-test.ts";
import type { TestRunner } from "./runner.ts";

export function ledgerContract(runner: TestRunner, name: string, makeEngine: MakeEngine): void {
  const { describe, test, expect, beforeEach, afterEach } = runner;
  describe(`${name} ledger`, () => {
    let under: EngineUnderTest;
    let ledger: Ledger;

    beforeEach(async () => {
      under = await makeEngine();
      ledger = under.engine.ledger;
      await under.engine.start(engineHost(() => {}));
    });

    afterEach(async () => {
      await under.engine.close();
    });

    test("there are as many places as there may be, whoever asks at once", async () => {
      const asked = Array.from({ length: 20 }, (_, n) => ledger.acquire("app", `c${n}`, 5));
      expect((await Promise.all(asked)).filter(Boolean)).toHaveLength(5);
      expect(await ledger.acquire("other", "c0", 5)).toBe(true);
    });

    test("a place that is given back is free, and one's own can be taken again", async () => {
      expect(await ledger.acquire("app", "a", 1)).toBe(true);
      expect(await ledger.acquire("app", "a", 1)).toBe(true);
      expect(await ledger.acquire("app", "b", 1)).toBe(false);
      await ledger.release("app", "a");
      await ledger.release("app", "a");
      await ledger.release("app", "nobody");
      expect(await ledger.acquire("app", "b", 1)).toBe(true);
      expect(await ledger.acquire("app", "a", 1)).toBe(false);
    });

    test("a bucket holds a second's worth, says when there is more, and has it then", async () => {
      const spent = [];
      for (let n = 0; n < 5; n++) spent.push(await ledger.takeToken("calls", 4));
      expect(spent.slice(0, 4)).toEqual([0, 0, 0, 0]);
      const wait = spent[4] ?? 0;
      expect(wait).toBeGreaterThan(0);
      expect(wait).toBeLessThanOrEqual(0.25);
      expect(await ledger.takeToken("others", 4)).toBe(0);
      await under.pass(wait * 1000 + 5);
      expect(await ledger.takeToken("calls", 4)).toBe(0);
    });

    test("a key is new once, and again when its time is over", async () => {
      const asked = Array.from({ length: 10 }, () => ledger.setIfAbsent("key", 80));
      expect((await Promise.all(asked)).filter(Boolean)).toHaveLength(1);
      expect(await ledger.setIfAbsent("other", 80)).toBe(true);
      expect(await ledger.setIfAbsent("key", 80)).toBe(false);
      await under.pass(120);
      expect(await ledger.setIfAbsent("key", 80)).toBe(true);
    });

    test("a key that is forgotten is new again, and asking whether it is noted notes nothing", async () => {
      expect(await ledger.exists("key")).toBe(false);
      expect(await ledger.setIfAbsent("key", 60_000)).toBe(true);
      expect(await ledger.exists("key")).toBe(true);
      expect(await ledger.exists("other")).toBe(false);
      await ledger.delete("other");
      await ledger.delete("key");
      await ledger.delete("key");
      expect(await ledger.exists("key")).toBe(false);
      expect(await ledger.setIfAbsent("key", 80)).toBe(true);
      await under.pass(120);
      expect(await ledger.exists("key")).toBe(false);
    });

    test("a number is raised and never lowered, whoever asks at once, and forgotten when its time is over", async () => {
      expect(await ledger.get("name")).toBeUndefined();
      await ledger.setMax("name", 1_795_267_389_123, 60_000);
      await Promise.all([7, 1_795_267_389_124, 9].map((to) => ledger.setMax("name", to, 60_000)));
      expect(await ledger.get("name")).toBe(1_795_267_389_124);
      expect(await ledger.get("other")).toBeUndefined();
      await ledger.setMax("brief", 5, 200);
      await ledger.setMax("brief", 4, 80);
      expect(await ledger.get("brief")).toBe(5);
      await under.pass(300);
      expect(await ledger.get("brief")).toBeUndefined();
      await ledger.setMax("brief", 3, 60_000);
      expect(await ledger.get("brief")).toBe(3);
    });

    test("the first numbers of all may be raised at once, each for another time", async () => {
      const times = [600_000, 61_000, 86_400_000, 3_600_000];
      await Promise.all(times.map((ttlMs, n) => ledger.setMax(`number ${n}`, n + 1, ttlMs)));
      for (const n of times.keys()) expect(await ledger.get(`number ${n}`)).toBe(n + 1);
    });
  });
}
