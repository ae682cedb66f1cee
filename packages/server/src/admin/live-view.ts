/**
 * What dashboards see live. Every node sends what it has of what is watched anywhere, by the hub itself, into the reserved
 * app's channels; a dashboard is an ordinary client there.
 */

import * as z from "zod/mini";
import { type App, isReserved } from "../domain/app.ts";
import type { Connection } from "../domain/connection.ts";
import { CommandError, Disconnect } from "../domain/error.ts";
import type { HubEvent } from "../domain/hub-event.ts";
import type { Guard, Observer } from "../domain/ports.ts";
import type { Frame } from "../domain/transport.ts";
import type { Hub } from "../hub/hub.ts";
import type {
  ChannelFilter,
  ChannelRate,
  FeedBatch,
  FeedFilter,
  LiveEvents,
  Payload,
  Point,
  Watch,
} from "./api-types.ts";
import { connectionDetail, listConnections, type Redact } from "./connection-view.ts";
import { FrameRecorder } from "./frame-recorder.ts";
import { filterOf, parseWatch, WatchRegistry } from "./watch-registry.ts";

export interface LiveViewOptions {
  readonly hub: Hub;
  readonly app: App;
  /** This node's id. */
  readonly node: string;
  readonly redact: Redact;
  readonly redactFrame: (frame: Frame, longest: number) => Payload;
  /** The feed of this node. */
  readonly feed: {
    watch(filters: ReadonlyMap<string, FeedFilter>): void;
    recent(filter: FeedFilter): readonly FeedBatch[];
    tick(): void;
    close(): void;
  };
  /** Numbers of this node by the second; absent where nothing is counted. */
  readonly seconds:
    | { tick(): void; latest(app?: string): Point | undefined; series(app?: string): readonly Point[] }
    | undefined;
  /** In which channels of this node most is said. */
  readonly channelRates: {
    watch(filters: ReadonlyMap<string, ChannelFilter>): void;
    take(channel: string): readonly ChannelRate[];
    readonly sent: (app: string, channel: string, readers: number) => void;
  };
  /** The app of that id, where there is one. */
  readonly appById: (id: string) => App | undefined;
  /** Drains this node, or lets it take clients again, at the request of any node's dashboard. */
  readonly drain: ((isOn: boolean) => void) | undefined;
  readonly failed: (error: unknown, during: string) => void;
}

interface TappedConnection {
  readonly connection: Connection;
  readonly frames: FrameRecorder;
}

const MAX_CONNECTIONS = 200;
/** In one message, of about 200 bytes each. */
const SECONDS_AT_ONCE = 60;
const SESSION_OVER = new Disconnect("unauthorized", "The session is over: sign in again.");
/** For dashboards without a session: the next ticket checks whether they may still watch. */
const NEW_TICKET_NEEDED = new Disconnect("shutdown", "Come again with another ticket.");

/** The topic of these commands on the node bus. */
const CLUSTER_COMMANDS = "dashboard";

/** What the dashboard of one node asks of every node: what is watched where, and what one of them has to do. */
const ClusterCommand = z.discriminatedUnion("type", [
  /** The live channels that dashboards of this node watch; nothing when they watch nothing any more. */
  z.object({ type: z.literal("watching"), node: z.string(), channels: z.array(z.string()) }),
  /** One more dashboard watches that live channel: it is sent what happened lately. */
  z.object({ type: z.literal("recent"), channel: z.string() }),
  z.object({ type: z.literal("drain"), node: z.string(), isOver: z._default(z.boolean(), false) }),
  /** Live connections of the session have to go. */
  z.object({ type: z.literal("signed-out"), session: z.string() }),
]);

type ClusterCommand = z.output<typeof ClusterCommand>;

export class LiveView {
  readonly #options: LiveViewOptions;
  readonly #watches: WatchRegistry;
  #stopHandling: (() => void) | undefined;
  /** By the connection's live channel. */
  readonly #taps = new Map<string, TappedConnection>();
  #ticks = 0;
  /** Whose connections are being looked at. */
  readonly #listing = new Set<string>();
  #isAway = false;

