/** Many who read by HTTP and stop reading: each is cut at its limit, memory stays bounded, and who reads on gets everything. */

import { expect, test } from "bun:test";
import { connect as connectTcp } from "node:net";
import { createPublisher } from "../../packages/publisher/src/index.ts";
import { residentBytes, startBareProcess } from "../faults/process.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { LineStream } from "../support/line-stream.ts";
import { APP } from "../support/server.ts";
import { scaled } from "../support/soak.ts";

const LIMIT = 262_144;
const SLOW = scaled(99, 18);
const DATA = "x".repeat(20_000);
/** The kernel keeps some four megabytes of each loopback connection; far more than that is published. */
const MOST_BYTES = 48 * 1024 * 1024;
const SLACK_BYTES = 128 * 1024 * 1024;

const server = await startBareProcess({
  config: { apps: [{ ...APP, anonymous: true }], limits: { outboundBufferBytes: LIMIT } },
});
const publisher = createPublisher({ url: server.url, appId: APP.id, key: APP.key, secret: APP.secret });
const SUBSCRIBE = `${JSON.stringify({ event: "subscribe", id: 1, data: { channel: "busy" } })}\n`;

/** Asks, and reads nothing of the answer but its first bytes. */
async function stall(method: string, path: string, body: string): Promise<void> {
  const socket = connectTcp(server.port, "127.0.0.1");
  socket.on("error", () => {});
  atEnd(() => socket.destroy());
  const head = `${method} ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`;
  socket.write(head + body);
  await new Promise((resolve) => socket.once("data", resolve));
  socket.pause();
}

const KINDS: readonly (() => Promise<void>)[] = [
  () => stall("POST", "/rt/stream", SUBSCRIBE),
  () => stall("GET", "/rt/events?channels=busy", ""),
  async () => {
    const session = `/pusher/app/${APP.key}/1/${crypto.randomUUID().slice(0, 8)}`;
    await stall("POST", `${session}/xhr_streaming?protocol=7`, "");
    const frame = JSON.stringify({ event: "pusher:subscribe", data: { channel: "busy" } });
    const body = JSON.stringify([frame]);
    expect((await fetch(`${server.url}${session}/xhr_send`, { method: "POST", body })).status).toBe(204);
  },
];

test("they are cut, the server's memory is that of their limits, and others get every event in order", async () => {
  const readers = [
    await LineStream.open(`${server.url}/rt/stream`, { body: SUBSCRIBE }),
    await LineStream.open(`${server.url}/rt/events?channels=busy`, { method: "GET" }),
  ];
  for (let n = 0; n < SLOW; n++) await KINDS[n % KINDS.length]?.();
  const subscriptions = async () => (await publisher.channel("busy")).subscriptions;
  await eventually(async () => expect(await subscriptions()).toBe(SLOW + readers.length));

  const heard = readers.map(async (reader) => {
    const numbers: number[] = [];
    while (numbers.at(-1) !== -1) {
      const line = await reader.find((each) => each.includes(DATA));
      numbers.push(Number(/(-?\d+) x/.exec(line)?.[1]));
    }
    return numbers;
  });
  const before = residentBytes(server.pid);
  let [most, sent] = [0, 0];
  while ((await subscriptions()) > readers.length && sent * DATA.length < MOST_BYTES) {
    const some = Array.from({ length: 5 }, () => ({ channel: "busy", event: "n", data: `${sent++} ${DATA}` }));
    await publisher.batch(some);
    most = Math.max(most, residentBytes(server.pid));
  }
  expect(await subscriptions()).toBe(readers.length);
  await publisher.publish("busy", "n", `-1 ${DATA}`);
  const all = [...Array.from({ length: sent }, (_, n) => n), -1];
  for (const numbers of heard) expect(await numbers).toEqual(all);
  // Text of one byte a character, and as much again under way.
  expect(most - before).toBeLessThan(SLOW * LIMIT * 2 + SLACK_BYTES);
}, 120_000);
