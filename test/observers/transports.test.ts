/** By what a client is connected, wherever connections are listed, counted or logged. */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createSteering } from "../../packages/publisher/src/index.ts";
import { keyHolder } from "../admin/visitor.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { LineStream } from "../support/line-stream.ts";
import { scrape } from "../support/metrics.ts";
import { connectNative } from "../support/native-client.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const EACH = [
  ["events", "events"],
  ["native", "poll"],
  ["native", "stream"],
  ["native", "websocket"],
  ["pusher", "websocket"],
  ["pusher", "xhr_polling"],
  ["pusher", "xhr_streaming"],
] as const;

const logFile = join(temporaryFolder(), "fanfare.log");
const server = await startServer(
  { http: { sessionTimeoutS: 2, pollS: 1 }, log: { level: "debug", file: logFile } },
  { anonymous: true },
);
const { url } = server;
/** One client of each kind, and two that poll. */
const xhr = (n: number, action: string) => `${url}/pusher/app/${APP.key}/${n}/abcdefgh/${action}?protocol=7`;
const streams = await Promise.all([
  LineStream.open(`${url}/rt/events?channels=news`, { method: "GET" }),
  LineStream.open(`${url}/rt/stream`),
  LineStream.open(xhr(1, "xhr_streaming")),
]);
for (const stream of streams) await stream.next();
const sockets = [await connectNative(url), await connectPusher(url)];
const polls = [`${url}/rt/poll`, xhr(2, "xhr"), xhr(3, "xhr")].map(startPolling);
await Promise.all(polls.map(({ isOpen }) => isOpen));

/** Polls as a client does, whose native kind names its session and what it has. */
function startPolling(address: string) {
  const aborter = new AbortController();
  atEnd(() => aborter.abort());
  const poll = async (query: string) => {
    const answer = await fetch(address + query, { method: "POST", signal: aborter.signal });
    const text = await answer.text();
    if (!text.startsWith("{")) return "";
    const { session, seq } = JSON.parse(text);
    return `?session=${session}&ack=${seq}`;
  };
  const first = poll("");
  const goOn = async () => {
    for (let query = await first; !aborter.signal.aborted; ) query = await poll(query);
  };
  goOn().catch(() => {});
  return { isOpen: first, stop: () => aborter.abort() };
}

const counted = ([protocol, transport]: readonly [string, string]) =>
  `fanfare_transport_connections{app=app,protocol=${protocol},transport=${transport}}`;

test("a scrape counts connections by protocol and transport, and the older numbers stay as they were", async () => {
  const samples = await scrape(url);
  const numbers = EACH.map((each) => [each, samples.get(counted(each))]);
  expect(numbers).toEqual(EACH.map((each) => [each, each[1] === "xhr_polling" ? 2 : 1]));
  expect(samples.get("fanfare_connections{app=app}")).toBe(8);
  const opened = (protocol: string) => samples.get(`fanfare_connections_opened_total{app=app,protocol=${protocol}}`);
  expect(["events", "native", "pusher"].map(opened)).toEqual([1, 3, 4]);
});

test("the list of the HTTP API names it", async () => {
  const steering = createSteering({ url, appId: APP.id, key: APP.key, secret: APP.secret });
  const { items } = await steering.connections();
  const listed = items.map(({ protocol, transport }) => `${protocol} ${transport}`).sort();
  expect(listed).toEqual([...EACH.map((each) => each.join(" ")), "pusher xhr_polling"].sort());
});

test("the dashboard lists it, but for WebSockets, and finds connections by it", async () => {
  const live = await (await keyHolder(server)).watch();
  await live.subscribe({ type: "connections", app: "app" });
  const { connections } = await live.next("connections");
  expect(connections.map(({ transport = "none" }) => transport).sort()).toEqual(
    ["events", "none", "none", "poll", "stream", "xhr_polling", "xhr_polling", "xhr_streaming"].sort(),
  );
  const searching = await (await keyHolder(server)).watch();
  await searching.subscribe({ type: "connections", app: "app", search: "xhr_polling" });
  expect((await searching.next("connections")).total).toBe(2);
});

test("the log names it where a client over HTTP comes and where it goes, and a scrape counts 0 behind them", async () => {
  for (const stream of streams) stream.abort();
  for (const poll of polls) poll.stop();
  await Promise.all(sockets.map((socket) => socket.close()));
  await eventually(() => expect(server.connections.count()).toBe(0), { withinMs: 10_000 });
  const logged = await eventually(() => {
    const lines = readFileSync(logFile, "utf8").trimEnd().split("\n");
    const all = lines.map((line) => JSON.parse(line) as Record<string, string>);
    const of = (message: string) => all.filter(({ msg, app }) => msg === message && app === APP.id);
    expect([of("connected").length, of("disconnected").length]).toEqual([8, 8]);
    return [of("connected"), of("disconnected")];
  });
  const each = [...EACH, ["pusher", "xhr_polling"]].map(([protocol, transport]) => {
    return transport === "websocket" ? protocol : `${protocol} ${transport}`;
  });
  for (const lines of logged) {
    const told = lines.map(({ protocol, transport }) => [protocol, transport].filter(Boolean).join(" "));
    expect(told.sort()).toEqual(each.sort());
  }
  const samples = await scrape(url);
  expect(EACH.map((one) => samples.get(counted(one)))).toEqual(EACH.map(() => 0));
});