  constructor(options: LiveViewOptions) {
    const { hub, node } = options;
    this.#options = options;
    this.#watches = new WatchRegistry({
      node,
      clock: hub.clock,
      announce: (channels) => void this.#announce({ type: "watching", node, channels: [...channels] }),
      changed: (watched) => this.#changed(watched),
    });
  }

  /** After the hub. */
  start(): void {
    const { nodeBus } = this.#options.hub;
    this.#stopHandling = nodeBus.handle(CLUSTER_COMMANDS, (data) => this.#perform(ClusterCommand.parse(data)));
  }

  stop(): void {
    this.#options.feed.close();
    for (const { connection } of this.#taps.values()) this.#options.hub.taps.delete(connection);
    this.#taps.clear();
    this.#stopHandling?.();
  }

  /** Needs the dashboards' own subscriptions; every other event costs a comparison. */
  readonly observe: Observer = (event: HubEvent) => {
    if (event.type !== "subscribed" && event.type !== "unsubscribed") return;
    if (!isReserved(event.connection.app)) return;
    const { channel, type } = event;
    this.#watches.count(channel, type === "subscribed" ? 1 : -1);
    const watched = type === "subscribed" ? parseWatch(channel)?.type : undefined;
    if (watched === "feed" || watched === "seconds") void this.#announce({ type: "recent", channel });
  };

  /** A dashboard may watch, and nothing else. */
  readonly guard: Guard = {
    command(connection, command) {
      if (!isReserved(connection.app)) return;
      const isAllowed = command.type === "subscribe" ? parseWatch(command.channel) : ALLOWED_COMMANDS.has(command.type);
      if (!isAllowed) throw new CommandError("unauthorized", "A dashboard may only watch what there is to be watched.");
      return;
    },
  };

  /** Reaches every node; rejects with CommandError where the engine is unavailable. */
  command(command: ClusterCommand): Promise<void> {
    return this.#options.hub.nodeBus.broadcast(CLUSTER_COMMANDS, command);
  }

  /** The accounts have changed: every dashboard has to sign in again. */
  endSessions(): void {
    this.#endWhere(() => true);
  }

  /** Call it every second. */
  tick(): void {
    this.#ticks++;
    const { seconds, feed, node } = this.#options;
    this.#watches.tick();
    feed.tick();
    seconds?.tick();
    const nowMs = this.#options.hub.clock.wallMs();
    this.#endWhere(({ expiresAtMs }) => expiresAtMs <= nowMs);
    for (const [channel, watch] of this.#watches.all) {
      if (watch.type === "seconds") this.#sendSecond(channel, watch.app);
      else if (watch.type === "connection") this.#report(channel, watch);
      else if (watch.type === "channels")
        this.send(channel, "channels", { node, atMs: nowMs, rates: this.#options.channelRates.take(channel) });
      else if (watch.type === "connections" && this.#ticks % 2 === 0) void this.#sendConnections(channel, watch);
    }
  }

  /** Many are looked at in many turns: where that takes longer than until the next tick, it is sent less often. */
  async #sendConnections(
    channel: string,
    { app: id, search, isAnonymous }: Extract<Watch, { type: "connections" }>,
  ): Promise<void> {
    const app = id === undefined ? undefined : this.#options.appById(id);
    if ((!app && id !== undefined) || this.#listing.has(channel)) return;
    this.#listing.add(channel);
    const { hub, node } = this.#options;
    const list = await listConnections(hub, app, { search, isAnonymous, limit: MAX_CONNECTIONS, node });
    this.#listing.delete(channel);
    this.send(channel, "connections", list);
  }

  #sendRecent(channel: string): void {
    const watch = parseWatch(channel);
    if (watch?.type === "seconds") this.#sendEarlierSeconds(channel, watch.app);
    if (watch?.type !== "feed") return;
    for (const batch of this.#options.feed.recent(filterOf(watch))) this.send(channel, "feed", batch);
  }

  #sendEarlierSeconds(channel: string, app: string | undefined): void {
    const { seconds, node } = this.#options;
    const all = seconds?.series(app) ?? [];
    for (let at = 0; at < all.length; at += SECONDS_AT_ONCE) {
      const points = all.slice(at, at + SECONDS_AT_ONCE);
      this.send(channel, "earlier_seconds", { node, ...(app !== undefined && { app }), points });
    }
  }

  #sendSecond(channel: string, app: string | undefined): void {
    const point = this.#options.seconds?.latest(app);
    if (point) this.send(channel, "seconds", { node: this.#options.node, ...(app !== undefined && { app }), point });
  }

  /** Taps the connection where this node has it, reports its state, and stops when it has ended. */
  #report(channel: string, { app, id }: Extract<Watch, { type: "connection" }>): void {
    const { hub, node, redact } = this.#options;
    const tapped = this.#taps.get(channel) ?? this.#tap(channel, app, id);
    if (!tapped) return;
    const { connection, frames } = tapped;
    const report = frames.take();
    if (connection.closed) {
      this.#untap(channel, tapped);
      return this.send(channel, "connection", report);
    }
    const look = { node, clock: hub.clock, redact, traffic: frames.traffic };
    // As if something had been sent: then it is pinged, and the answer timed.
    connection.wasSent = true;
    this.send(channel, "connection", { connection: connectionDetail(connection, look), ...report });
  }

  #tap(channel: string, app: string, id: string): TappedConnection | undefined {
    const { hub, redactFrame } = this.#options;
    const connection = isReserved({ id: app }) ? undefined : hub.connection({ id: app }, id);
    if (!connection) return undefined;
    const tapped = { connection, frames: new FrameRecorder(() => hub.clock.wallMs(), redactFrame) };
    hub.taps.set(connection, tapped.frames);
    this.#taps.set(channel, tapped);
    return tapped;
  }

  #untap(channel: string, { connection, frames }: TappedConnection): void {
    this.#taps.delete(channel);
    if (this.#options.hub.taps.get(connection) === frames) this.#options.hub.taps.delete(connection);
  }

  #changed(watched: ReadonlyMap<string, Watch>): void {
    const { hub, feed, channelRates } = this.#options;
    const filters = new Map<string, FeedFilter>();
    const counted = new Map<string, ChannelFilter>();
    for (const [channel, watch] of watched) {
      if (watch.type === "feed") filters.set(channel, filterOf(watch));
      else if (watch.type === "channels") counted.set(channel, watch);
      else if (watch.type === "connection" && !this.#taps.has(channel)) this.#tap(channel, watch.app, watch.id);
    }
    for (const [channel, tapped] of this.#taps) if (!watched.has(channel)) this.#untap(channel, tapped);
    feed.watch(filters);
    channelRates.watch(counted);
    if (counted.size > 0) hub.channelMeters.add(channelRates.sent);
    else hub.channelMeters.delete(channelRates.sent);
  }

  #perform(command: ClusterCommand): void {
    const { node, drain } = this.#options;
    switch (command.type) {
      case "watching":
        return this.#watches.setRemote(command.node, command.channels);
      case "recent":
        return this.#sendRecent(command.channel);
      case "drain":
        if (command.node === node) drain?.(!command.isOver);
        return;
      case "signed-out":
        return this.#endWhere((session) => session.id === command.session);
    }
  }

  #endWhere(isOver: (session: LiveSession) => boolean): void {
    const { hub, app } = this.#options;
    for (const connection of [...hub.connections(app)]) {
      const session = sessionOf(connection);
      if (session && isOver(session)) hub.disconnect(connection, session.id === "" ? NEW_TICKET_NEEDED : SESSION_OVER);
    }
  }

  /** To the page. It may get lost while the engine is unavailable, which is reported once. */
  send<Name extends keyof LiveEvents>(channel: string, event: Name, data: LiveEvents[Name]): void {
    const { hub, app } = this.#options;
    const text = JSON.stringify(data);
    void this.#try(() => hub.publish(app, { type: "event", app: app.id, channel, event, data: text }));
  }

  #announce(command: ClusterCommand): Promise<void> {
    return this.#try(() => this.command(command));
  }

  async #try(act: () => unknown): Promise<void> {
    try {
      await act();
      this.#isAway = false;
    } catch (error) {
      if (!this.#isAway) this.#options.failed(error, "sending to dashboards");
      this.#isAway = true;
    }
  }
}

