/** A node that publishes through a fault, and what has to be true of what was heard. */

import { expect } from "bun:test";
import { CommandError } from "../../packages/server/src/domain/error.ts";
import type { HistoryPolicy } from "../../packages/server/src/domain/ports.ts";
import type { EngineNode } from "../../packages/server/testing/engine-node.ts";

/** Publishes every so often until stopped; what was accepted and what was refused, by number. */
export function publishing(node: EngineNode, channel: string, everyMs: number, keep?: HistoryPolicy) {
  const accepted: number[] = [];
  const refused: unknown[] = [];
  const slowestMs = { accepted: 0, refused: 0 };
  const asked: Promise<void>[] = [];
  let number = 0;
  const timer = setInterval(() => {
    const mine = number++;
    const began = performance.now();
    asked.push(
      node.publish(channel, String(mine), keep).then(
        () => {
          accepted.push(mine);
          slowestMs.accepted = Math.max(slowestMs.accepted, performance.now() - began);
        },
        (error) => {
          refused.push(error instanceof CommandError ? error.code : error);
          slowestMs.refused = Math.max(slowestMs.refused, performance.now() - began);
        },
      ),
    );
  }, everyMs);
  const stop = async () => {
    clearInterval(timer);
    await Promise.all(asked);
  };
  return { accepted, refused, slowestMs, stop };
}

/** Each once, growing. */
export function expectOrder(heard: readonly string[]): void {
  const numbers = heard.map(Number);
  expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
}

export async function refusalOf(work: Promise<unknown>): Promise<unknown> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error instanceof CommandError ? error.code : error;
}
