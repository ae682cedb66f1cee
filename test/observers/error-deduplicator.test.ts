/** Faults that are alike: the first at once, the others as a number, and none of another kind is lost among them. */

import { expect, test } from "bun:test";
import { explainFileError } from "../../packages/server/src/database/file-error.ts";
import { CommandError } from "../../packages/server/src/domain/error.ts";
import { ErrorDeduplicator, type Fault } from "../../packages/server/src/observers/error-deduplicator.ts";
import { eventually } from "../support/eventually.ts";
import { AWAY } from "../support/fakes.ts";

const PAUSE_MS = 100;

function start(pauseMs = PAUSE_MS) {
  const told: { readonly fault: Fault; readonly leftOut: number; readonly atMs: number }[] = [];
  const repeats = new ErrorDeduplicator<Fault>(
    (fault, leftOut) => told.push({ fault, leftOut, atMs: performance.now() }),
    pauseMs,
  );
  return { told, repeats };
}

function messageOf({ fault: { error } }: { readonly fault: Fault }): string {
  return error instanceof Error ? error.message : String(error);
}

test("the first is told at once, those like it once a pause with their number, and in the end nothing is kept in mind", async () => {
  const { told, repeats } = start();
  const fail = (n: number) =>
    repeats.report({ error: new CommandError("engine_unavailable", `no. ${n}`), during: "x" });
  for (let n = 1; n <= 1_000; n++) fail(n);
  expect(told.map(messageOf)).toEqual(["no. 1"]);
  await eventually(() => expect(told).toHaveLength(2));
  expect(told[1]).toMatchObject({ leftOut: 998 });
  expect(told.map(messageOf)).toEqual(["no. 1", "no. 1000"]);
  for (let n = 1; n <= 10; n++) fail(n);
  await eventually(() => expect(repeats.size).toBe(0));
  // Where the pause was over before they came, the first of them was told at once.
  expect(told.length).toBeLessThanOrEqual(4);
  for (const [at, { atMs }] of told.entries()) {
    // Timers may be a little early by another clock.
    if (at > 0) expect(atMs - (told[at - 1]?.atMs ?? 0)).toBeGreaterThan(PAUSE_MS * 0.9);
  }
  expect(told.reduce((sum, { leftOut }) => sum + 1 + leftOut, 0)).toBe(1_010);
  const { length } = told;
  fail(1);
  expect(told).toHaveLength(length + 1);
  repeats.flush();
});

test("a file that cannot be written is one trouble wherever it shows, and is told again more seldom", async () => {
  const told: number[] = [];
  const repeats = new ErrorDeduplicator<Fault>((_, leftOut) => told.push(leftOut), 10, 60_000);
  const error = (code: string) => explainFileError("a.db", Object.assign(new Error("no"), { code }));
  for (const during of ["statistics", "webhooks", "apps"])
    for (const code of ["EACCES", "SQLITE_READONLY_DBMOVED", "SQLITE_FULL", "SQLITE_IOERR_WRITE"])
      repeats.report({ error: error(code), during });
  repeats.report({ error: error("SQLITE_BUSY"), during: "apps" });
  await eventually(() => expect(repeats.size).toBe(1));
  expect(told).toEqual([0, 0]);
  repeats.flush();
  expect(told).toEqual([0, 0, 10]);
});

test("another place, another class, another code and another line of code are another kind", () => {
  const { told, repeats } = start(60_000);
  const throwing = [() => JSON.parse("{"), () => new URL("x"), () => decodeURIComponent("%")];
  const bugs = throwing.map((work) => {
    try {
      return work();
    } catch (error) {
      return error;
    }
  });
  for (let round = 0; round < 3; round++) {
    repeats.report({ error: AWAY, during: "one" });
    repeats.report({ error: AWAY, during: "other" });
    repeats.report({ error: new CommandError("channel_full", "x"), during: "one" });
    repeats.report({ error: Object.assign(new Error("x"), { code: "ECONNRESET" }), during: "one" });
    repeats.report({ error: "a string", during: "one" });
    for (const error of bugs) repeats.report({ error, during: "one" });
  }
  expect(told).toHaveLength(5 + bugs.length);
  repeats.flush();
});

test("however many kinds there are, few are kept in mind, and what is forgotten is told before", () => {
  const { told, repeats } = start(60_000);
  for (let n = 0; n < 1_000; n++) {
    for (let times = 0; times < 3; times++) repeats.report({ error: AWAY, during: `${n}` });
  }
  expect(repeats.size).toBe(100);
  repeats.flush();
  expect(repeats.size).toBe(0);
  expect(told.reduce((sum, { leftOut }) => sum + 1 + leftOut, 0)).toBe(3_000);
});
