/** "Ada is typing", and reactions: events that go from client to client, past the back end. */

import { createServer } from "fanfare";
import { SignJWT } from "jose";
import page from "./index.html";

const secret = process.env.APP_SECRET ?? crypto.randomUUID();
const fanfare = createServer({
  port: Number(process.env.FANFARE_PORT ?? 9501),
  apps: [{ id: "room", key: "room-key", secret, clientEvents: true }],
});
await fanfare.start();

/** In a real application the session says who it is; here everybody is whom they say. */
function tokenFor(name: string): Promise<string> {
  return new SignJWT({ info: { name }, channels: ["presence-room"] })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject(name)
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
  },
});
console.log(`Open ${web.url}?name=Ada and ${web.url}?name=Bob`);
