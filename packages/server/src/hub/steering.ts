/**
 * What back ends do with connections on every node at once: take them out of channels, end them, have them reconnect. Each call
 * is told how many it reached. A node that may have missed one asks the others for what there was, and does it then.
 */

import type { App } from "../domain/app.ts";
import type { Channel } from "../domain/channel.ts";
import type { Connection, Membership } from "../domain/connection.ts";
import { CommandError, Disconnect, isEngineAway } from "../domain/error.ts";
import type { HubEvent, Steered } from "../domain/hub-event.ts";
import type { Push } from "../domain/message.ts";
import type { Awaitable, Clock, EngineHealth } from "../domain/ports.ts";
import { consistentUserInfo, parseUserInfo } from "../domain/user-info.ts";
import { andThen } from "./awaitable.ts";
import type { Ban, Bans } from "./bans.ts";
import { spreadOf } from "./expiry.ts";
import { expel, noteGrant, renewGrant } from "./grants.ts";
import { checkOpenChannelName } from "./limits.ts";
import { type JoinReply, subscribedReply } from "./membership.ts";
import type { NodeBus } from "./node-bus.ts";
import {
  type DisconnectAct,
  fieldsOf,
  type KickAct,
  type ReconnectAct,
  type SteerAct,
  type SubscribeAct,
  steerActOf,
  textOf,
  type Whose,
} from "./steer-act.ts";
import type { StickySubscriptions } from "./sticky-subscriptions.ts";
import { holdTurn } from "./turns.ts";
import { TERMINATED, type Users } from "./users.ts";

/** As the hub is. */
interface Host {
  readonly nodeBus: NodeBus;
  readonly users: Users;
  readonly clock: Clock;
  readonly health: EngineHealth;
  connections(app: Pick<App, "id">): Iterable<Connection>;
  connection(app: Pick<App, "id">, id: string): Connection | undefined;
  channelOf(app: App, name: string): Channel;
  join(connection: Connection, channel: string, member: Membership, reply: JoinReply): Awaitable<void>;
  leave(connection: Connection, channel: string): Promise<void>;
  push(connection: Connection, push: Push): void;
  disconnect(connection: Connection, why: Disconnect): void;
  observe(event: HubEvent): void;
}

/** What came of it. */
export interface Reached {
  /** On how many connections it was done, at least. */
  readonly connections: number;
  /** Nodes that did not answer in time: they do it as soon as they can. */
  readonly nodesMissing: number;
}

interface Remembered {
  readonly id: string;
  readonly app: string;
  readonly act: SteerAct;
  readonly atMs: number;
}

const STEER = "steer";
const RECENT = "recent steering";
/** How long, and how many, a node remembers for those that were away. */
const REMEMBERED_MS = 600_000;
const MOST_REMEMBERED = 500;

export class Steering {
  readonly #hub: Host;
  readonly #bans: Bans;
  readonly #sticky: StickySubscriptions;
  /** Oldest first. */
  readonly #recent = new Map<string, Remembered>();
  #steered = 0;
  #mayHaveMissed = false;
  #isAsking = false;

