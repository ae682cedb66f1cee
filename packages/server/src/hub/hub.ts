/**
 * The hub: connections come and go, join and leave channels, and publications reach whoever is there.
 * It hands every publication to the broker and delivers only what the broker hands back, so there is one path and one
 * order per channel, on one node as on many.
 */

import { type App, type ChannelRule, isReserved } from "../domain/app.ts";
import { type Channel, isInternal } from "../domain/channel.ts";
import type { Connection } from "../domain/connection.ts";
import { CommandError, type Disconnect } from "../domain/error.ts";
import type { HubEvent } from "../domain/event.ts";
import type { Membership } from "../domain/memberships.ts";
import type { CountPublication, EventPublication, Position, Presence, Push, Resume } from "../domain/message.ts";
import type {
  Awaitable,
  Broker,
  ChannelSummary,
  Clock,
  Engine,
  EngineHealth,
  Guard,
  HistoryPage,
  Kept,
  NodeState,
  Observer,
  RegistryFact,
} from "../domain/ports.ts";
import type { Frames, Traffic } from "../domain/traffic.ts";
import type { Fanout, Protocol, Socket } from "../domain/wire.ts";
import { Background } from "./background.ts";
import { type Census, type Tally, tallyOf } from "./census.ts";
import { Channels } from "./channels.ts";
import { Counts } from "./counts.ts";
import { Delivery } from "./delivery.ts";
import { lastOf } from "./history.ts";
import { checkPlace } from "./limits.ts";
import { type Listener, listen } from "./listen.ts";
import { check, forgive, stoodStill } from "./liveness.ts";
import { type Answer, join, leave } from "./membership.ts";
import { Nodes, nodeNumber } from "./nodes.ts";
import { Keys } from "./once.ts";
import type { HubLimits, HubOptions } from "./options.ts";
import { Pacer } from "./pacer.ts";
import { Places } from "./places.ts";
import { Roster } from "./roster.ts";
import { send } from "./send.ts";
import type { Taps } from "./taps.ts";
import { Tenants } from "./tenants.ts";
import { Users } from "./users.ts";

export type { HubLimits, HubOptions } from "./options.ts";

export class Hub {
  limits: HubLimits;
  readonly guards: readonly Guard[];
  readonly around: HubOptions["around"];
  readonly call: HubOptions["call"];
  readonly authorize: HubOptions["authorize"];
  readonly authenticate: HubOptions["authenticate"];
  readonly clock: Clock;
  readonly counts: Counts;
  readonly pacer: Pacer;
  readonly places: Places;
  readonly reach: Nodes;
  readonly users: Users;
  readonly taps: Taps = new Map();
  /** Shown every frame. Undefined nearly always. */
  frames: Frames | undefined;
  readonly traffic: Traffic | undefined;
  readonly #engine: Engine;
  readonly #broker: Broker;
  readonly #channels: Channels;
  readonly protocols: readonly Protocol[];
  readonly #observers: readonly Observer[];
  readonly #roster: Roster;
  readonly #tenants: Tenants;
  readonly #appById: (id: string) => Awaitable<App | undefined>;
  readonly #node: HubOptions["node"];
  readonly #delivery: Delivery;
  readonly #keys: Keys;
  /** What coming, leaving and publishing are made of. */
  readonly #parts: Parameters<typeof join>[0] & Parameters<typeof send>[0];
  #connections = 0;
  #sweptAtMs = 0;
  /** As comings and goings on their way to the engine, and to those who observe them. */
  readonly background = new Background((error) => this.observe({ type: "failed", error, during: "background work" }));

