/** How far readers are behind: who is asked, how often, and who is cut. */

import { expect, test } from "bun:test";
import type { Connection } from "../../packages/server/src/domain/connection.ts";
import { answersProbe } from "../../packages/server/src/hub/liveness.ts";
import { type Bench, bench, type FakeClient, fakeApp, settled } from "../support/fakes.ts";

const SECOND_MS = 1_000;

interface Reading {
  readonly made: Bench;
  readonly client: FakeClient;
  /** So many sweeps, a second apart; the client says something before each. */
  pass(seconds: number): void;
  say(data: string): Promise<void>;
  pong(text?: string): boolean;
}

async function reading(): Promise<Reading> {
  const made = await bench({ app: fakeApp() });
  const client = made.open();
  client.subscribe("room");
  await settled();
  const pass = (seconds: number) => {
    for (let n = 0; n < seconds; n++) {
      made.clock.pass(SECOND_MS);
      client.send({ type: "ping" });
      made.hub.touch(client.connection);
      made.hub.sweep();
    }
  };
  const publication = { type: "event", app: made.app.id, channel: "room", event: "e" } as const;
  const say = async (data: string) => void (await made.hub.publish(made.app, { ...publication, data }));
  const pong = (text = client.socket.probe ?? "") => answersProbe(client.connection, Buffer.from(text));
  return { made, client, pass, say, pong };
}

/** The pongs that answer its pings are sent to it, too: only what others publish is meant here. */
function quiet({ client }: Reading): void {
  client.socket.probe = undefined;
  client.connection.wasSent = false;
}

test("who is sent nothing is asked nothing, and who is sent something is asked within ten seconds, once", async () => {
  const all = await reading();
  const { made, client } = all;
  quiet(all);
  for (let n = 0; n < 60; n++) {
    made.clock.pass(SECOND_MS);
    made.hub.touch(client.connection);
    made.hub.sweep();
  }
  expect(client.socket.probe).toBeUndefined();
  await all.say("1");
  made.clock.pass(10 * SECOND_MS);
  made.hub.sweep();
  const asked = client.socket.probe;
  expect(asked).toMatch(/^[0-9a-f]{16}$/);
  made.clock.pass(20 * SECOND_MS);
  made.hub.sweep();
  expect(client.socket.probe).toBe(asked);
});

test("while anything is sent it is asked every ten seconds, each time something else, and who answers is never cut", async () => {
  const all = await reading();
  const asked = new Set<string>();
  for (let second = 0; second < 120; second++) {
    await all.say(String(second));
    all.pass(1);
    // Far behind, but never by as much as it may.
    if (second % 25 === 24) all.pong();
    if (all.client.socket.probe) asked.add(all.client.socket.probe);
  }
  expect(all.client.socket.closedWith).toBeUndefined();
  expect(asked.size).toBeGreaterThan(3);
});

test("who is further behind than it may be is cut, however much it says meanwhile, and others hear of it once", async () => {
  const all = await reading();
  const { made, client } = all;
  await all.say("1");
  all.pass(10);
  expect(all.pong("0123456789abcdef")).toBe(false);
  all.pass(30);
  expect(client.socket.closedWith).toBeUndefined();
  all.pass(1);
  expect(client.socket.closedWith).toEqual({ code: 1006, reason: undefined });
  expect(client.types).not.toContain("closing");
  expect(made.hub.nodeStats.connections).toBe(0);
  const told = made.events.filter(({ type }) => type === "slow-consumer" || type === "closed");
  expect(told).toMatchObject([{ limit: "limits.readerLagS" }, { type: "closed", code: 1006 }]);
});

test("a pong counts once, and only for what was asked last", async () => {
  const all = await reading();
  await all.say("1");
  all.pass(10);
  const first = all.client.socket.probe ?? "";
  expect(all.pong(first)).toBe(true);
  expect(all.pong(first)).toBe(false);
  await all.say("2");
  all.pass(10);
  expect(all.client.socket.probe).not.toBe(first);
  expect(all.pong(first)).toBe(false);
  expect(all.pong()).toBe(true);
});

test("time for which the server itself stood still is nobody's lag", async () => {
  const all = await reading();
  const { made, client } = all;
  await all.say("1");
  all.pass(10);
  made.clock.pass(60 * SECOND_MS);
  made.hub.sweep(59 * SECOND_MS);
  all.pass(28);
  expect(client.socket.closedWith).toBeUndefined();
  all.pass(2);
  expect(client.socket.closedWith?.code).toBe(1006);
});

test("time for which nothing is read from it counts for nobody: its pong is not seen either", async () => {
  const all = await reading();
  const { made, client } = all;
  await all.say("1");
  all.pass(10);
  all.pass(15);
  const backlog = { size: 1, bytes: 1, hasPending: true, add() {}, rest() {}, drain() {}, close() {} };
  for (let n = 0; n < 25; n++) {
    client.connection.frameQueue = backlog;
    made.clock.pass(SECOND_MS);
    made.hub.touch(client.connection);
    made.hub.sweep();
  }
  client.connection.frameQueue = undefined;
  all.pass(15);
  expect(client.socket.closedWith).toBeUndefined();
  all.pass(1);
  expect(client.socket.closedWith?.code).toBe(1006);
});

test("who is in many channels is not looked at channel by channel, and asked all the same", async () => {
  const all = await reading();
  for (let n = 0; n < 100; n++) join(all.client.connection, `room-${n}`);
  quiet(all);
  // Where nothing at all is sent there is nothing to look for.
  all.made.clock.pass(10 * SECOND_MS);
  all.made.hub.sweep();
  expect(all.client.socket.probe).toBeUndefined();
  await all.say("1");
  all.made.clock.pass(10 * SECOND_MS);
  all.made.hub.sweep();
  expect(all.client.socket.probe).toBeDefined();
});

test("whoever watches users is asked when one of them comes", async () => {
  const all = await reading();
  all.client.signIn("ada", ["bob"]);
  await settled();
  all.made.clock.pass(10 * SECOND_MS);
  all.made.hub.sweep();
  all.pong();
  quiet(all);
  all.made.open().signIn("bob");
  await settled();
  all.made.clock.pass(10 * SECOND_MS);
  all.made.hub.sweep();
  expect(all.client.socket.probe).toBeDefined();
});

function join(connection: Connection, channel: string): void {
  connection.setMembership(channel, undefined);
}
