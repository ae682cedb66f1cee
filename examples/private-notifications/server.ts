/** Notifications for one user, on all their devices, wherever in the program they come from. */

import { createServer } from "fanfare";
import { SignJWT } from "jose";
import page from "./index.html";

const secret = process.env.APP_SECRET ?? crypto.randomUUID();
const fanfare = createServer({
  port: Number(process.env.FANFARE_PORT ?? 9501),
  apps: [{ id: "notes", key: "notes-key", secret }],
});
await fanfare.start();

/** In a real application the session says who it is; here everybody is whom they say. */
function tokenFor(user: string): Promise<string> {
  return new SignJWT({})
    .setProtectedHeader({ alg: "HS256" })
    .setSubject(user)
    .setExpirationTime("1m")
    .sign(new TextEncoder().encode(secret));
}

const web = Bun.serve({
  port: process.env.PORT ?? 8080,
  routes: {
    "/": page,
    "/socket": async (request) => {
      const { hostname, searchParams } = new URL(request.url);
      const user = searchParams.get("user") ?? "nobody";
      return new Response(`ws://${hostname}:${fanfare.port}/?token=${await tokenFor(user)}`);
    },
    "/notify": {
      POST: async (request) => {
        const form = await request.formData();
        const [to, text] = ["to", "text"].map((field) => String(form.get(field) ?? ""));
        if (!to || !text) return new Response("What for whom?", { status: 400 });
        await fanfare.toUser(to).push({ event: "notification", data: { text } });
        return new Response(null, { status: 204 });
      },
    },
  },
});
console.log(`Open ${web.url}?user=ada and ${web.url}?user=bob`);
