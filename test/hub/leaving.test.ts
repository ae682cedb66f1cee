/** Who ends with thousands of channels leaves all of them, and holds up nobody meanwhile. */

import { expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { bench, fakeApp, settled } from "../support/fakes.ts";

const MANY = 3_000;

test("a connection with thousands of channels leaves them in several turns, and nothing of it is left", async () => {
  const limits = { channelsPerConnection: MANY, subscribesPerSecond: Number.POSITIVE_INFINITY };
  const turns: (() => void)[] = [];
  const { hub, open } = await bench({
    app: fakeApp({ limits }),
    more: { scheduleTurn: (_, run) => void turns.push(run) },
  });
  const [leaver, stayer] = [open(), open()];
  const names = Array.from({ length: MANY }, (_, n) => `room-${n}`);
  for (const name of names) await hub.join(leaver.connection, name, undefined, () => {});
  await hub.join(stayer.connection, "room-2999", undefined, () => {});
  expect(hub.nodeStats.channels).toBe(MANY);

  leaver.vanish();
  const atOnce = MANY - hub.nodeStats.channels;
  expect(atOnce).toBeGreaterThan(0);
  expect(atOnce).toBeLessThan(MANY / 10);
  expect(hub.isBusy).toBe(true);

  await eventually(() => {
    for (const run of turns.splice(0)) run();
    expect(hub.isBusy).toBe(false);
  });
  expect(hub.nodeStats).toMatchObject({ connections: 1, channels: 1 });
  expect(await hub.summary(stayer.connection.app, "room-2999")).toMatchObject({ subscribers: 1 });
  stayer.vanish();
  await settled();
  expect(hub.nodeStats).toEqual({ apps: 0, connections: 0, channels: 0, users: 0 });
});
