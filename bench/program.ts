/**
 * Fanfare as a program embeds it. The first argument says which protocol's readers it publishes for, the second, if any,
 * what else is set, as JSON. With several workers, all but the first process only serve.
 */

import { type ConfigInput, createServer } from "../packages/server/src/index.ts";
import { contend } from "./contender.ts";
import { APP, KEPT, OUTBOUND_BYTES } from "./credentials.ts";
import { CHANNEL, dataFor, EVENT } from "./message.ts";

const more: ConfigInput = JSON.parse(process.argv[3] ?? "{}");
const server = createServer({
  host: "127.0.0.1",
  port: 0,
  mode: "production",
  log: { level: "error" },
  limits: { outboundBufferBytes: OUTBOUND_BYTES },
  defaults: {
    anonymous: true,
    limits: { clientEventsPerSecond: 1_000_000_000 },
    channels: [
      { match: "pair-*", clientPublish: "client-events" },
      ...KEPT.map(({ channel, size }) => ({ match: channel, history: { size, ttlS: 60 } })),
      { match: "kept-*", history: { size: 100, ttlS: 60 } },
    ],
  },
  apps: [APP],
  ...more,
});
const { text } = dataFor(process.argv[2] === "native" ? "native" : "pusher");

if (server.isPrimary) {
  contend({
    async start() {
      await server.start();
      return server.port;
    },
    publish: (channel = CHANNEL) => server.toChannel(channel).push({ event: EVENT, data: { text } }),
  });
} else {
  // Whoever measures a worker's memory has no other way to ask for it.
  process.on("SIGUSR2", () => Bun.gc(true));
  await server.start();
}
