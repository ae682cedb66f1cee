/** One turn at a time for each connection, and what becomes of those who do not wait, or whose turn goes wrong. */

import { expect, test } from "bun:test";
import { CommandError } from "../../packages/server/src/domain/error.ts";
import type { HubEvent } from "../../packages/server/src/domain/hub-event.ts";
import { ignoringPublications, type Observer } from "../../packages/server/src/domain/ports.ts";
import { AWAY, bench, fakeApp, lateBench, plainProtocol, settled } from "../support/fakes.ts";

const say = (channel: string, data: string) =>
  ({ type: "publish", channel, event: "client-say", data, ref: data }) as const;

test("a quick publish does not overtake the slow subscribe before it", async () => {
  const late = await lateBench();
  const [ada, bob] = [late.open(), late.open()];
  ada.subscribe("presence-x", "ada");
  await settled();
  late.engine.hold("join");
  bob.subscribe("presence-x", "bob");
  for (const data of ["1", "2", "3"]) bob.send(say("presence-x", data));
  bob.send({ type: "unsubscribe", channel: "presence-x" });
  await settled();
  expect(bob.types).toEqual([]);
  await late.engine.release("join");
  for (let turn = 0; turn < 5; turn++) await settled();
  expect(bob.types).toEqual(["subscribed", "published", "published", "published", "unsubscribed"]);
  expect(ada.types).toEqual(["subscribed", "joined", "event", "event", "event", "left"]);
  expect(ada.seen.filter(({ type }) => type === "event").map(({ data }) => data)).toEqual(["1", "2", "3"]);
});

test("a connection that waits holds up nobody else (S34)", async () => {
  const late = await lateBench();
  const [slow, quick] = [late.open(), late.open()];
  late.engine.hold("history");
  slow.subscribe("cache-x");
  slow.send({ type: "ping" });
  quick.send({ type: "ping" });
  await settled();
  expect(slow.types).toEqual([]);
  expect(quick.types).toEqual(["pong"]);
  await late.engine.release("history");
  expect(slow.types).toEqual(["subscribed", "missed", "pong"]);
});

test("as many commands as may wait do, and one more is a flood", async () => {
  const late = await lateBench({ limits: { waitingCommands: 3 } });
  const [patient, flooding] = [late.open(), late.open()];
  late.engine.hold("subscribe");
  for (const client of [patient, flooding]) {
    client.subscribe("room");
    for (let n = 0; n < 3; n++) client.send({ type: "ping" });
  }
  flooding.send({ type: "ping" });
  expect(flooding.socket.closedWith?.reason).toBe("flooded");
  expect(flooding.seen).toEqual([{ type: "closing", code: "flooded" }]);
  await late.engine.release("subscribe");
  expect(patient.types).toEqual(["subscribed", "pong", "pong", "pong"]);
  expect(flooding.types).toEqual(["closing"]);
  expect(late.hub.nodeStats).toMatchObject({ connections: 1, channels: 1 });
});

test("what waited is dropped when the connection closes", async () => {
  const late = await lateBench();
  const [client, witness] = [late.open(), late.open()];
  witness.subscribe("private-x");
  late.engine.hold("subscribe");
  client.subscribe("presence-x", "1");
  client.send(say("presence-x", "never"));
  await settled();
  client.vanish();
  await late.engine.release("subscribe");
  expect(late.engine.calls.filter((call) => call.startsWith("publish event"))).toEqual([]);
});

test("a handler's mistake is answered `internal`, reported, and harms nobody else", async () => {
  const mistake = new TypeError("undefined is not a function");
  const call = (_: unknown, event: string) => {
    if (event === "at-once") throw mistake;
    if (event === "later") return Promise.reject(mistake);
    if (event === "refusing") throw new CommandError("unauthorized", "Not you.");
    return 1n;
  };
  const made = await bench({ more: { deciders: { handleCall: call } } });
  const client = made.open();
  for (const event of ["at-once", "later", "refusing", "unencodable"]) {
    client.send({ type: "call", event, data: null, ref: event });
  }
  client.send({ type: "ping" });
  await settled();
  expect(client.seen.map(({ error, type }) => error ?? type)).toEqual([
    "internal",
    "internal",
    "unauthorized",
    "internal",
    "pong",
  ]);
  const failed = made.events.filter((event) => event.type === "failed");
  expect(failed.map(({ error }) => error).slice(0, 2)).toEqual([mistake, mistake]);
  expect(failed).toHaveLength(3);
  expect(client.connection.closed).toBe(false);
});

