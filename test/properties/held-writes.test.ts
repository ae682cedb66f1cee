/**
 * Held writes against a model, over real sockets: clients join and leave, are left out, are sent something alone, are told of a gap and
 * are disconnected while channels are published to so often that writes are held. The server runs in this process, so that the model
 * knows between which two publications each of these came.
 */

import { expect, test } from "bun:test";
import fc from "fast-check";
import type { HubEvent } from "../../packages/server/src/domain/hub-event.ts";
import type { Command } from "../../packages/server/src/domain/message.ts";
import type { EngineHost } from "../../packages/server/src/domain/ports.ts";
import { memoryEngine } from "../../packages/server/src/engines/memory/engine.ts";
import { createServer, type Server } from "../../packages/server/src/index.ts";
import { machineClock } from "../../packages/server/src/server/system/machine-clock.ts";
import { atEnd } from "../support/at-end.ts";
import { connectNative, type NativeTestClient } from "../support/native-client.ts";
import { APP } from "../support/server.ts";
import { scaled } from "../support/soak.ts";
import type { TestFrame } from "../support/socket.ts";
import { settings } from "./arbitraries.ts";

const CHANNELS = ["a", "b"] as const;
const CLIENTS = 5;

type Channel = (typeof CHANNELS)[number];
type Step =
  | { readonly do: "burst"; readonly channel: Channel; readonly count: number; readonly isOneTurn: boolean }
  | { readonly do: "join" | "leave" | "except" | "client-event"; readonly who: number; readonly channel: Channel }
  | { readonly do: "gap"; readonly channel: Channel }
  | { readonly do: "notice" | "disconnect"; readonly who: number };

const who = fc.nat(CLIENTS - 1);
const channel = fc.constantFrom(...CHANNELS);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("burst" as const),
      channel,
      count: fc.constantFrom(1, 3, 12, 40),
      isOneTurn: fc.boolean(),
    }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom("join", "leave", "except", "client-event"), who, channel }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("gap" as const), channel }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("notice" as const), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("disconnect" as const), who }) },
);

/** What each connection has to receive, in order, by what the server does to it. */
class Model {
  readonly #expected = new Map<string, string[]>();
  readonly #subscribers = new Map<string, Set<string>>();

  readonly observe = (event: HubEvent): void => {
    switch (event.type) {
      case "subscribed":
        this.#subscribers.set(event.channel, this.#in(event.channel).add(event.connection.id));
        return this.sendOne(event.connection.id, `${event.channel} subscribed`);
      case "unsubscribed":
        // A connection that has ended leaves too.
        if (this.#in(event.channel).delete(event.connection.id) && !event.connection.closed)
          this.sendOne(event.connection.id, `${event.channel} unsubscribed`);
        return;
      case "refused":
        return this.sendOne(event.connection.id, `refused ${event.error.code}`);
    }
  };

  /** What a client publishes goes out in the same turn. */
  readonly pass = (id: string, command: Command): undefined => {
    if (command.type === "publish" && this.#in(command.channel).has(id)) this.send(command.channel, command.data, id);
  };

  send(channel: string, what: string, except?: string): void {
    for (const id of this.#in(channel)) if (id !== except) this.sendOne(id, `${channel} ${what}`);
  }

  sendOne(id: string, what: string): void {
    this.expectedOf(id).push(what);
  }

  /** It is sent nothing more. */
  end(id: string): void {
    for (const ids of this.#subscribers.values()) ids.delete(id);
  }

  expectedOf(id: string): string[] {
    const list = this.#expected.get(id) ?? [];
    this.#expected.set(id, list);
    return list;
  }

  #in(channel: string): Set<string> {
    return this.#subscribers.get(channel) ?? new Set();
  }
}

interface World {
  readonly server: Server;
  readonly host: EngineHost;
  model: Model;
}

interface Run {
  readonly clients: readonly NativeTestClient[];
  readonly gone: Set<NativeTestClient>;
  /** Numbers what is sent. */
  count: number;
}

test("each client receives what the model says, in its order, whatever comes between held publications", async () => {
  const world = await start();
  let [frames, runs] = [0, 0];
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
      world.model = new Model();
      const clients = await Promise.all(Array.from({ length: CLIENTS }, () => connectNative(world.server.url)));
      await Promise.all(clients.flatMap((client) => CHANNELS.map((name) => client.subscribe(name))));
      const run: Run = { clients, gone: new Set(), count: 0 };
      for (const each of steps) await perform(world, run, each);
      const end = (client: NativeTestClient) => (run.gone.has(client) ? client.socket.closed : client.ping());
      // Once everything that any client asked for is done, and then once more for what that sent to the others.
      await Promise.all(clients.map(end));
      await Promise.all(clients.map(end));
      for (const client of clients) {
        const received = client.socket.frames.flatMap(lineOf);
        const expected = world.model.expectedOf(client.id);
        for (const channel of CHANNELS) expect(seenIn(channel, received)).toEqual(seenIn(channel, expected));
        frames += received.length;
      }
      runs++;
      await Promise.all(clients.map((client) => (run.gone.has(client) ? undefined : client.close())));
    }),
    { ...settings(scaled(400, 60)), interruptAfterTimeLimit: scaled(240_000, 30_000) },
  );
  expect(runs).toBeGreaterThan(10);
  expect(frames / runs).toBeGreaterThan(100);
}, 300_000);

