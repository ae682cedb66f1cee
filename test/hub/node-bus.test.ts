/** What nodes ask of each other: an answer, a node that is gone, one that is silent, and nonsense. */

import { expect, test } from "bun:test";
import { nodeNumber } from "../../packages/server/src/hub/context.ts";
import { bench, settled } from "../support/fakes.ts";

const report = (id: string) => ({ id, name: "bench", startedAtMs: 0, lagMs: 0, draining: false });

test("a node's number is the same for all, and fits in 32 bits", () => {
  const ids = Array.from({ length: 2_000 }, () => crypto.randomUUID());
  const numbers = ids.map(nodeNumber);
  expect(new Set(numbers).size).toBeGreaterThan(1_990);
  for (const number of numbers) expect(number >= 0 && number < 2 ** 32 && Number.isInteger(number)).toBe(true);
  expect(nodeNumber("node")).toBe(nodeNumber("node"));
});

test("a connection of a node that nobody knows is not there, without asking anybody", async () => {
  const { hub, app, open } = await bench();
  expect(await hub.clusterConnections.act(app, "123.4", { type: "find" })).toBe(false);
  expect(await hub.clusterConnections.act(app, "not an id", { type: "find" })).toBe(false);
  expect(await hub.clusterConnections.act(app, open().id, { type: "find" })).toBe(true);
});

test("a node that is listed and does not answer is told of after the patience, not before", async () => {
  const { hub, app, clock } = await bench({ limits: { publishWaitS: 5 } });
  // Another node that is listed: this engine knows but one, so the list is made to say so.
  hub.nodes = () => [{ ...report("other"), connections: 0, silentMs: 0 }];
  let outcome: unknown;
  const asked = hub.clusterConnections.act(app, `${nodeNumber("other")}.7`, { type: "find" }).catch((error) => {
    outcome = error;
  });
  await settled();
  clock.pass(4_900);
  hub.sweep();
  await settled();
  expect(outcome).toBe(undefined);
  clock.pass(200);
  hub.sweep();
  await asked;
  expect(outcome).toMatchObject({ code: "engine_unavailable" });
});

test("an answer that nobody waits for, and words that are none, are not heeded", async () => {
  const { hub, events } = await bench();
  for (const data of ['{"type":"answer","id":99,"from":1}', "no JSON", "[]", '{"type":"ask","id":1}']) {
    hub.nodeBus.receive({ type: "event", app: "#nodes", channel: "#all", event: "x", data });
  }
  expect(events.filter(({ type }) => type === "failed")).toHaveLength(3);
});
