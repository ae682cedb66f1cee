/** Who is in the room, and who is typing. */

import { createPublisher } from "@fanfare/publisher";
import { createServer } from "fanfare";
import page from "./index.html";

const app = { id: "rooms", key: "rooms-key", secret: process.env.APP_SECRET ?? crypto.randomUUID() };
const fanfare = createServer({
  port: Number(process.env.FANFARE_PORT ?? 9501),
  apps: [{ ...app, clientEvents: true }],
});
await fanfare.start();
const publisher = createPublisher({ url: `http://localhost:${fanfare.port}`, appId: app.id, ...app });

const web = Bun.serve({
  port: process.env.PORT ?? 8080,
  routes: {
    "/": page,
    "/socket": (request) => new Response(`ws://${new URL(request.url).hostname}:${fanfare.port}`),
    // In a real application the session says who it is; here everybody is whom they say.
    "/token": async (request) => {
      const name = new URL(request.url).searchParams.get("name")?.trim().slice(0, 40) || "Somebody";
      return new Response(
        await publisher.token({ user: name.toLowerCase(), info: { name }, channels: ["presence-room-*"] }),
      );
    },
  },
});
console.log(`Open ${web.url}?name=Ada and ${web.url}?name=Bob`);