test("an observer's mistake is told to the other observers, and changes nothing else", async () => {
  const events: HubEvent[] = [];
  const mistake = new Error("observer");
  const careless = () => {
    throw mistake;
  };
  const made = await bench({ more: { observers: [careless, (event) => events.push(event)] } });
  const client = made.open();
  client.subscribe("room");
  client.send({ type: "unsubscribe", channel: "room" });
  client.send({ type: "publish", channel: "room", event: "client-x", data: "" });
  await settled();
  client.vanish();
  await settled();
  expect(client.types).toEqual(["subscribed", "unsubscribed", "refused"]);
  const told = events.map(({ type }) => type).filter((type) => type !== "failed");
  expect(told).toEqual(["opened", "subscribed", "occupied", "unsubscribed", "vacated", "refused", "closed"]);
  expect(events.filter((event) => event.type === "failed" && event.error === mistake)).toHaveLength(told.length);
  expect(made.hub.nodeStats.connections).toBe(0);
});

test("an observer that ignores publications hears of all else", async () => {
  const [all, others]: [string[], string[]] = [[], []];
  const hearsAll: Observer = (event) => void all.push(event.type);
  const ignores = ignoringPublications((event) => void others.push(event.type));
  const made = await bench({ more: { observers: [hearsAll, ignores] } });
  const [ada, bob] = [made.open(), made.open()];
  for (const client of [ada, bob]) client.subscribe("presence-x", "ada");
  ada.send({ type: "publish", channel: "presence-x", event: "client-x", data: "" });
  await settled();
  expect(bob.types).toContain("event");
  expect(all).toContain("published");
  expect(others).toContain("joined");
  expect(others).toEqual(all.filter((type) => type !== "published"));
});

test("a client whose publish the engine does not take is told so, and no one hears of it", async () => {
  const late = await lateBench();
  const [ada, bob] = [late.open(), late.open()];
  ada.subscribe("presence-x", "ada");
  bob.subscribe("presence-x", "bob");
  await settled();
  const before = ada.types;
  late.engine.hold("publish");
  bob.send(say("presence-x", "lost"));
  await settled();
  await late.engine.fail("publish", AWAY);
  expect(bob.seen.at(-1)).toMatchObject({ type: "refused", error: "engine_unavailable" });
  expect(ada.types).toEqual(before);
  expect(late.events.filter(({ type }) => type === "published")).toEqual([]);
  bob.send(say("presence-x", "heard"));
  await settled();
  expect(ada.seen.at(-1)).toMatchObject({ type: "event", data: "heard" });
});

test("an engine that does not take an announcement is reported, and the subscription stands", async () => {
  const late = await lateBench({ app: fakeApp({ subscriptionCounts: true }) });
  const client = late.open();
  late.engine.hold("publish");
  client.subscribe("room");
  await settled();
  await late.engine.fail("publish", AWAY);
  expect(client.types).toEqual(["subscribed"]);
  expect(late.events.filter((event) => event.type === "failed" && event.error === AWAY)).toHaveLength(1);
});

test("an engine that does not count is reported, and the subscription stands", async () => {
  const late = await lateBench();
  const client = late.open();
  late.engine.hold("tally");
  client.subscribe("room");
  client.send({ type: "ping" });
  await settled();
  await late.engine.fail("tally", AWAY);
  expect(client.types).toEqual(["subscribed", "pong"]);
  expect(late.events.filter((event) => event.type === "failed" && event.error === AWAY)).toHaveLength(1);
});

test("several excluded connections hear nothing and all others do, in every protocol, now and afterwards", async () => {
  const made = await bench();
  const other = plainProtocol("other");
  const clients = Array.from({ length: 8 }, (_, n) => (n % 2 === 0 ? made.open() : made.open(made.app, other)));
  for (const client of clients) client.subscribe("room");
  const stranger = made.open();
  await settled();
  const publish = (data: string, except: readonly string[]) =>
    made.hub.publish(made.app, { type: "event", app: made.app.id, channel: "room", event: "e", data, except });
  const excluded = [0, 1, 2, 4].flatMap((n) => clients[n]?.id ?? []);
  await publish("some", [...excluded, ...excluded, stranger.id, "9.9"]);
  await publish("all", []);
  for (const client of clients) {
    const heard = client.seen.filter(({ type }) => type === "event").map(({ data }) => data);
    expect(heard).toEqual(excluded.includes(client.id) ? ["all"] : ["some", "all"]);
  }
  expect(stranger.types).toEqual([]);
});
