/** Fanfare as a program embeds it. The argument says which protocol's readers it publishes for. */

import { createServer } from "../src/index.ts";
import { contend } from "./contender.ts";
import { APP, OUTBOUND_BYTES } from "./credentials.ts";
import { CHANNEL, dataFor, EVENT } from "./message.ts";

const server = createServer({
  host: "127.0.0.1",
  port: 0,
  mode: "production",
  log: { level: "error" },
  limits: { outboundBufferBytes: OUTBOUND_BYTES },
  defaults: {
    anonymous: true,
    limits: { clientEventsPerSecond: 1_000_000_000 },
    channels: [{ match: "pair-*", clientPublish: "client-events" }],
  },
  apps: [APP],
});
const { text } = dataFor(process.argv[2] === "native" ? "native" : "pusher");

contend({
  async start() {
    await server.start();
    return server.port;
  },
  publish: () => server.toChannel(CHANNEL).push({ event: EVENT, data: { text } }),
});
