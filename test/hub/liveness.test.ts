/** The sweep: who is asked for a sign of life, who is closed, and that only what comes in counts. */

import { describe, expect, test } from "bun:test";
import { type Bench, bench, fakeApp, settled } from "../support/fakes.ts";

const DAY_S = 24 * 3_600;
// How far readers are behind is not asked here.
const LIMITS = { activityTimeoutS: 120, pongTimeoutS: 30, readerLagS: DAY_S };
const DAY_MS = DAY_S * 1000;

function sweepAfter(made: Bench, ms: number): void {
  made.clock.pass(ms);
  made.hub.sweep();
}

test("a silent client is asked after the activity timeout, once, and closed after the pong timeout", async () => {
  const made = await bench({ limits: LIMITS });
  const client = made.open();
  sweepAfter(made, 120_000);
  expect(client.types).toEqual([]);
  sweepAfter(made, 1);
  expect(client.types).toEqual(["ping"]);
  expect(client.socket.pings).toBe(0);
  sweepAfter(made, 15_000);
  expect(client.types).toEqual(["ping"]);
  expect(client.socket.pings).toBe(1);
  for (let second = 0; second < 15; second++) {
    client.connection.checkAtMs = 0;
    sweepAfter(made, 1_000);
  }
  expect(client.socket.pings).toBe(1);
  expect(client.types).toEqual(["ping"]);
  sweepAfter(made, 1);
  expect(client.types).toEqual(["ping", "closing"]);
  expect(client.socket.closedWith?.reason).toBe("pong_missing");
  expect(made.hub.nodeStats.connections).toBe(0);
  expect(made.events.at(-1)).toMatchObject({ type: "closed", why: { code: "pong_missing" } });
});

test("who answers at once is asked again after the activity timeout, however long an answer may take", async () => {
  const made = await bench({ limits: { ...LIMITS, activityTimeoutS: 2, pongTimeoutS: 30 } });
  const client = made.open();
  for (let round = 1; round <= 5; round++) {
    sweepAfter(made, 2_001);
    expect(client.types).toEqual(Array(round).fill("ping"));
    client.send({ type: "pong" });
  }
});

test("who answers is sent one frame for each time of silence, and no WebSocket ping", async () => {
  const made = await bench({ limits: { ...LIMITS, readerLagS: 30 } });
  const client = made.open();
  client.connection.wasSent = false;
  for (let second = 1; second <= 1_210; second++) {
    sweepAfter(made, 1_000);
    if (client.types.at(-1) === "ping" && client.connection.pingedAtMs > 0) client.send({ type: "pong" });
  }
  expect(client.types).toEqual(Array(10).fill("ping"));
  expect(client.socket.pings).toBe(0);
  expect(client.socket.probe).toBeUndefined();
});

test("where there may be no look between the ping and the end of the wait, the WebSocket ping goes out at once", async () => {
  const made = await bench({ limits: { ...LIMITS, pongTimeoutS: 2 } });
  const client = made.open();
  sweepAfter(made, 120_001);
  expect(client.types).toEqual(["ping"]);
  expect(client.socket.pings).toBe(1);
});

test("time for which the server itself stood still is nobody's silence, and before the next look nobody is judged", async () => {
  const made = await bench({ limits: LIMITS });
  const client = made.open();
  sweepAfter(made, 120_001);
  expect(client.types).toEqual(["ping"]);
  made.clock.pass(29_000);
  made.clock.pass(60_000);
  made.hub.sweep(59_000);
  expect(client.types).toEqual(["ping"]);
  made.hub.sweep();
  expect(client.types).toEqual(["ping"]);
  sweepAfter(made, 1);
  expect(client.types).toEqual(["ping", "closing"]);
});

test("who has to sign in has its time, even where the server stands still meanwhile", async () => {
  const app = fakeApp({ requireAuthentication: true, limits: { unauthenticatedTimeoutS: 10 } });
  const made = await bench({ app });
  const client = made.open();
  made.clock.pass(9_000);
  made.clock.pass(60_000);
  made.hub.sweep(60_000);
  sweepAfter(made, 1_000);
  expect(client.socket.closedWith).toBeUndefined();
  sweepAfter(made, 1);
  expect(client.socket.closedWith?.reason).toBe("authentication_timeout");
});

