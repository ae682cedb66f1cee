/** What stands in for the edge where a test needs to hold time, sockets or the engine in its hand. */

import type { App } from "../../packages/server/src/domain/app.ts";
import { Connection } from "../../packages/server/src/domain/connection.ts";
import { CommandError } from "../../packages/server/src/domain/error.ts";
import type { HubEvent } from "../../packages/server/src/domain/hub-event.ts";
import type { Command, Publication, Push } from "../../packages/server/src/domain/message.ts";
import type {
  Awaitable,
  Broker,
  Clock,
  Engine,
  EngineHealth,
  EngineHost,
  Ledger,
  NodeState,
  Registry,
} from "../../packages/server/src/domain/ports.ts";
import type { Fanout, Frame, Protocol, Socket } from "../../packages/server/src/domain/transport.ts";
import { memoryEngine } from "../../packages/server/src/engines/memory/engine.ts";
import { receive } from "../../packages/server/src/hub/execute.ts";
import { Hub, type HubLimits, type HubOptions } from "../../packages/server/src/hub/hub.ts";
import { userText } from "../../packages/server/src/hub/signature.ts";
import { channelAuth, sign } from "./pusher-client.ts";
import { APP } from "./server.ts";

export class FakeClock implements Clock {
  wall = 1_700_000_000_000;
  monotonic = 1_000_000;

  wallMs(): number {
    return this.wall;
  }

  monotonicMs(): number {
    return this.monotonic;
  }

  pass(ms: number): void {
    this.wall += ms;
    this.monotonic += ms;
  }
}

/** Topics as Bun has them: a publish reaches every socket that is subscribed at that moment. */
export class FakeTopics implements Fanout {
  readonly sockets = new Map<string, Set<FakeSocket>>();

  publish(topic: string, frame: string): void {
    for (const socket of [...(this.sockets.get(topic) ?? [])]) socket.send(frame);
  }
}

export class FakeSocket implements Socket {
  readonly frames: string[] = [];
  pings = 0;
  isPaused = false;
  /** What the peer has not taken yet. */
  bufferedBytes = 0;
  /** What the last ping said that said anything. */
  probe: string | undefined;
  closedWith: { code: number | undefined; reason: string | undefined } | undefined;
  readonly #topics: FakeTopics;

  constructor(topics: FakeTopics) {
    this.#topics = topics;
  }

  send(frame: string): void {
    this.frames.push(frame);
  }

