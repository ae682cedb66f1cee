/** Clients over HTTP that came through a balancer are told where the node is that has their connection, and go there from then on. */

import { expect, test } from "bun:test";
import { createClient } from "@fanfare/client";
import { poll, stream } from "@fanfare/client/http";
import type { ConfigInput } from "../../packages/server/src/index.ts";
import { startBackend } from "../conformance/backend.ts";
import { connectClient, own, type PusherTransport } from "../conformance/pusher-js.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";
import { APP, startServer } from "../support/server.ts";

const NODE = "127.0.0.2";

/** A node at one address of this machine, and a balancer at another, on the same port. */
async function startBehind(nodeUrl: (port: number) => string, config: ConfigInput = {}) {
  const port = await freePort();
  const app = { ...APP, anonymous: true, channels: [{ match: "*", clientPublish: "any" as const }] };
  const server = await startServer({ host: NODE, port, nodeUrl: nodeUrl(port), apps: [app], ...config });
  const paths: string[] = [];
  const balancer = Bun.serve({
    ...{ hostname: "127.0.0.1", port, idleTimeout: 0 },
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      paths.push(pathname);
      const { method, headers, signal } = request;
      const body = await request.text();
      const sent = { method, headers, signal, ...(method === "POST" && { body }) };
      return fetch(`http://${NODE}:${port}${pathname}${search}`, sent);
    },
  });
  atEnd(() => balancer.stop(true));
  return { server, port, balancer, paths };
}

const there = (port: number) => `ws://${NODE}:${port}`;

test.each<PusherTransport>(["xhr_streaming", "xhr_polling"])("pusher-js goes to the node: %s", async (transport) => {
  const { server, port, balancer, paths } = await startBehind(there);
  const client = await connectClient({ port, transport }, startBackend({ port }));
  await eventually(() => expect(paths.length).toBeGreaterThan(0));
  const { heard } = await client.subscribe("news");
  // A poll that was under way when it was told may still come.
  await eventually(() => expect(server.connections.count()).toBe(1));
  expect(paths.filter((path) => path.endsWith("xhr_send"))).toEqual([]);
  if (transport === "xhr_polling") await balancer.stop(true);
  await server.toChannel("news").push({ event: "e", data: 1 });
  await eventually(() => expect(own(heard)).toContainEqual(["e", 1]));
  expect(client.errors).toEqual([]);
});

test.each([stream, poll])("the client goes to the node, and stays where it cannot: $name", async (transport) => {
  const use = async (port: number) => {
    const client = createClient({ url: `ws://127.0.0.1:${port}`, transports: [transport] });
    atEnd(() => client.close());
    const room = client.channel("news");
    const heard: unknown[] = [];
    room.on("message", (data) => heard.push(data));
    await eventually(() => expect(room.snapshot.state).toBe("attached"));
    return { client, heard };
  };
  const near = await startBehind(there);
  const { heard } = await use(near.port);
  expect(near.paths.filter((path) => path !== `/rt/${transport.name}`)).toEqual([]);
  await near.server.toChannel("news").push("one");
  await eventually(() => expect(heard).toEqual(["one"]));
  // Nobody listens there.
  const far = await startBehind((port) => `ws://127.0.0.3:${port}`);
  const other = await use(far.port);
  await far.server.toChannel("news").push("two");
  await eventually(() => expect(other.heard).toEqual(["two"]));
  expect(far.paths).toContain("/rt/send");
});

test("nobody is sent to another scheme or port, where they are already, or where that is switched off", async () => {
  const told = async (nodeUrl: (port: number) => string, config: ConfigInput = {}) => {
    const { port } = await startBehind(nodeUrl, config);
    const ask = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`, { method: "POST" })).text();
    const { frames } = JSON.parse(await ask("/rt/poll"));
    const [line] = (await ask(`/pusher/app/${APP.key}/1/abcdefgh/xhr`)).split("\n");
    return [frames[0].data.http.url, line];
  };
  expect(await told(there)).toEqual([expect.stringMatching(/^http:\/\/127\.0\.0\.2:\d+$/), `o{"hostname":"${NODE}"}`]);
  const nowhere = [undefined, "o{}"];
  expect(await told(there, { http: { pin: "off" } })).toEqual(nowhere);
  expect(await told((port) => `wss://${NODE}:${port}`)).toEqual(nowhere);
  expect(await told(() => `ws://${NODE}`)).toEqual(nowhere);
  expect(await told((port) => `ws://127.0.0.1:${port}`)).toEqual(nowhere);
});
