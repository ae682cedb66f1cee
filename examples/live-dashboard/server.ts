/** A dashboard: the server measures itself and pushes the figures each second. */

import { availableParallelism, freemem, loadavg, totalmem } from "node:os";
import { createServer } from "fanfare";
import page from "./index.html";

const fanfare = createServer({
  port: Number(process.env.FANFARE_PORT ?? 9501),
  apps: [
    {
      id: "dashboard",
      key: "dashboard-key",
      secret: process.env.APP_SECRET ?? crypto.randomUUID(),
      anonymous: true,
      // Whoever opens the page sees the last figures at once, because `cache-` channels keep the last event.
      channels: [{ match: "cache-metrics", cacheTtlS: 5 }],
    },
  ],
});
await fanfare.start();

setInterval(async () => {
  const figures = {
    load: Math.round((100 * (loadavg()[0] ?? 0)) / availableParallelism()),
    memory: Math.round(100 * (1 - freemem() / totalmem())),
    viewers: (await fanfare.channel("cache-metrics").info())?.subscribers ?? 0,
  };
  await fanfare.toChannel("cache-metrics").push({ event: "metrics", data: figures });
}, 1_000);

const web = Bun.serve({
  port: process.env.PORT ?? 8080,
  routes: {
    "/": page,
    "/socket": (request) => new Response(`ws://${new URL(request.url).hostname}:${fanfare.port}/`),
  },
});
console.log(`Open ${web.url}`);
