/** A server with too few file descriptors says no politely, and recovers. */

import { expect, test } from "bun:test";
import { connect as connectTcp, type Socket } from "node:net";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { connectPusher, dialPusher, trigger } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import type { TestSocket } from "../support/socket.ts";
import { openFiles, processorSeconds, SERVER, startBareProcess } from "./process.ts";

const FILES = 256;
const LIMITED: readonly [string, ...string[]] = ["prlimit", `--nofile=${FILES}`, ...SERVER];
const TOO_MANY = 400;

const server = await startBareProcess({
  program: LIMITED,
  config: { apps: [APP], limits: { handshakeTimeoutS: 3 } },
});

test("of more clients than there are descriptors for, those who do not fit are told to come back later (scenario 5)", async () => {
  const sockets: TestSocket[] = [];
  for (let n = 0; n < TOO_MANY; n++) sockets.push(await dialPusher(server.url));
  const answers = await Promise.all(sockets.map((socket) => socket.next()));
  const welcomed = sockets.filter((_, n) => answers[n]?.event === "pusher:connection_established");
  const refused = sockets.filter((socket) => !welcomed.includes(socket));
  expect(welcomed.length).toBeGreaterThan(100);
  expect(welcomed.length).toBeLessThan(FILES);
  for (const socket of refused) expect((await socket.closed).code).toBe(4100);
  expect(welcomed.every(({ isOpen }) => isOpen)).toBe(true);
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
  const before = processorSeconds(server.pid);
  await Bun.sleep(1_000);
  expect(processorSeconds(server.pid) - before).toBeLessThan(0.2);
  await Promise.all(welcomed.map((socket) => socket.close()));
  const client = await eventually(() => connectPusher(server.url));
  await client.ping();
});

test("with no descriptor left at all it goes on for those who are in, and recovers (scenario 5)", async () => {
  const member = await connectPusher(server.url);
  await member.subscribe("room");
  const silent: Socket[] = [];
  atEnd(() => silent.forEach((socket) => void socket.destroy()));
  for (let n = 0; n < TOO_MANY; n++) {
    const socket = connectTcp(server.port, "127.0.0.1");
    socket.on("error", () => {});
    silent.push(socket);
  }
  await eventually(() => expect(silent.every(({ connecting }) => !connecting)).toBe(true));
  await eventually(() => expect(openFiles(server.pid)).toBeGreaterThanOrEqual(FILES - 1));
  // Bun accepts in a busy loop while no descriptor is left, until the handshake's timeout frees some; it starves nobody.
  for (let n = 0; n < 100; n++) await member.ping();
  for (const socket of silent) socket.destroy();
  await eventually(() => trigger(server.url, APP, { name: "back", channel: "room", data: "x" }), { withinMs: 30_000 });
  expect((await member.nextIn("room")).event).toBe("back");
  const newcomer = await connectPusher(server.url);
  await newcomer.ping();
});