test("any answer at all keeps it", async () => {
  const made = await bench({ limits: LIMITS });
  const [answering, pinging, ponging] = [made.open(), made.open(), made.open()];
  for (let round = 0; round < 20; round++) {
    sweepAfter(made, 120_001);
    made.clock.pass(29_999);
    answering.send({ type: "pong" });
    pinging.send({ type: "ping" });
    made.hub.touch(ponging.connection);
    made.hub.sweep();
  }
  expect(made.hub.nodeStats.connections).toBe(3);
});

test("what goes out proves nothing", async () => {
  const made = await bench({ limits: LIMITS });
  const client = made.open();
  client.subscribe("busy");
  await settled();
  for (let second = 0; second < 151; second++) {
    await made.hub.publish(made.app, { type: "event", app: made.app.id, channel: "busy", event: "e", data: "" });
    sweepAfter(made, 1_000);
  }
  expect(client.socket.closedWith).toBeUndefined();
  sweepAfter(made, 1_000);
  expect(client.socket.closedWith?.reason).toBe("pong_missing");
});

test("a client that never subscribed is judged like any other", async () => {
  const made = await bench({ limits: LIMITS });
  const clients = Array.from({ length: 50 }, () => made.open());
  sweepAfter(made, 120_001);
  sweepAfter(made, 30_001);
  expect(clients.every(({ socket }) => socket.closedWith?.reason === "pong_missing")).toBe(true);
  expect(made.hub.nodeStats).toEqual({ apps: 0, connections: 0, channels: 0, users: 0 });
});

test("clients of a protocol without pings are asked by WebSocket's only, and closed after a day of silence", async () => {
  const made = await bench({ limits: LIMITS });
  const client = made.open();
  client.connection.answersPings = false;
  for (const [ms, pings] of [
    [120_001, 1],
    [120_000, 1],
    [1, 2],
  ] as const) {
    sweepAfter(made, ms);
    expect(client.socket.pings).toBe(pings);
  }
  made.hub.touch(client.connection);
  sweepAfter(made, DAY_MS);
  expect(client.types).toEqual([]);
  expect(client.socket.closedWith).toBeUndefined();
  sweepAfter(made, 1);
  expect(client.socket.closedWith?.reason).toBe("inactive");
});

test("the wall clock jumping an hour ahead or back asks nobody and closes nobody", async () => {
  const made = await bench({ limits: LIMITS, app: fakeApp({ requireAuthentication: true }) });
  const client = made.open();
  client.subscribe("presence-x", "1");
  await settled();
  for (const jumpMs of [3_600_000, -7_200_000]) {
    made.clock.wall += jumpMs;
    sweepAfter(made, 1_000);
  }
  expect(client.types).toEqual(["subscribed"]);
  expect(made.hub.nodeStats.connections).toBe(1);
  expect(await made.hub.members(made.app, "presence-x")).toHaveLength(1);
});

describe("where an app requires authentication", () => {
  const app = fakeApp({ requireAuthentication: true, limits: { unauthenticatedTimeoutS: 30 } });

  test("who neither signs in nor joins a private channel in time is closed, and all others stay", async () => {
    const made = await bench({ limits: LIMITS, app });
    const [nobody, talkative, signedIn, member] = [made.open(), made.open(), made.open(), made.open()];
    talkative.subscribe("public");
    signedIn.signIn("1");
    member.subscribe("presence-x", "1");
    await settled();
    talkative.send({ type: "ping" });
    sweepAfter(made, 30_000);
    expect(made.hub.nodeStats.connections).toBe(4);
    sweepAfter(made, 1);
    expect(nobody.socket.closedWith?.reason).toBe("authentication_timeout");
    expect(talkative.socket.closedWith?.reason).toBe("authentication_timeout");
    expect(signedIn.socket.closedWith).toBeUndefined();
    expect(member.socket.closedWith).toBeUndefined();
  });

  test("a refused signature proves nothing", async () => {
    const made = await bench({ limits: LIMITS, app });
    const client = made.open();
    client.send({ type: "subscribe", channel: "private-x", proof: { auth: `${app.key}:${"0".repeat(64)}` } });
    client.send({ type: "signin", by: { type: "signature", auth: `${app.key}:00`, userData: '{"id":"1"}' } });
    await settled();
    expect(client.types).toEqual(["refused", "refused"]);
    sweepAfter(made, 30_001);
    expect(client.socket.closedWith?.reason).toBe("authentication_timeout");
  });
});
