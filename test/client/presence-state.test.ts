/** What the application says of its user in a presence channel, against the real server. */

import { expect, test } from "bun:test";
import { type Channel, type Client, updatePresence } from "../../packages/client/src/index.ts";
import { eventually } from "../support/eventually.ts";
import { makeToken } from "../support/native-client.ts";
import { startWorld } from "./server-world.ts";

const world = await startWorld();

function as(user: string, direct = true): Client {
  const token = () => makeToken({ sub: user, info: { name: user.toUpperCase() }, channels: ["presence-*"] });
  return direct ? world.directClient({ token }) : world.client({ token });
}

async function entered(client: Client, name: string): Promise<Channel> {
  const room = client.channel(name);
  room.hold();
  await eventually(() => expect(room.snapshot.state).toBe("attached"));
  return room;
}

const stateOf = (room: Channel, user: string) => room.members.find(({ id }) => id === user)?.state;

test("reaches all members and those who come later, is told, and can be taken back", async () => {
  const [ada, bob] = [await entered(as("ada"), "presence-said"), await entered(as("bob"), "presence-said")];
  const told: unknown[] = [];
  bob.onUpdate((member) => told.push(member));
  const before = bob.members;
  const state = { cursor: [1, 2] };
  const said = updatePresence(ada, state);
  state.cursor.push(3);
  await said;
  const shown = { id: "ada", info: { name: "ADA" }, state: { cursor: [1, 2] } };
  await eventually(() => expect(told).toEqual([shown]));
  await eventually(() => expect(ada.me).toEqual(shown));
  expect(bob.members).not.toBe(before);
  const eve = await entered(as("eve"), "presence-said");
  expect(eve.members).toContainEqual(shown);
  await updatePresence(ada, null);
  await eventually(() => expect(eve.members).toContainEqual({ id: "ada", info: { name: "ADA" } }));
});

test("is said again after a reconnect, also where it was changed meanwhile", async () => {
  const bob = await entered(as("bob"), "presence-again");
  const ada = await entered(as("ada", false), "presence-again");
  await updatePresence(ada, "here");
  world.proxy.cut();
  await eventually(() => expect(bob.members.map(({ id }) => id)).toEqual(["bob"]));
  world.proxy.mend();
  await eventually(() => expect(stateOf(bob, "ada")).toBe("here"));
  world.proxy.cut();
  await eventually(() => expect(ada.snapshot.state).toBe("attaching"));
  const later = updatePresence(ada, "there");
  world.proxy.mend();
  await later;
  await eventually(() => expect(stateOf(bob, "ada")).toBe("there"));
});

test("is paced: of a hundred within a moment few are sent, and the last is what all see", async () => {
  const [ada, bob] = [await entered(as("ada"), "presence-paced"), await entered(as("bob"), "presence-paced")];
  let told = 0;
  bob.onUpdate(() => told++);
  await Promise.all(Array.from({ length: 100 }, (_, n) => updatePresence(ada, n)));
  await eventually(() => expect(stateOf(bob, "ada")).toBe(99));
  expect(told).toBeLessThan(4);
});

test("rejects with the server's reason, and then says what is right", async () => {
  const [ada, bob] = [await entered(as("ada"), "presence-large"), await entered(as("bob"), "presence-large")];
  await expect(updatePresence(ada, "x".repeat(2_000))).rejects.toMatchObject({ code: "data_too_large" });
  await updatePresence(ada, "short");
  await eventually(() => expect(stateOf(bob, "ada")).toBe("short"));
  const nobody = as("cyd").channel("presence-large");
  await expect(updatePresence(nobody, 1)).rejects.toMatchObject({ code: "not_subscribed" });
});

test("is seen by who watches, of whom nobody knows", async () => {
  const ada = await entered(as("ada"), "presence-watched");
  const token = () => makeToken({ sub: "eve", watch: ["presence-*"] });
  const eve = world.directClient({ token }).channel("presence-watched", { watch: true });
  const came: string[] = [];
  eve.onJoin(({ id }) => came.push(id));
  await eventually(() => expect(eve.members).toEqual([{ id: "ada", info: { name: "ADA" } }]));
  await updatePresence(ada, "here");
  await eventually(() => expect(stateOf(eve, "ada")).toBe("here"));
  await entered(as("bob"), "presence-watched");
  await eventually(() => expect(came).toEqual(["bob"]));
  expect(eve.me).toBeUndefined();
  expect(ada.members.map(({ id }) => id)).toEqual(["ada", "bob"]);
  await expect(updatePresence(eve, 1)).rejects.toMatchObject({ code: "not_subscribed" });
});

test("is forgotten when the channel is left, and rejected when the client ends", async () => {
  const bob = await entered(as("bob"), "presence-left");
  const client = as("ada");
  const ada = client.channel("presence-left");
  const leave = ada.hold();
  await updatePresence(ada, "here");
  leave();
  await eventually(() => expect(bob.members.map(({ id }) => id)).toEqual(["bob"]));
  ada.hold();
  await eventually(() => expect(bob.members).toContainEqual({ id: "ada", info: { name: "ADA" } }));
  await Bun.sleep(600);
  expect(stateOf(bob, "ada")).toBeUndefined();
  updatePresence(ada, 1).catch(() => {});
  const late = updatePresence(ada, 2);
  client.close();
  await expect(late).rejects.toMatchObject({ code: "closed" });
});
