/** A chat whose history is the application's own: what was said is in its database, Fanfare only carries it. */

import { Database } from "bun:sqlite";
import { createServer } from "fanfare";
import page from "./index.html";

const db = new Database(process.env.CHAT_DB ?? "chat.sqlite");
db.run("CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, name TEXT NOT NULL, text TEXT NOT NULL)");
const insert = db.query("INSERT INTO messages (name, text) VALUES (?, ?) RETURNING id, name, text");
const latest = db.query("SELECT * FROM (SELECT id, name, text FROM messages ORDER BY id DESC LIMIT 100) ORDER BY id");

// Reading needs no token here; nobody can publish but this program.
const fanfare = createServer({
  port: Number(process.env.FANFARE_PORT ?? 9501),
  apps: [{ id: "chat", key: "chat-key", secret: process.env.APP_SECRET ?? crypto.randomUUID(), anonymous: true }],
});
await fanfare.start();

const web = Bun.serve({
  port: process.env.PORT ?? 8080,
  routes: {
    "/": page,
    "/socket": (request) => new Response(`ws://${new URL(request.url).hostname}:${fanfare.port}/`),
    "/messages": {
      GET: () => Response.json(latest.all()),
      POST: async (request) => {
        const form = await request.formData();
        const [name, text] = ["name", "text"].map((field) => String(form.get(field) ?? "").slice(0, 500));
        if (!name || !text) return new Response("Who says what?", { status: 400 });
        const message = insert.get(name, text);
        await fanfare.toChannel("chat").push({ event: "message", data: message });
        return Response.json(message);
      },
    },
  },
});
console.log(`Open ${web.url} in two windows`);
