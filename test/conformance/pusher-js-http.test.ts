/** The whole suite of pusher-js over its HTTP transports, on one server. */

import { describe, expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";
import { startServer } from "../support/server.ts";
import { startBackend } from "./backend.ts";
import { Client, oneServer, type PusherTransport } from "./pusher-js.ts";
import { channelsContract } from "./pusher-js-channels.ts";
import { connectionContract } from "./pusher-js-connection.ts";
import { usersContract } from "./pusher-js-users.ts";

const TRANSPORTS: readonly PusherTransport[] = ["xhr_streaming", "xhr_polling"];

describe.each(TRANSPORTS)("%s:", async (transport) => {
  const world = oneServer(transport);
  await channelsContract(world);
  await usersContract(world);
  await connectionContract(world);
});

test("where no WebSocket gets through, pusher-js comes by HTTP by itself", async () => {
  const server = await startServer();
  const client = new Client(server, startBackend(server), {
    wsPort: await freePort(),
    enabledTransports: ["ws", "xhr_streaming"],
  });
  await eventually(() => expect(client.state).toBe("connected"), { withinMs: 40_000 });
  expect([...server.connections].map(({ transport }) => transport)).toEqual(["xhr_streaming"]);
}, 60_000);