async function perform({ server, host, model }: World, run: Run, each: Step): Promise<void> {
  const client = "who" in each ? run.clients[each.who] : undefined;
  if (client && run.gone.has(client)) return;
  switch (each.do) {
    case "burst":
      for (let n = 0; n < each.count; n++) {
        const what = String(++run.count);
        model.send(each.channel, what);
        void server.toChannel(each.channel).push({ event: "tick", data: Number(what) });
        if (!each.isOneTurn) await nextTurn();
      }
      return;
    case "join":
      return client?.send("subscribe", { channel: each.channel });
    case "leave":
      return client?.send("unsubscribe", { channel: each.channel });
    case "client-event":
      return client?.send("publish", { channel: each.channel, event: "tick", data: ++run.count });
    case "except": {
      const what = String(++run.count);
      model.send(each.channel, what, client?.id);
      void server
        .toChannel(each.channel)
        .except(client?.id ?? "")
        .push({ event: "tick", data: Number(what) });
      return;
    }
    case "gap":
      model.send(each.channel, "gap");
      return host.interrupted([{ app: APP.id, channel: each.channel }]);
    case "notice": {
      const what = String(++run.count);
      model.sendOne(client?.id ?? "", `alone ${what}`);
      void server.toConnection(client?.id ?? "").push({ event: "alone", data: Number(what) });
      return;
    }
    case "disconnect":
      if (!client) return;
      run.gone.add(client);
      void server.toConnection(client.id).disconnect();
      model.end(client.id);
  }
}

/** One channel's lines, and those of no channel: two channels may be held differently. */
function seenIn(channel: Channel, lines: readonly string[]): readonly string[] {
  return lines.filter((line) => CHANNELS.every((other) => other === channel || !line.startsWith(`${other} `)));
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The frame as the model has it. */
function lineOf({ event, channel, data, code }: TestFrame): readonly string[] {
  switch (event) {
    case "tick":
      return [`${channel} ${data}`];
    case "alone":
      return [`alone ${data}`];
    case "gap":
    case "subscribed":
    case "unsubscribed":
      return [`${channel} ${event}`];
    case "error":
      return [`refused ${code}`];
    default:
      return [];
  }
}

async function start(): Promise<World> {
  const engine = memoryEngine(machineClock);
  const begin = engine.start.bind(engine);
  let host: EngineHost | undefined;
  engine.start = (given) => {
    host = given;
    return begin(given);
  };
  const server = createServer({
    host: "127.0.0.1",
    port: 0,
    log: { level: "silent" },
    // Long, so that whatever is forgotten stays held while other things happen.
    fanout: { holdMs: 20 },
    apps: [
      {
        ...APP,
        anonymous: true,
        channels: [{ match: "*", clientPublish: "any" }],
        limits: { clientEventsPerSecond: 1e6 },
      },
    ],
    engine,
    guards: [{ command: ({ id }, command) => world.model.pass(id, command) }],
    observers: [(event: HubEvent) => world.model.observe(event)],
  });
  atEnd(() => server.stop());
  await server.start();
  if (!host) throw new Error("The engine was not started.");
  const world: World = { server, host, model: new Model() };
  return world;
}
