/** A chat that the client library keeps up to date: what was said is in the application's memory, `live` loads it and follows. */

import { createServer } from "fanfare";
import page from "./index.html";

const fanfare = createServer({
  port: Number(process.env.FANFARE_PORT ?? 9501),
  apps: [
    {
      id: "chat",
      key: "chat-key",
      secret: process.env.APP_SECRET ?? crypto.randomUUID(),
      anonymous: true,
      // Enough to catch up after a reconnect.
      channels: [{ match: "chat", history: { size: 1_000, ttlS: 3_600 } }],
    },
  ],
});
await fanfare.start();

const messages: { id: number; name: string; text: string }[] = [];

const web = Bun.serve({
  port: process.env.PORT ?? 8080,
  routes: {
    "/": page,
    "/socket": (request) => new Response(`ws://${new URL(request.url).hostname}:${fanfare.port}`),
    "/messages": {
      GET: async () => {
        // The position first: what comes between the two is then applied twice, and not lost.
        const { position } = await fanfare.history("chat", { limit: 1 });
        return Response.json({ state: messages.slice(-100), position });
      },
      POST: async (request) => {
        const { name, text } = await request.json();
        const message = { id: messages.length, name: String(name).slice(0, 50), text: String(text).slice(0, 500) };
        messages.push(message);
        await fanfare.toChannel("chat").push({ event: "message", data: message });
        return Response.json(message);
      },
    },
  },
});
console.log(`Open ${web.url} in two windows`);
