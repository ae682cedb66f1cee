/**
 * The hub: connections open and close, join and leave channels, and publications reach the subscribers.
 * It hands every publication to the broker and delivers only what the broker hands back, so there is one path and one
 * order per channel, on one node as on many.
 */

import { type App, type ChannelRule, isReserved } from "../domain/app.ts";
import type { Channel } from "../domain/channel.ts";
import type { Connection, Membership } from "../domain/connection.ts";
import type { Disconnect } from "../domain/error.ts";
import type { HubEvent } from "../domain/hub-event.ts";
import type { EventPublication, Position, PresenceMember, Push } from "../domain/message.ts";
import type { Awaitable, ChannelSummary, Clock, Engine, EngineHealth, NodeState } from "../domain/ports.ts";
import type { FrameObserver, TrafficMeter } from "../domain/traffic.ts";
import type { Fanout, Protocol, Socket } from "../domain/transport.ts";
import { Bans } from "./bans.ts";
import { ChannelReaders } from "./channel-readers.ts";
import { ClusterConnections } from "./cluster-connections.ts";
import { ConnectionList } from "./connection-list.ts";
import { HubContext } from "./context.ts";
import { Delivery } from "./delivery.ts";
import { DeliveryTimer } from "./delivery-timer.ts";
import { endDoubtful } from "./expiry.ts";
import type { GuardChain } from "./guard-chain.ts";
import { Histories } from "./histories.ts";
import { IdempotencyKeys } from "./idempotency-keys.ts";
import { checkPlace, checkReserved } from "./limits.ts";
import { checkLiveness, compensateStall, hasStalled, isCheckDue, noteSignOfLife } from "./liveness.ts";
import { MemberUpdates } from "./member-updates.ts";
import { ChannelMembership, type JoinOptions, type JoinReply } from "./membership.ts";
import { NodeBus } from "./node-bus.ts";
import type { Deciders, HubLimits, HubOptions } from "./options.ts";
import { PresenceRegistrar } from "./presence-registrar.ts";
import { Publisher, type PublishInfo } from "./publisher.ts";
import { Quotas } from "./quotas.ts";
import { Relocations } from "./relocations.ts";
import { Steering } from "./steering.ts";
import { StickySubscriptions } from "./sticky-subscriptions.ts";
import { observeChanges, SubscriptionCounts } from "./subscription-counts.ts";
import type { AppStats, NodeStats, Tenants } from "./tenants.ts";
import { TurnQueue } from "./turn-queue.ts";
import { Users } from "./users.ts";

export type { HubLimits, HubOptions } from "./options.ts";

export class Hub {
  readonly clock: Clock;
  readonly guardChain: GuardChain;
  readonly protocols: readonly Protocol[];
  readonly middleware: HubOptions["middleware"];
  readonly deciders: Deciders;
  readonly traffic: TrafficMeter | undefined;
  readonly taps: HubContext["taps"];
  readonly channelMeters: HubContext["channelMeters"];
  readonly turnQueue: TurnQueue;
  readonly quotas: Quotas;
  readonly subscriptionCounts: SubscriptionCounts;
  readonly nodeBus: NodeBus;
  readonly clusterConnections: ClusterConnections;
  readonly connectionList: ConnectionList;
  readonly steering: Steering;
  readonly relocations: Relocations;
  readonly users: Users;
  readonly histories: Histories;
  readonly channelReaders: ChannelReaders;
  readonly memberUpdates: MemberUpdates;
  readonly #context: HubContext;
  readonly #engine: Engine;
  readonly #tenants: Tenants;
  readonly #membership: ChannelMembership;
  readonly #publisher: Publisher;
  readonly #delivery: Delivery;
  readonly #appById: (id: string) => Awaitable<App | undefined>;
  readonly #node: HubOptions["node"];
  #connections = 0;