  constructor(hub: Host, bans: Bans, sticky: StickySubscriptions) {
    this.#hub = hub;
    this.#bans = bans;
    this.#sticky = sticky;
    hub.nodeBus.handle(STEER, (data) => {
      const { id, app, act } = fieldsOf(data);
      return this.#receive(textOf(id), textOf(app), steerActOf(act));
    });
    hub.nodeBus.handle(RECENT, () => [...this.#recent.values()].map(({ id, app, act }) => ({ id, app, act })));
  }

  /** A user who may be in the channel again before the ban is over. Safe to call where there is none. Throws CommandError `engine_unavailable`. */
  async liftBan(app: App, channel: string, user: string, byOperator = false): Promise<void> {
    await this.#bans.lift(app, channel, user);
    this.#observe({ app, act: "unban", whose: { user }, channel, connections: 0 }, byOperator);
  }

  /** From which channels the user is kept out now, the latest ban first. Throws CommandError `engine_unavailable`. */
  bansOf(app: App, user: string): Promise<readonly Ban[]> {
    return this.#bans.ofUser(app, user);
  }

  /** Of a user, with a time, also those connections that come until then. Throws CommandError `engine_unavailable`. */
  async subscribe(app: App, act: Omit<SubscribeAct, "type">, byOperator = false): Promise<Reached> {
    const { whose, stickyUntilMs, expiresAtMs = Number.POSITIVE_INFINITY } = act;
    const whole = { type: "subscribe", ...act } as const;
    if (stickyUntilMs !== undefined && "user" in whose) {
      await this.#sticky.add(app, whose.user, whole, Math.min(stickyUntilMs, expiresAtMs));
    }
    return this.steer(app, whole, byOperator);
  }

  /** Throws CommandError `engine_unavailable`. */
  async unsubscribe(
    app: App,
    act: Pick<KickAct, "whose" | "channel" | "message">,
    byOperator = false,
  ): Promise<Reached> {
    if ("user" in act.whose) await this.#sticky.remove(app, act.whose.user, act.channel);
    return this.steer(app, { type: "kick", code: "unsubscribed", ...act }, byOperator);
  }

  /**
   * The connection has signed in: it is put where its user is to be, and where others of its user were put. Call it when it is known to
   * be the user's.
   */
  enter(connection: Connection): Awaitable<void> {
    const { app, user } = connection;
    if (!user) return undefined;
    const whose = { connection: connection.id };
    const own = (user.subscribe ?? []).map((channel): SubscribeAct => ({ type: "subscribe", channel, whose }));
    return andThen(this.#sticky.of(app, user.id), (acts) =>
      acts.length + own.length > 0 ? this.#enter(connection, [...own, ...acts]) : undefined,
    );
  }

  async #enter(connection: Connection, acts: readonly SubscribeAct[]): Promise<void> {
    for (const act of acts) {
      try {
        checkOpenChannelName(connection.app, act.channel);
        await putInto(this.#hub, connection, act);
      } catch (error) {
        if (!(error instanceof CommandError)) throw error;
        this.#hub.observe({ type: "refused", connection, error });
      }
    }
  }

  /** Throws CommandError `engine_unavailable` where no node can be told. One connection of this node needs no other. */
  async steer(app: App, act: SteerAct, byOperator = false): Promise<Reached> {
    const { whose } = act;
    const isHere = "connection" in whose && this.#hub.connection(app, whose.connection) !== undefined;
    const reached = isHere
      ? { connections: await this.#perform(app, act), nodesMissing: 0 }
      : await this.#askAll(app, act);
    this.#observe({ ...steeredBy(app, act), connections: reached.connections }, byOperator);
    return reached;
  }

  async #askAll(app: App, act: SteerAct): Promise<Reached> {
    const asked = { id: `${this.#hub.nodeBus.number}.${++this.#steered}`, app: app.id, act };
    const { answers, missing } = await this.#hub.nodeBus.askAll(STEER, asked);
    return { connections: answers.reduce<number>((sum, count) => sum + Number(count), 0), nodesMissing: missing };
  }

  #observe(steered: Steered, byOperator: boolean): void {
    this.#hub.observe({ type: "steered", ...steered, ...(byOperator && { byOperator }) });
  }

  /** With a time, the user is kept out of the channel until then, on every node. Throws CommandError `engine_unavailable`. */
  async kick(app: App, act: Omit<KickAct, "type" | "code">, byOperator = false): Promise<Reached> {
    const { whose, channel, bannedUntilMs } = act;
    // First: who comes from now on reads it, who is here already is found.
    if (bannedUntilMs !== undefined && "user" in whose) await this.#bans.ban(app, channel, whose.user, bannedUntilMs);
    return this.steer(app, { type: "kick", code: "kicked", ...act }, byOperator);
  }

  /** Closes every connection of the user. What authenticated the user until now counts no more, unless `revoke` is false. */
  async terminate(app: App, user: string, revoke = true, byOperator = false): Promise<Reached> {
    if (revoke) await this.#hub.users.revocations.revoke(app, user);
    return this.steer(app, { type: "disconnect", whose: { user }, message: TERMINATED }, byOperator);
  }

  /** Words of other nodes may have been missed. */
  interrupted(): void {
    this.#mayHaveMissed = true;
    this.#bans.flag.interrupted();
    this.#sticky.flag.interrupted();
  }

  /** Call it every second or two. */
  sweep(nowMs: number): void {
    for (const [id, { atMs }] of this.#recent) {
      if (nowMs - atMs < REMEMBERED_MS && this.#recent.size <= MOST_REMEMBERED) break;
      this.#recent.delete(id);
    }
    this.#bans.flag.sweep();
    this.#sticky.flag.sweep();
    if (this.#mayHaveMissed && !this.#isAsking && this.#hub.health.reachable) void this.#catchUp();
  }

  /** Asks what there was meanwhile, and does what this node has not done. */
  async #catchUp(): Promise<void> {
    this.#isAsking = true;
    this.#mayHaveMissed = false;
    try {
      const { answers } = await this.#hub.nodeBus.askAll(RECENT, {});
      for (const { id, app, act } of answers.flatMap((answer) => (Array.isArray(answer) ? answer : [])).map(fieldsOf)) {
        if (!this.#recent.has(textOf(id))) this.#receive(textOf(id), textOf(app), steerActOf(act));
      }
    } catch (error) {
      this.#mayHaveMissed = isEngineAway(error);
      if (!this.#mayHaveMissed) this.#hub.observe({ type: "failed", error, during: "catching up with other nodes" });
    } finally {
      this.#isAsking = false;
    }
  }

  #receive(id: string, app: string, act: SteerAct): Awaitable<number> {
    this.#recent.set(id, { id, app, act, atMs: this.#hub.clock.monotonicMs() });
    if (act.type === "kick" && act.bannedUntilMs !== undefined) this.#bans.flag.note({ id: app }, act.bannedUntilMs);
    if (act.type === "subscribe" && act.stickyUntilMs !== undefined) {
      this.#sticky.flag.note({ id: app }, act.stickyUntilMs);
    }
    return this.#perform({ id: app }, act);
  }

  /** On the connections of this node. */
  #perform(app: Pick<App, "id">, act: SteerAct): Awaitable<number> {
    const found = this.#connectionsOf(app, act.whose);
    if (act.type === "subscribe") return this.#subscribe(found, act);
    if (act.type === "kick") return found.filter((connection) => kick(this.#hub, connection, act)).length;
    for (const connection of found) this.#hub.disconnect(connection, reasonOf(act, connection));
    return found.length;
  }

  async #subscribe(found: readonly Connection[], act: SubscribeAct): Promise<number> {
    const { whose } = act;
    const signedIn = "user" in whose ? found.filter(({ user }) => user?.id === whose.user) : found;
    const done = await Promise.all(signedIn.map((connection) => putInto(this.#hub, connection, act)));
    return done.filter(Boolean).length;
  }

  /** Of a user also those that never signed in and are the user in a presence channel. */
  #connectionsOf(app: Pick<App, "id">, whose: Whose): readonly Connection[] {
    if ("connection" in whose) {
      const connection = this.#hub.connection(app, whose.connection);
      return connection ? [connection] : [];
    }
    const all = [...this.#hub.connections(app)].filter(({ awaitsAuthentication }) => !awaitsAuthentication);
    if ("user" in whose) return all.filter((connection) => connection.isUsers(whose.user));
    return all.filter((connection) => isInOrEntering(connection, whose.channel));
  }
}

function steeredBy(app: App, act: SteerAct): Omit<Steered, "connections"> {
  const { type, whose } = act;
  if (type === "disconnect" || type === "reconnect") return { app, act: type, whose };
  const { channel } = act;
  if (type === "subscribe") return { app, act: type, whose, channel };
  const isBan = act.bannedUntilMs !== undefined;
  return { app, act: isBan ? "ban" : act.code === "kicked" ? "kick" : "unsubscribe", whose, channel };
}

function isInOrEntering(connection: Connection, channel: string): boolean {
  return connection.isIn(channel) || (connection.entering?.has(channel) ?? false);
}

/** Another for each, where they are to come back over a time. */
function reasonOf(act: DisconnectAct | ReconnectAct, connection: Connection): Disconnect {
  if (act.type === "disconnect") return new Disconnect("terminated", act.message);
  return new Disconnect("reconnect", act.message, spreadOf(connection, act.spreadMs));
}

/** Takes the connection out of the channel, or refuses it where it is on its way in. Whether it was either. */
function kick(hub: Host, connection: Connection, { channel, code, message, whose }: KickAct): boolean {
  const entering = connection.entering?.get(channel);
  const member = connection.memberIn(channel) ?? entering?.member;
  if ("user" in whose && connection.user?.id !== whose.user && member?.id !== whose.user) return false;
  if (entering) entering.refusal = new CommandError("unauthorized", message);
  return expel(hub, connection, channel, code, message) || entering !== undefined;
}

/** Whether it is in the channel, or on its way there by itself. What the client sent next waits meanwhile. */
async function putInto(hub: Host, connection: Connection, { channel, ...act }: SubscribeAct): Promise<boolean> {
  const { expiresAtMs } = act;
  if (isInOrEntering(connection, channel)) {
    renewGrant(connection, channel, expiresAtMs, hub.clock);
    return true;
  }
  const { app, user } = connection;
  const { traits } = hub.channelOf(app, channel);
  const id = user?.id ?? act.member;
  // Nobody in a presence channel is without a name.
  if (connection.channelCount >= app.limits.channelsPerConnection || (traits.presence && id === undefined))
    return false;
  const info = act.infoText === undefined ? consistentUserInfo(user ?? {}) : parseUserInfo(act.infoText);
  const member = traits.presence && id !== undefined ? { id, ...info } : undefined;
  if (act.stickyUntilMs === undefined) connection.wasPlaced = true;
  if (traits.private) connection.isAuthenticated = true;
  const reply = subscribedReply(hub, connection, channel, undefined, "server");
  const joined = Promise.try(() => hub.join(connection, channel, member, reply)).then(
    () => {
      if (!connection.isIn(channel)) return false;
      noteGrant(connection, channel, { expiresAtMs }, hub.clock);
      return true;
    },
    (error) => {
      if (error instanceof CommandError) hub.observe({ type: "refused", connection, error });
      else hub.observe({ type: "failed", error, during: `putting a connection into ${channel}`, connection });
      return false;
    },
  );
  holdTurn(
    connection,
    joined.then(() => {}),
  );
  return joined;
}
