/** What `recover` accepts: every build of pusher-js from 8.2 on, and nothing that would lose events silently. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { recover } from "../../packages/client/src/pusher/index.ts";
import { eventually } from "../support/eventually.ts";
import { startServer } from "../support/server.ts";
import { startProxy } from "../support/tcp-proxy.ts";
import { connect, dataOf, freshPusher, type PusherClass, VERSIONS, type Version } from "./pusher-js.ts";

setDefaultTimeout(30_000);

const server = await startServer({}, { channels: [{ match: "*", history: { size: 100 } }] });

/** All files of a version that hold a whole pusher-js. */
function buildsOf(version: Version): string[] {
  const dist = join(import.meta.dir, "..", "..", "node_modules", version, "dist");
  const files = readdirSync(dist, { recursive: true, encoding: "utf8" });
  return files.filter((it) => /pusher[^/]*\.js$/.test(it)).sort();
}

test.each([...VERSIONS])("every build of %s recovers what was published while its line was cut", async (version) => {
  const proxy = await startProxy(server.port);
  const builds = buildsOf(version);
  expect(builds.length).toBe(version === "pusher-js" ? 12 : 10);
  const clients = builds.map((build) => {
    const Fresh = freshPusher(version, build);
    recover(Fresh);
    return connect(Fresh, proxy.port).listen(version);
  });
  const subscribed = () => builds.filter((_, index) => clients[index]?.channel.subscribed);
  const heardBy = () => builds.map((build, index) => [build, dataOf(clients[index]?.heard ?? [])]);
  await eventually(() => expect(subscribed()).toEqual(builds));
  proxy.cut();
  await server.toChannel(version).push({ event: "number", data: 1 });
  proxy.mend();
  await eventually(() => expect(heardBy()).toEqual(builds.map((build) => [build, [1]])));
});

test("an older pusher-js is refused by a sentence that says why, and stays as it was", () => {
  const Old = freshPusher("pusher-js-8.0");
  const { createWebSocket, getDefaultStrategy } = Old.Runtime as unknown as Record<string, unknown>;
  expect(() => recover(Old)).toThrow(
    "recover() needs pusher-js 8.2 or newer. This is 8.0.0, which gives up for good after two broken connections.",
  );
  expect(Old.Runtime).toMatchObject({ createWebSocket, getDefaultStrategy });
});

test.each([undefined, {}, { default: class {} }])("what is no pusher-js is refused: %p", (it) => {
  expect(() => recover(it as unknown as PusherClass)).toThrow("recover() needs the class Pusher of pusher-js");
});

const LACKS: readonly [string, (Class: PusherClass) => void][] = [
  ["getDefaultStrategy", ({ Runtime }) => Object.assign(Runtime, { getDefaultStrategy: undefined })],
  ["a path in its addresses", ({ Runtime }) => Object.assign(Runtime, { getDefaultStrategy: () => ({}) })],
  [
    "sockets that come from createWebSocket",
    ({ Runtime }) => Object.assign(Runtime.Transports.ws as object, { hooks: { getSocket() {} } }),
  ],
  ["unsubscribe", ({ prototype }) => Object.assign(prototype, { unsubscribe: undefined })],
  ["its list of instances", (Class) => Object.assign(Class, { instances: undefined })],
];

test.each(LACKS)("a pusher-js without %s is refused at once, and stays as it was", (_what, takeAway) => {
  const Changed = freshPusher();
  const { createWebSocket } = Changed.Runtime;
  takeAway(Changed);
  expect(() => recover(Changed)).toThrow("recover() does not fit this pusher-js");
  expect(Changed.Runtime.createWebSocket).toBe(createWebSocket);
});
