/** Live cursors: every page publishes where its pointer is, and shows those of the others. */

import { createPublisher } from "@fanfare/publisher";
import { createServer } from "fanfare";
import page from "./index.html";

const app = { id: "cursors", key: "cursors-key", secret: process.env.APP_SECRET ?? crypto.randomUUID() };
const fanfare = createServer({
  port: Number(process.env.FANFARE_PORT ?? 9501),
  // Pages may publish `client-…` events to each other, 30 a second.
  apps: [{ ...app, clientEvents: true, limits: { clientEventsPerSecond: 30 } }],
});
await fanfare.start();
const publisher = createPublisher({ url: `http://localhost:${fanfare.port}`, appId: app.id, ...app });

const web = Bun.serve({
  port: process.env.PORT ?? 8080,
  routes: {
    "/": page,
    "/socket": (request) => new Response(`ws://${new URL(request.url).hostname}:${fanfare.port}`),
    // In a real application the session says who it is; here everybody is somebody new.
    "/token": async () => {
      const user = crypto.randomUUID();
      const info = { color: `hsl(${Math.floor(Math.random() * 360)} 80% 45%)` };
      return new Response(await publisher.token({ user, info, channels: ["presence-canvas"] }));
    },
  },
});
console.log(`Open ${web.url} in two windows`);
