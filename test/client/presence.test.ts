/** Who is in a presence channel, against the real server. */

import { expect, test } from "bun:test";
import type { Client } from "../../packages/client/src/index.ts";
import { eventually } from "../support/eventually.ts";
import { makeToken } from "../support/native-client.ts";
import { startWorld } from "./server-world.ts";

const world = await startWorld();

function as(user: string, direct = false): Client {
  const token = () => makeToken({ sub: user, info: { name: user.toUpperCase() }, channels: ["presence-*"] });
  return direct ? world.directClient({ token }) : world.client({ token });
}

function watch(client: Client, name: string) {
  const changes: string[] = [];
  const room = client.channel(name);
  room.onJoin(({ id }) => changes.push(`+${id}`));
  room.onLeave(({ id }) => changes.push(`-${id}`));
  return { room, changes, ids: () => room.members.map(({ id }) => id) };
}

async function attached(...clients: { room: { snapshot: { state: string } } }[]): Promise<void> {
  await eventually(() => {
    for (const { room } of clients) expect(room.snapshot.state).toBe("attached");
  });
}

test("the list has everybody in order of arrival, the client too, and its changes are told", async () => {
  const ada = watch(as("ada"), "presence-room");
  await attached(ada);
  const bob = watch(as("bob"), "presence-room");
  await attached(bob);
  await eventually(() => expect(ada.ids()).toEqual(["ada", "bob"]));
  expect(bob.ids()).toEqual(["ada", "bob"]);
  expect(bob.room.me).toEqual({ id: "bob", info: { name: "BOB" } });
  expect(bob.changes).toEqual([]);
  expect(ada.changes).toEqual(["+bob"]);
  const before = ada.room.members;
  const eve = watch(as("eve"), "presence-room");
  await eventually(() => expect(ada.changes).toEqual(["+bob", "+eve"]));
  expect(before.map(({ id }) => id)).toEqual(["ada", "bob"]);
  expect(eve.ids()).toEqual(["ada", "bob", "eve"]);
});

test("after a reconnect only the differences are told, and the old list stays meanwhile", async () => {
  const [ada, bob, eve, dan] = ["ada", "bob", "eve", "dan"].map((user) => as(user, user !== "ada"));
  const [watched, ...others] = [ada, bob, eve].map((client) => watch(client as Client, "presence-diff"));
  await attached(watched as never, ...(others as never[]));
  await eventually(() => expect(watched?.ids()).toHaveLength(3));
  if (watched) watched.changes.length = 0;
  world.proxy.cut();
  await eventually(() => expect(watched?.room.snapshot.state).toBe("attaching"));
  expect(watched?.ids()).toHaveLength(3);
  eve?.close();
  const joined = watch(dan as Client, "presence-diff");
  await attached(joined);
  world.proxy.mend();
  await eventually(() => expect(watched?.changes).toEqual(["-eve", "+dan"]));
  expect(watched?.ids().toSorted()).toEqual(["ada", "bob", "dan"]);
});

test("two parts of a page hold one place, which is left 500 ms after the last has gone", async () => {
  const ada = as("ada");
  const stops = [ada.channel("presence-held").hold(), ada.channel("presence-held").on("x", () => {})];
  const bob = watch(as("bob", true), "presence-held");
  await eventually(() => expect(bob.ids().toSorted()).toEqual(["ada", "bob"]));
  stops[0]?.();
  // StrictMode: gone and back.
  stops[1]?.();
  stops.push(ada.channel("presence-held").hold());
  await bob.room.publish("marker", 1);
  expect(bob.changes.filter((change) => change !== "+ada")).toEqual([]);
  stops[2]?.();
  await eventually(() => expect(bob.changes).toContain("-ada"));
});
