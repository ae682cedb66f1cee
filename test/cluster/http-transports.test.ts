/** Clients without a WebSocket where each request comes to another node: frames and commands in order and once, whatever dies. */

import { expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { LineStream } from "../support/line-stream.ts";
import { startRequestBalancer } from "../support/request-balancer.ts";
import { scaled } from "../support/soak.ts";
import { startProxy } from "../support/tcp-proxy.ts";
import { startCluster, startNode } from "./cluster.ts";

interface Frame {
  readonly event: string;
  readonly id?: number;
  readonly data: { readonly session: string; readonly id: string } & { readonly n: number };
}

const lines = (...commands: object[]) => commands.map((command) => `${JSON.stringify(command)}\n`).join("");
const subscribe = (channel: string) => ({ event: "subscribe", id: 1, data: { channel } });

const cluster = await startCluster({ http: { sessionTimeoutS: 5 } }, { anonymous: true });
const { one, other, redis } = cluster;
const balancer = await startRequestBalancer([one.port, other.port]);
const url = `http://127.0.0.1:${balancer.port}`;

const parsed = async (stream: LineStream) => JSON.parse(await stream.find((line) => line !== "")) as Frame;

async function open(to: string, channel = "quiet") {
  const stream = await LineStream.open(`${to}/rt/stream`, { body: lines(subscribe(channel)) });
  const { data } = await parsed(stream);
  await parsed(stream);
  return { stream, ...data };
}

test("a stream is resumed on any node, over and over, and each event comes once and in order", async () => {
  const { stream, session } = await open(url, "room");
  const total = scaled(5_000, 300);
  const heard: number[] = [];
  const pushing = (async () => {
    // No further ahead than what is kept for a client that comes again.
    for (let n = 0; n < total; n++) {
      while (n - heard.length > 100) await Bun.sleep(1);
      await [one, other][n % 2]?.toChannel("room").push({ event: "e", data: { n } });
    }
  })();
  let current = stream;
  let has = 2;
  while (heard.length < total) {
    const frame = await parsed(current);
    has++;
    heard.push(frame.data.n);
    if (has % 40 !== 0) continue;
    current.abort();
    current = await LineStream.open(`${url}/rt/stream?session=${session}&ack=${has}`);
    expect(current.response.status).toBe(200);
  }
  await pushing;
  // Two nodes published side by side, each in its order.
  for (const node of [0, 1]) {
    const own = heard.filter((n) => n % 2 === node);
    expect(own).toEqual(own.toSorted((a, b) => a - b));
  }
  expect(new Set(heard).size).toBe(total);
  expect(Math.min(...balancer.given)).toBeGreaterThan(2);
  expect((await one.channel("room").info())?.subscribers).toBe(1);
  current.abort();
}, 120_000);

test("commands are handled once and in order on whatever node they come, and what is wrong is said there", async () => {
  const { stream, session } = await open(one.url);
  const send = (node: { url: string }, seq: number, ...ids: number[]) =>
    fetch(`${node.url}/rt/send?session=${session}&seq=${seq}`, {
      method: "POST",
      body: lines(...ids.map((id) => ({ event: "ping", id }))),
    });
  const early = send(other, 4, 4);
  await Bun.sleep(50);
  expect((await send(one, 2, 2, 3)).status).toBe(204);
  expect((await early).status).toBe(204);
  expect((await send(other, 2, 2, 3)).status).toBe(204);
  for (const id of [2, 3, 4]) expect((await parsed(stream)).id).toBe(id);
  const missing = await send(other, 9, 9);
  expect([missing.status, ((await missing.json()) as { expected: number }).expected]).toEqual([409, 5]);
  const foreign = { method: "POST", headers: { Origin: "https://x.example" } };
  expect((await fetch(`${other.url}/rt/poll?session=${session}&ack=2`, foreign)).status).toBe(403);
  const nowhere = `${other.url}/rt/poll?session=${session.slice(0, -2)}xx&ack=2`;
  expect((await fetch(nowhere, { method: "POST" })).status).toBe(410);
  expect((await fetch(`${other.url}/rt/close?session=${session}`, { method: "POST" })).status).toBe(204);
  expect(await stream.rest()).toEqual([]);
}, 60_000);

test("a node that was away does not take a session back from the request that reads it by now", async () => {
  const line = await startProxy(redis.port);
  const far = await startNode(line, {}, { anonymous: true });
  const { session, id } = await open(one.url);
  const left = await LineStream.open(`${far.url}/rt/stream?session=${session}&ack=2`);
  const push = (n: number) => one.toConnection(id).push({ event: "e", data: { n } });
  await push(0);
  expect((await parsed(left)).data.n).toBe(0);
  // Its next question is under way by now.
  await Bun.sleep(200);
  // Nobody tells it that it was replaced, and nobody tells its client.
  line.cut();
  const current = await LineStream.open(`${one.url}/rt/stream?session=${session}&ack=3`);
  line.mend();
  await push(1);
  expect((await parsed(current)).data.n).toBe(1);
  // It asks again when an answer is overdue.
  expect((await left.rest()).filter((text) => text !== "")).toEqual([]);
  await push(2);
  expect((await parsed(current)).data.n).toBe(2);
  current.abort();
}, 60_000);

test("a Redis that is killed costs a relayed stream nothing that was delivered to its node", async () => {
  const { session, id, stream: first } = await open(one.url);
  const stream = await LineStream.open(`${other.url}/rt/stream?session=${session}&ack=2`);
  expect(await first.rest()).toEqual([]);
  const push = (n: number) => one.toConnection(id).push({ event: "e", data: { n } });
  await push(0);
  expect((await parsed(stream)).data.n).toBe(0);
  await redis.kill();
  // To a connection of the same node it needs no engine.
  for (let n = 1; n <= 20; n++) await push(n);
  await redis.start();
  for (let n = 1; n <= 20; n++) expect((await parsed(stream)).data.n).toBe(n);
  stream.abort();
  await eventually(() => expect(one.connections.count()).toBe(0), { withinMs: 60_000 });
}, 120_000);

test("a node that stops says so to clients whose request another node has", async () => {
  const { session } = await open(one.url);
  const stream = await LineStream.open(`${other.url}/rt/stream?session=${session}&ack=2`);
  await stream.next();
  await one.stop();
  const rest = (await stream.rest()).filter((line) => line !== "").map((line) => JSON.parse(line));
  expect(rest.at(-1)).toMatchObject({ event: "closing", code: "shutdown" });
  // Until it is off the list, it is asked, and does not answer.
  const again = () => fetch(`${other.url}/rt/stream?session=${session}&ack=2`, { method: "POST" });
  await eventually(async () => expect((await again()).status).toBe(410), { withinMs: 40_000 });
}, 60_000);
