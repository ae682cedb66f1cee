/** The queue in front of the door: a few at a time, in the order they came, and the event loop turns in between. */

import { expect, test } from "bun:test";
import { Queue } from "../../src/server/door/queue.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("a few who come together go in at once, and again as soon as the event loop has turned", async () => {
  const queue = new Queue();
  for (let round = 0; round < 3; round++) {
    for (let n = 0; n < 20; n++) expect(queue.wait()).toBeUndefined();
    await turn();
    await turn();
  }
});

test("of a crowd twenty go in at each turn, in the order they came, and nobody overtakes them", async () => {
  const queue = new Queue();
  const entered: number[] = [];
  const come = (n: number) => {
    const waiting = queue.wait();
    if (waiting) void waiting.then(() => entered.push(n));
    else entered.push(n);
  };
  for (let n = 0; n < 110; n++) come(n);
  const atTurns = [entered.length];
  while (entered.length < 120) {
    await turn();
    atTurns.push(entered.length);
    // Late, and behind all who wait.
    if (atTurns.length === 2) for (let n = 110; n < 120; n++) come(n);
  }
  expect(entered).toEqual(Array.from({ length: 120 }, (_, n) => n));
  const steps = atTurns.slice(1).map((count, n) => count - (atTurns[n] ?? 0));
  expect(Math.max(atTurns[0] ?? 0, ...steps)).toBeLessThanOrEqual(20);
});
