/** As many open streams as a process has room for: what each takes, an event to all of them, and how they are told to leave. */

import { expect, test } from "bun:test";
import { Arrivals } from "../../bench/arrivals.ts";
import { APP as BENCH_APP } from "../../bench/credentials.ts";
import { type HttpOpening, HttpReaders } from "../../bench/http-readers.ts";
import { CHANNEL, EVENT } from "../../bench/message.ts";
import { createPublisher } from "../../packages/publisher/src/index.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { scaled } from "../support/soak.ts";
import { openFiles, residentBytes, startBareProcess } from "./process.ts";

const STREAMS = scaled(10_002, 300);
const PATIENCE_MS = 60_000;
const DRAIN_S = scaled(20, 4);

/** Pusher's streams are told by an error; native ones and events by `closing`. */
const KINDS = [
  ["xhr_streaming", "pusher:error"],
  ["stream", '{"event":"closing'],
  ["events", "fanfare:closing"],
] as const satisfies readonly (readonly [HttpOpening["transport"], string])[];

test(`${STREAMS} streams: an event reaches all, and a server that drains tells all of them, ends, and has spread it`, async () => {
  const server = await startBareProcess({
    config: { apps: [{ ...BENCH_APP, anonymous: true }], drainTimeoutS: DRAIN_S, activityTimeoutS: 600 },
  });
  const crowds = KINDS.map(([transport, word]) => {
    const [events, farewells] = [new Arrivals(), new Arrivals()];
    // Half of them count the event, and half the farewell.
    const readers = [new HttpReaders(events), new HttpReaders(farewells)] as const;
    atEnd(() => readers.forEach((each) => void each.close()));
    return { transport, word, events, farewells, readers };
  });
  const each = Math.floor(STREAMS / KINDS.length / 2);
  const emptyBytes = residentBytes(server.pid);
  for (const { transport, word, readers } of crowds) {
    const opening = { transport, port: server.port, channel: CHANNEL, count: each };
    await readers[0].open(opening);
    await readers[1].open({ ...opening, counted: word });
  }
  const count = each * 2 * KINDS.length;
  const { id: appId, key, secret } = BENCH_APP;
  const publisher = createPublisher({ url: server.url, appId, key, secret });
  expect((await publisher.channel(CHANNEL)).subscriptions).toBe(count);
  expect(openFiles(server.pid)).toBeLessThan(count + 200);
  // An idle process grows by some megabytes anyway.
  expect(residentBytes(server.pid) - emptyBytes).toBeLessThan(count * 40_000 + 100_000_000);

  const heard = crowds.map(({ events }) => events.arrived(each, PATIENCE_MS));
  await publisher.publish(CHANNEL, EVENT, "x");
  await Promise.all(heard);

  const told = crowds.map(({ farewells }) => farewells.arrived(each, PATIENCE_MS));
  const startMs = performance.now();
  const { code } = await server.stop();
  await Promise.all(told);
  expect(code).toBe(0);
  expect(performance.now() - startMs).toBeLessThan((DRAIN_S + 10) * 1000);
  await eventually(() => {
    for (const { events, farewells } of crowds) expect(events.lost + farewells.lost).toBe(2 * each);
  });
}, 240_000);