const ALLOWED_COMMANDS: ReadonlySet<string> = new Set(["unsubscribe", "ping", "pong"]);

/** Stored in the user's info of a live connection. */
export interface LiveSession {
  /** Empty where the program's own check admitted the dashboard. */
  readonly id: string;
  readonly expiresAtMs: number;
}

function sessionOf({ user }: Connection): LiveSession | undefined {
  const info = user?.info;
  if (typeof info !== "object" || info === null || !("session" in info) || !("expiresAtMs" in info)) return undefined;
  const { session: id, expiresAtMs } = info;
  return typeof id === "string" && typeof expiresAtMs === "number" ? { id, expiresAtMs } : undefined;
}

/** Whatever an app has beside what it is called and what it is signed with. */
type Defaults = Omit<App, "id" | "key" | "secrets" | "name" | "enabled" | "token" | "webhooks">;

const NAME = "#dashboard";
/** On one node. */
const MAX_DASHBOARDS = 200;
const MAX_WATCHED = 20;

/**
 * The app that dashboards are clients of. Its id and key can be no configured app's: they begin with "#". Its secret opens nothing: clients connect with a ticket, and the HTTP API does not know the app.
 */
export function dashboardApp(defaults: Defaults): App {
  return {
    ...defaults,
    ...{ id: NAME, key: NAME, name: "the dashboard", enabled: true, secrets: [crypto.randomUUID()] },
    recovery: { ...defaults.recovery, enabled: false },
    ...{ clientEvents: false, subscriptionCounts: false, anonymous: false, requireTls: false },
    ...{ requireAuthentication: false, allowedOrigins: [], allowMissingOrigin: true, channels: [] },
    limits: {
      ...defaults.limits,
      ...{ connections: MAX_DASHBOARDS, channelsPerConnection: MAX_WATCHED, channelNameLength: 1000 },
      ...{ subscribesPerSecond: 50, framesPerSecond: 100, userIdLength: 128 },
    },
  };
}