  constructor(options: HubOptions) {
    const context = new HubContext(options);
    this.#context = context;
    this.#engine = options.engine;
    this.#tenants = context.tenants;
    this.#appById = (id) => this.#tenants.get(id)?.app ?? options.appById?.(id);
    this.#node = options.node;
    this.clock = options.clock;
    this.guardChain = context.guardChain;
    this.protocols = options.protocols;
    this.middleware = options.middleware;
    this.deciders = options.deciders ?? {};
    this.traffic = options.traffic;
    this.taps = context.taps;
    this.channelMeters = context.channelMeters;
    this.turnQueue = new TurnQueue(options.clock, options.scheduleTurn);
    this.quotas = new Quotas(context);
    this.histories = new Histories(context);
    this.channelReaders = new ChannelReaders(context);
    this.memberUpdates = new MemberUpdates(context);
    this.subscriptionCounts = new SubscriptionCounts(context);
    this.nodeBus = new NodeBus(context);
    this.clusterConnections = new ClusterConnections(this);
    this.connectionList = new ConnectionList(this);
    const bans = new Bans(context);
    const registrar = new PresenceRegistrar(context, this.subscriptionCounts, options.observersFlushed);
    this.#membership = new ChannelMembership(context, this.quotas, registrar, bans);
    const disconnect = (connection: Connection, why: Disconnect) => this.disconnect(connection, why);
    this.users = new Users(context, disconnect);
    this.relocations = new Relocations(context, disconnect);
    this.steering = new Steering(this, bans, new StickySubscriptions(context));
    const keys = new IdempotencyKeys(this.clock);
    const timer = new DeliveryTimer(context, (tookMs) => this.traffic?.delivered(tookMs));
    this.#publisher = new Publisher(context, keys, timer);
    this.#delivery = new Delivery(context, this.users, keys, timer);
  }

  get limits(): HubLimits {
    return this.#context.limits;
  }

  set limits(limits: HubLimits) {
    this.#context.limits = limits;
    for (const connection of this.connections()) connection.checkAtMs = 0;
  }

  /** Shown every frame. Undefined nearly always. */
  get frameObserver(): FrameObserver | undefined {
    return this.#context.frameObserver;
  }

  set frameObserver(observer: FrameObserver | undefined) {
    this.#context.frameObserver = observer;
  }

  async start(fanout: Fanout): Promise<void> {
    this.#context.fanout = fanout;
    await this.#engine.start({
      receive: (publication) => this.nodeBus.receive(publication) || this.#delivery.deliver(publication),
      interrupted: (channels) => {
        if (this.nodeBus.isAmong(channels)) this.steering.interrupted();
        this.#delivery.interrupted(channels);
      },
      registryChanged: (facts) => void this.#context.runInBackground(() => observeChanges(this, this.#appById, facts)),
      report: () => ({ ...this.#node(), connections: this.#connections }),
      failed: (error, during) => this.observe({ type: "failed", error, during }),
    });
    if (this.health.reachable) await this.nodeBus.start();
  }

