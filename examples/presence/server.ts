/** Who is online: a presence channel, entered by a token that says who one is. */

import { createServer } from "fanfare";
import { SignJWT } from "jose";
import page from "./index.html";

const secret = process.env.APP_SECRET ?? crypto.randomUUID();
const fanfare = createServer({
  port: Number(process.env.FANFARE_PORT ?? 9501),
  apps: [{ id: "presence", key: "presence-key", secret }],
});
await fanfare.start();

/** In a real application the session says who it is; here everybody is whom they say. */
function tokenFor(name: string): Promise<string> {
  return new SignJWT({ info: { name }, channels: ["presence-office"] })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject(name.toLowerCase())
    .setExpirationTime("1m")
    .sign(new TextEncoder().encode(secret));
}

const web = Bun.serve({
  port: process.env.PORT ?? 8080,
  routes: {
    "/": page,
    "/socket": async (request) => {
      const { hostname, searchParams } = new URL(request.url);
      const name = searchParams.get("name")?.trim().slice(0, 40) || "Somebody";
      return new Response(`ws://${hostname}:${fanfare.port}/?token=${await tokenFor(name)}`);
    },
    // The server knows it too, for pages that only want to show it.
    "/online": async () => Response.json(await fanfare.members("presence-office")),
  },
});
console.log(`Open ${web.url}?name=Ada and ${web.url}?name=Bob`);
