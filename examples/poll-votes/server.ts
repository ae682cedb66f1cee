/** A poll: votes are custom events that the program handles, counts and answers. */

import { CommandError, createServer } from "fanfare";
import page from "./index.html";

const votes = new Map([
  ["tea", 0],
  ["coffee", 0],
]);
const voted = new Set<string>();

const fanfare = createServer({
  port: Number(process.env.FANFARE_PORT ?? 9501),
  apps: [{ id: "poll", key: "poll-key", secret: process.env.APP_SECRET ?? crypto.randomUUID(), anonymous: true }],
});

// What it returns is the answer to the vote; what it throws is the error the voter is told.
fanfare.handle("poll-vote", async (connection, data) => {
  const option = typeof data === "object" && data !== null && "option" in data ? String(data.option) : "";
  const count = votes.get(option);
  if (count === undefined) throw new CommandError("data_invalid", "There is no such option.");
  if (voted.has(connection.id)) throw new CommandError("publish_forbidden", "You have voted already.");
  voted.add(connection.id);
  votes.set(option, count + 1);
  await fanfare.toChannel("poll").push({ event: "poll-results", data: results() });
  return results();
});

function results(): Record<string, number> {
  return Object.fromEntries(votes);
}

await fanfare.start();
const web = Bun.serve({
  port: process.env.PORT ?? 8080,
  routes: {
    "/": page,
    "/socket": (request) => new Response(`ws://${new URL(request.url).hostname}:${fanfare.port}/`),
    "/results": () => Response.json(results()),
  },
});
console.log(`Open ${web.url} in two windows`);