  constructor(options: HubOptions) {
    this.limits = options.limits;
    this.clock = options.clock;
    this.pacer = new Pacer(options.clock, options.later);
    this.guards = options.guards ?? [];
    this.around = options.around;
    this.call = options.call;
    this.authorize = options.authorize;
    this.authenticate = options.authenticate;
    this.traffic = options.traffic;
    this.#engine = options.engine;
    this.#broker = options.engine.broker;
    this.#channels = options.channels ?? new Channels();
    this.#tenants = new Tenants(this.#channels, this.#broker);
    this.#appById = options.appById ?? (() => undefined);
    this.#node = options.node;
    this.protocols = options.protocols;
    this.#observers = options.observers ?? [];
    this.counts = new Counts(this, this.#tenants);
    const { ledger, registry } = options.engine;
    this.places = new Places({ ledger, registry, settle: (work) => this.background.run(work) });
    const number = nodeNumber(options.node().id);
    this.reach = new Nodes({
      number,
      clock: this.clock,
      patienceS: () => this.limits.publishWaitS,
      nodes: () => this.nodes(),
      broker: this.#broker,
      connection: (app, id) => this.connection(app, id),
      push: (connection, push) => this.push(connection, push),
      disconnect: (connection, why) => this.disconnect(connection, why),
      broadcast: (app, push) => this.#broadcast(app, push),
      failed: (error, during) => this.observe({ type: "failed", error, during }),
    });
    this.#roster = new Roster({
      registry: options.engine.registry,
      counts: this.counts,
      observe: (event) => this.observe(event),
      written: options.written,
      settle: (work) => this.background.run(work),
    });
    this.users = new Users({
      engine: options.engine,
      clock: this.clock,
      tenant: (app) => this.#tenants.of(app),
      release: (tenant, audience) => this.#tenants.release(tenant, audience),
      disconnect: (connection, why) => this.disconnect(connection, why),
    });
    this.#keys = new Keys(this.clock);
    this.#delivery = new Delivery({
      keys: this.#keys,
      broker: this.#broker,
      clock: this.clock,
      tenants: this.#tenants,
      users: this.users,
      taps: this.taps,
      number,
      traffic: options.traffic,
      frames: () => this.frames,
      heldBytes: () => this.limits.outboundBufferBytes,
      observe: (event) => this.observe(event),
      settle: (work) => this.background.run(work),
    });
    this.#parts = {
      broker: this.#broker,
      places: this.places,
      channels: this.#channels,
      clock: this.clock,
      stopwatch: this.#delivery.stopwatch,
      guards: this.guards,
      traffic: this.traffic,
      channel: (app, name) => this.channel(app, name),
      roster: this.#roster,
      tenants: this.#tenants,
      outboundBufferBytes: () => this.limits.outboundBufferBytes,
      observe: (event) => this.observe(event),
    };
  }

  async start(fanout: Fanout): Promise<void> {
    this.#delivery.fanout = fanout;
    await this.#engine.start({
      receive: (publication) => this.reach.receive(publication) || this.#delivery.deliver(publication),
      interrupted: this.#delivery.interrupted,
      happened: (facts) => void this.background.run(() => this.#tellFacts(facts)),
      report: () => ({ ...this.#node(), connections: this.#connections }),
      failed: (error, during) => this.observe({ type: "failed", error, during }),
    });
    if (this.health.reachable) await this.reach.start();
  }

  async stop(): Promise<void> {
    await this.#engine.close();
  }

  /** Whether the engine is there. */
  get health(): EngineHealth {
    return this.#engine.health();
  }

  /** Every node of the cluster, this one included. */
  nodes(): Awaitable<readonly NodeState[]> {
    return this.#engine.nodes();
  }

  /** What this node has in mind. Nothing when nobody is here. */
  get census(): Census {
    return this.#tenants.census;
  }

  /** The same, app by app. */
  get tallies(): readonly Tally[] {
    return [...this.#tenants].filter(({ app }) => !isReserved(app)).map(tallyOf);
  }

  connections(app?: App): Generator<Connection> {
    return this.#tenants.connections(app);
  }

  /** Of all apps, on this node. */
  get connectionCount(): number {
    return this.#connections;
  }

  connectionCountOf(app: App): number {
    return this.#tenants.get(app.id)?.connections.size ?? 0;
  }

  /** In the whole cluster; what others changed in the last second may be missing. */
  connectionsEverywhere(app: App): Awaitable<number> {
    return this.places.connections(app, this.connectionCountOf(app));
  }

  connection(app: Pick<App, "id">, id: string): Connection | undefined {
    return this.#tenants.get(app.id)?.connections.get(id);
  }

  // ---- coming and going

  /** Takes a client in and welcomes it. Throws Disconnect where there is no room. */
  open(connection: Connection, socket: Socket): void {
    const { app } = connection;
    // Who looks after the server gets in when it is full, and most of all then.
    checkPlace(app, this.limits, isReserved(app) ? 0 : this.#connections, this.connectionCountOf(app));
    if (!isReserved(app)) this.#connections++;
    connection.socket = socket;
    this.#tenants.of(app).connections.set(connection.id, connection);
    this.places.count(app, this.connectionCountOf(app));
    this.observe({ type: "opened", connection });
  }

  /** Forgets a client whose socket is gone. Safe to call again. */
  close(connection: Connection, code: number): void {
    if (connection.closed) return;
    connection.closed = true;
    connection.backlog?.end();
    connection.backlog = undefined;
    const tenant = this.#tenants.get(connection.app.id);
    if (tenant?.connections.delete(connection.id) && !isReserved(connection.app)) this.#connections--;
    this.places.leave(connection);
    this.places.count(connection.app, tenant?.connections.size ?? 0);
    for (const channel of [...(connection.memberships?.keys() ?? [])])
      this.background.run(() => this.leave(connection, channel));
    if (tenant) this.background.run(() => this.users.forget(tenant, connection));
    const why = connection.farewell;
    this.observe({ type: "closed", connection, code, ...(why && { why }) });
    if (tenant) this.#tenants.dropIfEmpty(tenant);
  }

  /** Says farewell in the client's own protocol and ends the connection, at once for everybody else. */
  disconnect(connection: Connection, why: Disconnect): void {
    if (connection.closed) return;
    const { frame, code, reason } = connection.protocol.closing(why);
    connection.farewell = why;
    if (frame !== undefined) {
      connection.socket?.send(frame);
      if (this.frames && !isReserved(connection.app)) this.frames.sent(connection, frame);
    }
    this.close(connection, code);
    connection.socket?.close(code, reason);
  }

  push(connection: Connection, push: Push): void {
    if (connection.closed) return;
    const frame = connection.protocol.encode(push);
    if (frame !== undefined) this.#hand(connection, frame);
  }

  /** The client gave a sign of life. */
  touch(connection: Connection): void {
    connection.lastSeenMs = this.clock.monotonicMs();
    connection.pingedAtMs = 0;
  }

  // ---- channels

  /**
   * Puts the connection into the channel and answers it by `answer`, which runs at the one moment that splits the
   * channel's publications in two: what came before is in its arguments, what comes after reaches the socket.
   */
  join(connection: Connection, name: string, member: Membership, answer: Answer, resume?: Resume): Promise<void> {
    return join(this.#parts, connection, name, member, answer, resume);
  }

  leave(connection: Connection, name: string): Promise<void> {
    return leave(this.#parts, connection, name);
  }

  /** Makes something of one channel, or nothing any more. Counts at once; whoever is in the channel stays. */
  makeChannel(app: App, name: string, rule: ChannelRule | undefined): boolean {
    const known = rule ? this.#channels.make(app, rule) : this.#channels.unmake(app, name);
    const audience = this.#tenants.get(app.id)?.audiences.get(name);
    if (audience) audience.channel = this.#channels.of(app, name);
    this.places.recount(this.#tenants.get(app.id));
    return known;
  }

  /** The app has other settings: for those who are here as for those who come. */
  replaceApp(app: App): void {
    this.#tenants.get(app.id)?.become(app);
    this.places.recount(this.#tenants.get(app.id));
  }

  /** Hears a channel's events without being in it, until what it resolves with is called. Rejects where the engine is away. */
  listen(app: App, name: string, listener: Listener): Promise<() => void> {
    return listen(this.#tenants, app, name, listener);
  }

  // ---- publications

  /** Hands an event to the broker; resolves when the engine has it. With a key it does so once. */
  publish(app: App, publication: EventPublication, key?: string): Awaitable<Position | undefined> {
    this.checkReserved(publication.event, publication.from !== undefined);
    if (key === undefined) return send(this.#parts, app, publication);
    return this.#keys.publish(publication, key, (once) => send(this.#parts, app, publication, once));
  }

  /** Throws where clients of any protocol would take an event of this name for the server's own word. */
  checkReserved(event: string, fromClient: boolean): void {
    if (!this.protocols.some((protocol) => protocol.reserves(event, fromClient))) return;
    throw new CommandError("event_reserved", `The event name ${JSON.stringify(event)} is reserved.`);
  }

  /** What the server itself announces: how many subscribe. */
  announce(publication: CountPublication): Awaitable<unknown> {
    return this.#broker.publish(publication);
  }

  // ---- reading

  /** The channel as this node knows it; undefined where nobody here is in it. */
  channel(app: App, name: string): Channel | undefined {
    return this.#tenants.get(app.id)?.audiences.get(name)?.channel;
  }

  /** The same for any channel. */
  channelOf(app: App, name: string): Channel {
    return this.channel(app, name) ?? this.#channels.of(app, name);
  }

  members(app: App, channel: string): Awaitable<readonly Presence[]> {
    return this.#engine.registry.members(app.id, channel);
  }

  summary(app: App, channel: string): Awaitable<ChannelSummary | undefined> {
    return this.#engine.registry.summary(app.id, channel);
  }

  channels(app: App, prefix = ""): Awaitable<readonly ChannelSummary[]> {
    return this.#engine.registry.channels(app.id, prefix);
  }

  /** How many connections of this node are in the channel, on their way into it or out of it. */
  holdersHere(app: App, name: string): number {
    return this.#tenants.get(app.id)?.audiences.get(name)?.holders ?? 0;
  }

  /** The event a cache channel keeps, if it still does. */
  async cached(app: App, channel: string): Promise<Kept | undefined> {
    return (await lastOf(this.#broker, app.id, this.channelOf(app, channel))).kept;
  }

  /** What is kept of the channel: after `since` the oldest, without it the latest; oldest first. */
  history(app: App, channel: string, since: Position | undefined, limit: number): Awaitable<HistoryPage> {
    return this.#broker.history(app.id, channel, since, limit);
  }

  // ---- time

  /**
   * One look at every connection: who has gone silent, who never said who it is. Call it every second or two, with how much
   * later it comes than it should have: for so long nobody was silent, the server itself stood still.
   */
  sweep(lateMs = 0): void {
    const nowMs = this.clock.monotonicMs();
    const lookedAtMs = this.#sweptAtMs;
    this.#sweptAtMs = nowMs;
    if (stoodStill(lateMs)) {
      for (const connection of this.connections()) forgive(connection, lateMs, nowMs);
      return;
    }
    for (const connection of this.connections()) check(this, this.#tenants, connection, nowMs, lookedAtMs);
    this.counts.flush(nowMs);
    this.#delivery.sweep(nowMs);
    this.reach.sweep(nowMs);
    this.users.sweep();
  }

  /** Never throws: an observer's fault is told to the others, and stops nobody. */
  observe(event: HubEvent): void {
    for (const observer of this.#observers) {
      try {
        observer(event);
      } catch (error) {
        if (event.type !== "failed") this.observe({ type: "failed", error, during: `observing ${event.type}` });
      }
    }
  }

  // ---- private

  #broadcast(app: Pick<App, "id">, push: Push): void {
    const frames = new Map(this.protocols.map((protocol) => [protocol, protocol.encode(push)]));
    for (const connection of this.#tenants.connections(app)) {
      const frame = frames.get(connection.protocol);
      if (frame !== undefined) this.#hand(connection, frame);
    }
  }

  #hand(connection: Connection, frame: string): void {
    connection.socket?.send(frame);
    connection.wasSent = true;
    this.traffic?.sent(connection.app, 1, frame.length);
    if (this.taps.size > 0) this.taps.get(connection)?.sent(frame);
    if (this.frames && !isReserved(connection.app)) this.frames.sent(connection, frame);
  }

  /** Tells what the engine did by itself: another node died, or this one's rows had to be written again. */
  async #tellFacts(facts: readonly RegistryFact[]): Promise<void> {
    const counted: [App, string][] = [];
    for (const { app: id, ...fact } of facts) {
      const app = this.#tenants.get(id)?.app ?? (await this.#appById(id));
      if (!app || isInternal(fact.channel)) continue;
      if (fact.type !== "counted") this.observe({ ...fact, app });
      if (fact.type === "joined" || fact.type === "left" || !app.subscriptionCounts) continue;
      if (!this.channelOf(app, fact.channel).traits.presence) counted.push([app, fact.channel]);
    }
    // One after the other: where a node died, there may be thousands.
    for (const [app, channel] of counted) await this.counts.changed(app, channel);
  }
}
