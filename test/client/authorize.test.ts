/** Permission by a back end's route, against the real server and the package that back ends use. */

import { expect, test } from "bun:test";
import { batchAuthorizer } from "../../packages/client/src/index.ts";
import { createPublisher } from "../../packages/publisher/src/index.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { APP } from "../support/server.ts";
import { startWorld } from "./server-world.ts";

test("one request for all channels gets them all, again after each reconnect and when the back end was down", async () => {
  const world = await startWorld();
  const publisher = createPublisher({ url: world.url, appId: APP.id, key: APP.key, secret: APP.secret });
  const bodies: { connectionId: string; channels: string[] }[] = [];
  let failures = 1;
  const backEnd = Bun.serve({
    port: 0,
    fetch: async (request) => {
      const body = (await request.json()) as { connectionId: string; channels: string[] };
      if (failures-- > 0) return new Response("down", { status: 503 });
      bodies.push(body);
      const { connectionId, channels } = body;
      const allow = (channel: string) => channel !== "private-secret";
      return Response.json(await publisher.authorize(connectionId, channels, { member: { id: "ada" }, allow }));
    },
  });
  atEnd(() => backEnd.stop(true));
  const client = world.client({ authorize: batchAuthorizer(`http://127.0.0.1:${backEnd.port}/realtime/auth`) });
  const names = ["private-a", "presence-b", "private-secret", "public"];
  const rooms = names.map((name) => client.channel(name));
  for (const room of rooms) room.hold();
  const states = () => rooms.map(({ snapshot }) => snapshot.state);
  await eventually(() => expect(states()).toEqual(["attached", "attached", "refused", "attached"]));
  expect(bodies.map(({ channels }) => channels)).toEqual([names.slice(0, 3)]);
  expect(client.channel("presence-b").me).toEqual({ id: "ada" });
  world.cut();
  await eventually(() => expect(bodies).toHaveLength(2));
  await eventually(() => expect(states()).toEqual(["attached", "attached", "refused", "attached"]));
  expect(bodies[1]?.connectionId).toBe(client.snapshot.id as string);
});
