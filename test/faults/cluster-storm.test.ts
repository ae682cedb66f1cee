/** Thousands lose their node at once and come to the other one: they miss nothing, and who was there hardly notices. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { engineSettings, startNode } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { external } from "../support/external.ts";
import { scaled, soaking } from "../support/soak.ts";
import { startCrowd } from "./crowd.ts";
import { Source, startListeners } from "./listener.ts";

setDefaultTimeout(180_000);

const PATIENCE = { withinMs: 60_000, everyMs: 50 };
const MANY = scaled(5_000, 1_000);
const CHANNEL = "kept-storm";
const BACK_MS = 30_000;
/** Of who was there already, what 99 of 100 answers take at most. */
const ANSWER_MS = scaled(250, 2_000);

/** Connections that found the accept queue of any listening socket full, since this machine was started. */
function listenOverflows(): number {
  const [names = "", values = ""] = readFileSync(`${external("proc")}/net/netstat`, "utf8").split("\n");
  return Number(values.split(" ")[names.split(" ").indexOf("ListenOverflows")]);
}

test.each(["redis", "nats"] as const)(
  `${MANY} clients of a node on %s that is killed come to the other one at once, miss nothing, and who was there hardly notices (scenario 40)`,
  async (engine) => {
    const where = await engineSettings(engine);
    const [a, b] = await Promise.all([startNode(where), startNode(where)]);
    const crowd = await startCrowd({ count: MANY, channels: [CHANNEL], pusherShare: 0, first: a.url, later: b.url });
    const witnesses = await startListeners(20, "native", CHANNEL, () => b.url);
    const source = new Source("b", () => b.url, CHANNEL, 1_000);
    const pulse = await b.native();
    await Bun.sleep(1_000);
    const overflows = listenOverflows();
    let isOver = false;
    const answersMs: number[] = [];
    await a.kill();
    const back = crowd.back(1, BACK_MS).finally(() => {
      isOver = true;
    });
    while (!isOver) {
      const askedMs = performance.now();
      await pulse.ping();
      answersMs.push(performance.now() - askedMs);
      await Bun.sleep(10);
    }
    await back;
    await Bun.sleep(500);
    await source.stop();
    expect([source.refused, source.unanswered]).toEqual([[], []]);
    for (const { heard, closes, gaps } of witnesses) {
      await eventually(() => expect(heard).toEqual(source.accepted), PATIENCE);
      expect([closes, gaps]).toEqual([[], 0]);
    }
    await eventually(async () => {
      const { heard, heardOtherwise } = await crowd.report();
      expect([heard[CHANNEL], heardOtherwise]).toEqual([source.accepted, 0]);
    }, PATIENCE);
    expect(await crowd.report()).toMatchObject({ neverAway: 0, unrecovered: 0, gaps: 0, disordered: [] });
    expect(answersMs.toSorted((x, y) => x - y)[Math.floor(answersMs.length * 0.99)]).toBeLessThan(ANSWER_MS);
    if (soaking) expect(listenOverflows()).toBe(overflows);
  },
);
