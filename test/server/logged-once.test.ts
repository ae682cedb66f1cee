/** What needs attention is one line of the log: a dead letter, a slow consumer that was cut. For engines see the cluster tests. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { connectRawWebSocket, OPCODE } from "../support/raw-socket.ts";
import { APP, startServer } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

setDefaultTimeout(60_000);

function logFile() {
  const file = join(temporaryFolder(), "fanfare.log");
  const lines = (word: string) =>
    readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line.includes(word))
      .map((line) => JSON.parse(line) as object);
  return { log: { file, format: "json" } as const, lines };
}

test("a webhook that no receiver takes in time", async () => {
  const { log, lines } = logFile();
  const url = `http://127.0.0.1:${await freePort()}/hooks`;
  const server = await startServer(
    { log, webhooks: { allowPrivate: true, retryForS: 1 } },
    { webhooks: [{ url, events: ["channel_occupied"] }] },
  );
  await (await connectPusher(server.url)).subscribe("room");
  const told = await eventually(
    () => {
      const found = lines("no receiver took a webhook");
      expect(found).not.toEqual([]);
      return found;
    },
    { withinMs: 30_000 },
  );
  expect(told).toMatchObject([{ level: 40, app: APP.id, count: 1 }]);
});

test("a client that was cut because it does not read", async () => {
  const { log, lines } = logFile();
  const server = await startServer({ log, limits: { outboundBufferBytes: 2 * 1024 * 1024 } });
  const stalled = await connectRawWebSocket(server.url, `/app/${APP.key}`);
  stalled.send(OPCODE.text, '{"event":"pusher:subscribe","data":{"channel":"busy"}}');
  await stalled.until(() => stalled.frames.length === 2, "the welcome and the subscription");
  stalled.stall();
  for (let sent = 0; sent < 5_000 && server.connections.count() === 1; sent++) {
    await server.toChannel("busy").push({ event: "n", data: "x".repeat(10_000) });
    await Bun.sleep(sent % 4 === 0 ? 4 : 0);
  }
  await eventually(() => expect(lines("does not read what it is sent")).toMatchObject([{ level: 30, app: APP.id }]));
});