  async stop(): Promise<void> {
    this.channelReaders.end();
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

  /** What this node has. Nothing when no client is connected. */
  get nodeStats(): NodeStats {
    return this.#tenants.nodeStats;
  }

  /** The same, app by app. */
  get appStats(): readonly AppStats[] {
    return this.#tenants.appStats;
  }

  connections(app?: Pick<App, "id">): Generator<Connection> {
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
  clusterConnectionCount(app: App): Awaitable<number> {
    return this.quotas.connectionCount(app, this.connectionCountOf(app));
  }

  /** Undefined too where it has not said yet who it is, as it has to. */
  connection(app: Pick<App, "id">, id: string): Connection | undefined {
    const found = this.#tenants.get(app.id)?.connections.get(id);
    return found?.awaitsAuthentication ? undefined : found;
  }

  // ---- connections

  /** Takes a client in and welcomes it. Throws Disconnect where there is no room. */
  open(connection: Connection, socket: Socket): void {
    const { app } = connection;
    // Who looks after the server gets in when it is full, and most of all then.
    checkPlace(app, this.limits, isReserved(app) ? 0 : this.#connections, this.connectionCountOf(app));
    if (!isReserved(app)) this.#connections++;
    connection.socket = socket;
    this.#tenants.of(app).connections.set(connection.id, connection);
    this.quotas.setConnectionCount(app, this.connectionCountOf(app));
    if (!connection.awaitsAuthentication) this.observe({ type: "opened", connection });
  }

  /** Forgets a client whose socket is gone. Safe to call again. */
  close(connection: Connection, code: number): void {
    if (connection.closed) return;
    connection.closed = true;
    connection.frameQueue?.close();
    connection.frameQueue = undefined;
    const tenant = this.#tenants.get(connection.app.id);
    if (tenant?.connections.delete(connection.id) && !isReserved(connection.app)) this.#connections--;
    tenant?.formerIds.remove(connection);
    this.quotas.releaseConnection(connection);
    this.quotas.setConnectionCount(connection.app, tenant?.connections.size ?? 0);
    this.#membership.leaveAll(connection);
    if (tenant) this.users.removeConnection(tenant, connection);
    const why = connection.disconnectReason;
    const { address, app, awaitsAuthentication } = connection;
    if (!awaitsAuthentication)
      this.observe(why ? { type: "closed", connection, code, why } : { type: "closed", connection, code });
    else if (why) this.observe({ type: "rejected", address, why, app });
    if (tenant) this.#tenants.dropIfEmpty(tenant);
  }

  /** Sends the reason in the client's own protocol and ends the connection, at once for all others. */
  disconnect(connection: Connection, why: Disconnect): void {
    if (connection.closed) return;
    const { frame, code, reason } = connection.protocol.encodeClose(why);
    connection.disconnectReason = why;
    if (connection.socket) this.#context.fanout?.flushFor?.(connection.socket);
    if (frame !== undefined) {
      connection.socket?.send(frame);
      if (this.frameObserver && !isReserved(connection.app)) this.frameObserver.sent(connection, frame);
    }
    this.close(connection, code);
    connection.socket?.close(code, reason);
  }

  push(connection: Connection, push: Push): void {
    if (connection.closed || connection.awaitsAuthentication) return;
    const frame = connection.protocol.encode(push);
    if (frame === undefined) return;
    this.#hand(connection, frame);
    // Nobody falls behind by these, and a ping that is followed by another to see who does would cost a quiet connection two.
    if (push.type !== "ping" && push.type !== "pong") connection.wasSent = true;
  }

  /** To every connection of the app on this node. */
  pushToAll(app: Pick<App, "id">, push: Push): void {
    const frames = new Map<Protocol, string | undefined>();
    for (const connection of this.#tenants.connections(app)) {
      if (!frames.has(connection.protocol)) frames.set(connection.protocol, connection.protocol.encode(push));
      const frame = frames.get(connection.protocol);
      if (frame === undefined || connection.awaitsAuthentication) continue;
      this.#hand(connection, frame);
      connection.wasSent = true;
    }
  }

  /** The client gave a sign of life. */
  touch(connection: Connection): void {
    noteSignOfLife(connection, this.clock.monotonicMs());
  }

  // ---- channels

  /**
   * Puts the connection into the channel and answers it by `answer`, which runs at the one moment that splits the
   * channel's publications in two: what came before is in its arguments, what comes after reaches the socket.
   */
  join(
    connection: Connection,
    name: string,
    member: Membership,
    answer: JoinReply,
    wanted: JoinOptions = {},
  ): Awaitable<void> {
    return this.#membership.join(connection, name, member, answer, wanted);
  }

  async leave(connection: Connection, name: string): Promise<void> {
    await this.#membership.leave(connection, name);
  }

  /** Makes something of one channel, or nothing any more. Applies at once; those who are in the channel stay. */
  overrideChannel(app: App, name: string, rule: ChannelRule | undefined): boolean {
    const known = rule ? this.#context.channels.override(app, rule) : this.#context.channels.clearOverride(app, name);
    const audience = this.#tenants.get(app.id)?.audiences.get(name);
    if (audience) audience.channel = this.#context.channels.of(app, name);
    this.quotas.recount(this.#tenants.get(app.id));
    return known;
  }

  /** The app has other settings: for those who are here as for those who come. */
  replaceApp(app: App): void {
    this.#tenants.get(app.id)?.replaceApp(app);
    this.quotas.recount(this.#tenants.get(app.id));
  }

  // ---- publications

  /** Hands an event to the broker; resolves when the engine has it. With a key it does so once. */
  publish(app: App, event: EventPublication, key?: string, info?: PublishInfo): Awaitable<Position | undefined> {
    this.checkReserved(event.event, event.from !== undefined);
    return this.#publisher.publish(app, event, key, info);
  }

  /** Throws where an event may not have the name. */
  checkReserved(event: string, fromClient: boolean): void {
    checkReserved(this.protocols, event, fromClient);
  }

  // ---- reading

  /** The channel as this node knows it; undefined where none of its connections is in it. */
  channel(app: App, name: string): Channel | undefined {
    return this.#tenants.knownChannel(app, name);
  }

  /** The same for any channel. */
  channelOf(app: App, name: string): Channel {
    return this.channel(app, name) ?? this.#context.channels.of(app, name);
  }

  members(app: App, channel: string): Awaitable<readonly PresenceMember[]> {
    return this.#engine.registry.members(app.id, channel);
  }

  summary(app: App, channel: string): Awaitable<ChannelSummary | undefined> {
    return this.#engine.registry.summary(app.id, channel);
  }

  channels(app: App, prefix = ""): Awaitable<readonly ChannelSummary[]> {
    return this.#engine.registry.channels(app.id, prefix);
  }

  /** How many connections of this node are in the channel, on their way into it or out of it. */
  localHolderCount(app: App, name: string): number {
    const { holders = 0, programHolders = 0 } = this.#tenants.get(app.id)?.audiences.get(name) ?? {};
    return holders - programHolders;
  }

  // ---- time

  /**
   * One look at every connection: who has gone silent, who never said who it is. Call it every second or two, with how much
   * later it comes than it should have: for so long no client was silent, the server itself stood still.
   */
  sweep(lateMs = 0): void {
    const nowMs = this.clock.monotonicMs();
    const lookedAtMs = this.#context.sweptAtMs;
    this.#context.sweptAtMs = nowMs;
    if (hasStalled(lateMs)) {
      for (const connection of this.connections()) compensateStall(connection, lateMs, nowMs);
      return;
    }
    for (const { connections } of this.#tenants) {
      for (const connection of connections.values()) {
        if (isCheckDue(connection, nowMs)) checkLiveness(this, this.#tenants, connection, nowMs, lookedAtMs);
      }
    }
    this.subscriptionCounts.flush(nowMs);
    this.#delivery.sweep(nowMs);
    this.nodeBus.sweep(nowMs);
    this.steering.sweep(nowMs);
    this.relocations.sweep(nowMs);
    this.users.revocations.sweep();
    endDoubtful(this);
  }

  /** Whether work in the background has not come to its end. */
  get isBusy(): boolean {
    return this.#context.isBusy;
  }

  /** Lets the event loop turn, where work is long. */
  nextTurn(): Promise<void> {
    return this.#context.nextTurn();
  }

  /** Never throws. */
  observe(event: HubEvent): void {
    this.#context.observe(event);
  }

  #hand(connection: Connection, frame: string): void {
    const { socket } = connection;
    if (socket) this.#context.fanout?.flushFor?.(socket);
    socket?.send(frame);
    this.traffic?.sent(connection.app, 1, frame.length);
    if (this.taps.size > 0) this.taps.get(connection)?.sent(frame);
    if (this.frameObserver && !isReserved(connection.app)) this.frameObserver.sent(connection, frame);
  }
}
