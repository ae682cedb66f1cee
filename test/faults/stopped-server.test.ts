/** A server whose process stands still for longer than it waits for anybody: what clients said meanwhile counts when it goes on. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { connectRaw, connectRawWebSocket, OPCODE, type RawSocket } from "../support/raw-socket.ts";
import { APP } from "../support/server.ts";
import { startBareProcess } from "./process.ts";

setDefaultTimeout(180_000);

/** Longer than every time-out below. */
const STILL_MS = 5_000;
const COUNT = 50;

const knock = (socket: RawSocket) => socket.handshake("/", {}, 3 * STILL_MS);

test("who answered a ping and who knocked while the server stood still is let in, and stays", async () => {
  const server = await startBareProcess({
    config: {
      activityTimeoutS: 1,
      pongTimeoutS: 3,
      limits: { handshakeTimeoutS: 1 },
      apps: [{ ...APP, anonymous: true }],
    },
  });
  const clients = await Promise.all(Array.from({ length: COUNT }, () => connectRawWebSocket(server.url, "/")));
  const early = await Promise.all(Array.from({ length: COUNT }, () => connectRaw(server.url)));
  // In one look all of them are asked.
  for (const client of clients) await client.next(OPCODE.ping);
  server.signal("SIGSTOP");
  for (const client of clients) client.send(OPCODE.pong);
  const knocking = early.map((socket) => knock(socket));
  const late = Array.from({ length: COUNT }, async () => knock(await connectRaw(server.url)));
  for (const each of [...knocking, ...late]) each.catch(() => {});
  await Bun.sleep(STILL_MS);
  server.signal("SIGCONT");
  for (const answer of await Promise.all([...knocking, ...late])) expect(answer.status).toBe(101);
  // The look that comes too late has been, and the one after it as well.
  for (const client of clients) {
    await client.next(OPCODE.ping);
    client.send(OPCODE.pong);
  }
  expect(clients.filter(({ isClosed }) => isClosed)).toEqual([]);
});
