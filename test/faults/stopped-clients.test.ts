/** Clients whose process is stopped: no goodbye comes, the kernel goes on acknowledging, and still they have to go. */

import { expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { connectPusher, trigger } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { scaled } from "../support/soak.ts";
import { openFiles, startBareProcess, startClients, subscribers } from "./process.ts";

const CONFIG = { activityTimeoutS: 1, pongTimeoutS: 1 };
/** The activity timeout, the pong timeout, and five seconds. */
const BOUND_MS = 7_000;
const COUNT = 20;

const server = await startBareProcess({ config: { apps: [APP], ...CONFIG } });

/** Publishes twenty times a second until it is told to stop. */
function keepBusy(channel: string, data = "x"): () => Promise<void> {
  let isBusy = true;
  const work = (async () => {
    while (isBusy) {
      await trigger(server.url, APP, { name: "tick", channel, data });
      await Bun.sleep(50);
    }
  })();
  return async () => {
    isBusy = false;
    await work;
  };
}

test("stopped clients in a quiet channel are removed in time, and their descriptors with them (A16, A17, scenario 32)", async () => {
  const before = openFiles(server.pid);
  const clients = await startClients(server.url, COUNT, "quiet");
  expect(await subscribers(server.url, "quiet")).toBe(COUNT);
  clients.signal("SIGSTOP");
  await eventually(async () => expect(await subscribers(server.url, "quiet")).toBe(0), { withinMs: BOUND_MS });
  await eventually(() => expect(openFiles(server.pid)).toBeLessThanOrEqual(before + 2), { withinMs: 30_000 });
});

test("stopped clients in a busy channel are removed in time, though the server keeps sending to them (scenario 33)", async () => {
  const before = openFiles(server.pid);
  const clients = await startClients(server.url, COUNT, "busy");
  const stop = keepBusy("busy");
  expect(await subscribers(server.url, "busy")).toBe(COUNT);
  clients.signal("SIGSTOP");
  await eventually(async () => expect(await subscribers(server.url, "busy")).toBe(0), { withinMs: BOUND_MS });
  await stop();
  await eventually(() => expect(openFiles(server.pid)).toBeLessThanOrEqual(before + 2), { withinMs: 30_000 });
});

test("stopped clients that never subscribed are removed in time (scenario 36)", async () => {
  const before = openFiles(server.pid);
  const clients = await startClients(server.url, COUNT);
  expect(openFiles(server.pid)).toBeGreaterThanOrEqual(before + COUNT);
  clients.signal("SIGSTOP");
  await eventually(() => expect(openFiles(server.pid)).toBeLessThanOrEqual(before + 2), { withinMs: BOUND_MS });
});

test("a client that only receives and answers pings stays, however busy its channel is (scenario 35)", async () => {
  const receiver = await startClients(server.url, 1, "lively");
  const stop = keepBusy("lively");
  await Bun.sleep(scaled(600_000, 5_000));
  await stop();
  expect(receiver.stdout).not.toContain("closed");
  expect(await subscribers(server.url, "lively")).toBe(1);
});

test("a client that was stopped for less than it is allowed stays", async () => {
  const calm = await startBareProcess({ config: { apps: [APP], activityTimeoutS: 1, pongTimeoutS: 30 } });
  const clients = await startClients(calm.url, 1, "patient");
  const witness = await connectPusher(calm.url);
  await witness.subscribe("patient");
  clients.signal("SIGSTOP");
  await witness.next("pusher:ping", 10_000);
  clients.signal("SIGCONT");
  await witness.ping();
  expect(clients.stdout).not.toContain("closed");
  expect(await subscribers(calm.url, "patient")).toBe(2);
});