  close(code?: number, reason?: string): void {
    this.closedWith ??= { code, reason };
    for (const sockets of this.#topics.sockets.values()) sockets.delete(this);
  }

  terminate(): void {
    this.close(1006);
  }

  ping(data?: string): void {
    if (data === undefined) this.pings++;
    else this.probe = data;
  }

  getBufferedAmount(): number {
    return this.bufferedBytes;
  }

  subscribe(topic: string): void {
    const sockets = this.#topics.sockets.get(topic) ?? new Set();
    this.#topics.sockets.set(topic, sockets.add(this));
  }

  unsubscribe(topic: string): void {
    this.#topics.sockets.get(topic)?.delete(this);
  }

  isSubscribed(topic: string): boolean {
    return this.#topics.sockets.get(topic)?.has(this) ?? false;
  }

  cork(run: () => void): void {
    run();
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  publish(topic: string, frame: string): void {
    for (const socket of [...(this.#topics.sockets.get(topic) ?? [])]) if (socket !== this) socket.send(frame);
  }
}

/** Commands and pushes as the JSON of themselves: what a hub test sends and sees is the model, and no protocol's. */
export function plainProtocol(name = "plain", joinsUserChannel = false): Protocol {
  return {
    name,
    joinsUserChannel,
    asksForUserChannel: false,
    acceptsTokens: false,
    decode: (frame: Frame) => JSON.parse(String(frame)) as Command,
    encode: (push: Push) => JSON.stringify(push.type === "refused" ? { ...push, error: push.error.code } : push),
    encodeClose: (why) => ({
      frame: JSON.stringify({ type: "closing", code: why.code }),
      code: 4000,
      reason: why.code,
    }),
    reservesEvent: (event) => event.startsWith("reserved:"),
  };
}

export function fakeApp(changes: Partial<Omit<App, "limits">> & { limits?: Partial<App["limits"]> } = {}): App {
  const { limits, ...rest } = changes;
  return {
    id: APP.id,
    key: APP.key,
    secrets: [APP.secret],
    name: "App",
    enabled: true,
    clientEvents: true,
    subscriptionCounts: false,
    anonymous: true,
    requireTls: false,
    requireAuthentication: false,
    recovery: { enabled: false, size: 100, ttlS: 60, bytes: 1_000_000 },
    allowedOrigins: [],
    allowMissingOrigin: true,
    replayProtection: false,
    statistics: true,
    channels: [],
    ...rest,
    limits: {
      connections: 10_000,
      channelsPerConnection: 100,
      channelNameLength: 200,
      eventNameLength: 200,
      eventDataBytes: 102_400,
      channelsPerTrigger: 100,
      batchSize: 10,
      presenceMembers: 100,
      memberDataBytes: 1024,
      memberStateBytes: 1024,
      userIdLength: 128,
      watchlistSize: 100,
      clientEventsPerSecond: 1000,
      memberUpdatesPerSecond: 1000,
      subscribesPerSecond: 1000,
      framesPerSecond: Number.POSITIVE_INFINITY,
      apiRequestsPerSecond: Number.POSITIVE_INFINITY,
      unauthenticatedTimeoutS: 30,
      revocationTtlS: 86_400,
      ...limits,
    },
  };
}

/** A frame of `plainProtocol`, as loosely typed as tests read it. */
export interface Seen {
  readonly type: string;
  readonly [name: string]: unknown;
}

export class FakeClient {
  readonly connection: Connection;
  readonly socket: FakeSocket;
  readonly #hub: Hub;

  constructor(hub: Hub, connection: Connection, socket: FakeSocket) {
    this.#hub = hub;
    this.connection = connection;
    this.socket = socket;
  }

  get id(): string {
    return this.connection.id;
  }

  get seen(): readonly Seen[] {
    return this.socket.frames.map((frame) => JSON.parse(frame) as Seen);
  }

  get types(): readonly string[] {
    return this.seen.map(({ type }) => type);
  }

  send(command: Command): void {
    receive(this.#hub, this.connection, JSON.stringify(command));
  }

  subscribe(channel: string, user?: string): void {
    if (user === undefined) return this.send({ type: "subscribe", channel });
    const data = JSON.stringify({ user_id: user });
    this.send({ type: "subscribe", channel, proof: { auth: channelAuth(APP, this.id, channel, data), data } });
  }

  signIn(id: string, watchlist: readonly string[] = []): void {
    const userData = JSON.stringify({ id, watchlist });
    const auth = `${APP.key}:${sign(APP.secret, userText(this.id, userData))}`;
    this.send({ type: "signin", by: { type: "signature", auth, userData } });
  }

  /** The socket is gone, without a word of the hub's. */
  vanish(): void {
    this.socket.terminate();
    this.#hub.close(this.connection, 1006);
  }
}

export interface Bench {
  readonly hub: Hub;
  readonly clock: FakeClock;
  readonly topics: FakeTopics;
  readonly events: HubEvent[];
  readonly app: App;
  open(app?: App, protocol?: Protocol): FakeClient;
}

export interface BenchOptions {
  readonly engine?: (clock: Clock) => Engine;
  readonly app?: App;
  readonly limits?: Partial<HubLimits>;
  readonly more?: Partial<HubOptions>;
}

/** A hub with nothing real around it. */
export async function bench(options: BenchOptions = {}): Promise<Bench> {
  const clock = new FakeClock();
  const topics = new FakeTopics();
  const events: HubEvent[] = [];
  const protocol = plainProtocol();
  const app = options.app ?? fakeApp();
  const limits = {
    connections: 10_000,
    waitingCommands: 256,
    waitingBytes: 1_048_576,
    frameBytes: 655_360,
    outboundBufferBytes: 1_048_576,
    activityTimeoutS: 30,
    pongTimeoutS: 30,
    readerLagS: 30,
    publishWaitS: 5,
  };
  const hub = new Hub({
    engine: (options.engine ?? memoryEngine)(clock),
    protocols: [protocol],
    clock,
    scheduleTurn: (_, run) => void setImmediate(run),
    limits: { ...limits, ...options.limits },
    observers: [(event) => events.push(event)],
    node: () => ({ id: "node", name: "bench", startedAtMs: 0, lagMs: 0, draining: false }),
    ...options.more,
  });
  await hub.start(topics);
  let last = 0;
  const open = (of = app, speaking = protocol) => {
    const socket = new FakeSocket(topics);
    const connection = new Connection(`1.${++last}`, of, speaking, "127.0.0.1", clock.monotonicMs());
    hub.open(connection, socket);
    return new FakeClient(hub, connection, socket);
  };
  return { hub, clock, topics, events, app, open };
}

/** Lets everything that waits for nothing but promises come to its end. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

// ---- an engine that answers when it is told to

export type Operation =
  | "subscribe"
  | "publish"
  | "history"
  | "receive"
  | "join"
  | "leave"
  | "update"
  | "tally"
  | "members"
  | "summary"
  | "channels";

interface Held {
  readonly operation: Operation;
  readonly run: () => void;
  readonly fail: (error: unknown) => void;
}

/**
 * The memory engine behind a wire: every call is answered a turn later, and calls that are held wait until they are let
 * go or failed. A held call takes effect when it is let go, not when it was made.
 */
export class LateEngine implements Engine {
  readonly name = "late";
  readonly broker: Broker;
  readonly registry: Registry;
  readonly ledger: Ledger;
  readonly inner: Engine;
  readonly calls: string[] = [];
  /** The hub, as the engine sees it: to interrupt it, or to hand it what it did not ask for. */
  host: EngineHost | undefined;
  readonly #holding = new Set<Operation>();
  #held: Held[] = [];

  constructor(clock: Clock) {
    this.inner = memoryEngine(clock);
    const { broker, registry, ledger } = this.inner;
    this.ledger = ledger;
    this.broker = {
      subscribe: (app, channel) => this.#call("subscribe", () => broker.subscribe(app, channel), channel),
      unsubscribe: (app, channel) => {
        this.calls.push(`unsubscribe ${channel}`);
        broker.unsubscribe(app, channel);
      },
      publish: (publication, keep) =>
        this.#call("publish", () => broker.publish(publication, keep), `${publication.type} ${publication.channel}`),
      publishOnce: (publication, once, keep) =>
        this.#call(
          "publish",
          () => broker.publishOnce(publication, once, keep),
          `${publication.type} ${publication.channel}`,
        ),
      history: (...query) => this.#call("history", () => broker.history(...query)),
      purge: (...range) => this.#call("history", () => broker.purge(...range)),
    };
    this.registry = {
      join: (row, most) => this.#call("join", () => registry.join(row, most), `${row.member.id} ${row.channel}`),
      leave: (row) => this.#call("leave", () => registry.leave(row), `${row.member.id} ${row.channel}`),
      update: (update) => this.#call("update", () => registry.update(update), `${update.member.id} ${update.channel}`),
      setSubscriberCount: (app, channel, count) =>
        this.#call("tally", () => registry.setSubscriberCount(app, channel, count), `${channel} ${count}`),
      members: (app, channel) => this.#call("members", () => registry.members(app, channel)),
      summary: (app, channel) => this.#call("summary", () => registry.summary(app, channel)),
      channels: (app, prefix) => this.#call("channels", () => registry.channels(app, prefix)),
    };
  }

  start(host: EngineHost): Awaitable<void> {
    this.host = host;
    const receive = (publication: Publication) => void this.#call("receive", () => host.receive(publication));
    return this.inner.start({ ...host, receive });
  }

  health(): EngineHealth {
    return this.inner.health();
  }

  nodes(): Awaitable<readonly NodeState[]> {
    return this.inner.nodes();
  }

  close(): Awaitable<void> {
    return this.inner.close();
  }

  /** From now on calls of these kinds wait. */
  hold(...operations: Operation[]): void {
    for (const operation of operations) this.#holding.add(operation);
  }

  /** How many calls of this kind wait. */
  held(operation: Operation): number {
    return this.#held.filter((call) => call.operation === operation).length;
  }

  /** Lets those that wait go on, and holds no more of the kind. */
  async release(...operations: Operation[]): Promise<void> {
    for (const operation of operations) this.#holding.delete(operation);
    for (const call of this.#take(operations)) call.run();
    await settled();
  }

  /** Lets only the first of those that wait go on. */
  async releaseOne(operation: Operation): Promise<void> {
    const [first, ...rest] = this.#take([operation]);
    this.#held = [...rest, ...this.#held];
    first?.run();
    await settled();
  }

  /** The first of those that wait never happens, and nobody hears of it. */
  lose(operation: Operation): void {
    const [, ...rest] = this.#take([operation]);
    this.#held = [...rest, ...this.#held];
  }

  /** Those that wait fail; with `afterEffect`, what they asked for happens all the same. */
  async fail(operation: Operation, error: unknown, afterEffect = false): Promise<void> {
    this.#holding.delete(operation);
    for (const call of this.#take([operation])) {
      call.fail(error);
      if (afterEffect) call.run();
    }
    await settled();
  }

  #take(operations: readonly Operation[]): Held[] {
    const taken = this.#held.filter((call) => operations.includes(call.operation));
    this.#held = this.#held.filter((call) => !operations.includes(call.operation));
    return taken;
  }

  #call<T>(operation: Operation, effect: () => T | Promise<T>, what = ""): Promise<T> {
    this.calls.push(`${operation} ${what}`.trim());
    return new Promise<T>((resolve, reject) => {
      const run = () => {
        try {
          resolve(effect());
        } catch (error) {
          reject(error);
        }
      };
      if (this.#holding.has(operation)) this.#held.push({ operation, run, fail: reject });
      else queueMicrotask(run);
    });
  }
}

/** What an engine says that cannot be reached. */
export const AWAY = new CommandError("engine_unavailable", "The engine does not answer.");

export type LateBench = Bench & { readonly engine: LateEngine };

export async function lateBench(options: Omit<BenchOptions, "engine"> = {}): Promise<LateBench> {
  let engine: LateEngine | undefined;
  const made = await bench({
    ...options,
    engine: (clock) => {
      engine = new LateEngine(clock);
      return engine;
    },
  });
  if (!engine) throw new Error("The hub took no engine.");
  return { ...made, engine };
}
