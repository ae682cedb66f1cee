/** Joining a channel and leaving it: in the audience, in the registry, and for observers. */

import type { Connection, Entering, Membership } from "../domain/connection.ts";
import { CommandError } from "../domain/error.ts";
import type { HubEvent } from "../domain/hub-event.ts";
import type { EventPublication, Member, Position, Push, ResumeOptions, SubscribedPush } from "../domain/message.ts";
import type { Awaitable } from "../domain/ports.ts";
import { updatedMember } from "../domain/presence-publications.ts";
import type { Audience, PresencePublication } from "./audience.ts";
import { inOrder, type Step } from "./awaitable.ts";
import type { Bans } from "./bans.ts";
import type { HubContext } from "./context.ts";
import { utf8Bytes } from "./limits.ts";
import { NO_NEWS, type PresenceRegistrar } from "./presence-registrar.ts";
import type { Quotas } from "./quotas.ts";
import { type CatchUp, catchUpWithoutPast, type Reading, withCatchUp } from "./recovery.ts";
import type { Tenant } from "./tenants.ts";

/** Answers a subscriber: the members where the channel has any, and what it is sent of the channel's past. */
export type JoinReply = (members: readonly Member[] | undefined, past: CatchUp) => void;

export interface JoinOptions extends ResumeOptions {
  /** It is no member and gets the members all the same. */
  readonly watch?: true;
}

/** A connection on its way into a channel. */
interface Joining {
  readonly connection: Connection;
  readonly member: Membership;
  readonly reply: JoinReply;
  readonly wanted: JoinOptions;
  readonly entering: Entering;
  readonly tenant: Tenant;
  readonly audience: Audience;
  /** Where it is to be answered with the members. */
  changes: PendingPresenceChanges | undefined;
  /** Observed once the observers know that the channel is occupied. */
  news: readonly HubEvent[];
  isRegistered: boolean;
  isSubscribed: boolean;
}

/** Some 3 ms. */
const LEAVES_PER_TURN = 200;

export class ChannelMembership {
  readonly #context: HubContext;
  readonly #quotas: Quotas;
  readonly #registrar: PresenceRegistrar;
  readonly #bans: Bans;
  /** What comes before it is in: whether it may, as far as others know (the engine, which counts, and who is banned), and the answer. */
  readonly #entrance: readonly Step<Joining>[] = [
    ({ audience }) => audience.subscribing,
    ({ connection, audience }) =>
      connection.closed ? undefined : this.#quotas.acquireSubscriber(connection, audience),
    (joining) => (joining.connection.closed ? undefined : this.#checkBan(joining)),
    (joining) => this.#list(joining),
  ];

  constructor(context: HubContext, quotas: Quotas, registrar: PresenceRegistrar, bans: Bans) {
    this.#context = context;
    this.#quotas = quotas;
    this.#registrar = registrar;
    this.#bans = bans;
  }

  /** See `Hub.join`. At once where nobody has to be asked, as in most channels: four promises less. */
  join(
    connection: Connection,
    name: string,
    member: Membership,
    reply: JoinReply,
    wanted: JoinOptions,
  ): Awaitable<void> {
    const entering = enter(connection, name, member);
    const tenant = this.#context.tenants.of(connection.app);
    const audience = tenant.retain(name);
    const joining: Joining = {
      connection,
      member,
      reply,
      wanted,
      entering,
      tenant,
      audience,
      changes: undefined,
      news: NO_NEWS,
      isRegistered: false,
      isSubscribed: false,
    };
    let entered: Awaitable<void>;
    try {
      entered = inOrder(this.#entrance, joining);
    } catch (error) {
      entered = Promise.reject(error);
    }
    if (entered instanceof Promise) return this.#joinLater(joining, entered);
    const left = this.#leaveDoor(joining);
    return joining.isSubscribed ? this.#joined(joining) : left;
  }

  async #joinLater(joining: Joining, entered: Promise<void>): Promise<void> {
    try {
      await entered;
    } finally {
      await this.#leaveDoor(joining);
    }
    if (joining.isSubscribed) await this.#joined(joining);
  }

  #joined({ connection, tenant, audience, news }: Joining): Awaitable<void> {
    this.#context.observe({ type: "subscribed", connection, channel: audience.channel.name });
    return this.#registrar.updateSubscriberCount(tenant.app, audience, news);
  }

  #checkBan({ connection, member, tenant, audience }: Joining): Awaitable<void> {
    return this.#bans.check(tenant.app, audience.channel.name, connection.user?.id, member?.id);
  }

  /** The members are listed, and it with them, where the channel has any. */
  #list(joining: Joining): Awaitable<void> {
    if (joining.connection.closed) return;
    if (joining.entering.refusal) throw joining.entering.refusal;
    const isListed = joining.member !== undefined || joining.wanted.watch === true;
    return isListed ? this.#listMembers(joining) : this.#catchUp(joining, undefined);
  }

  async #listMembers(joining: Joining): Promise<void> {
    const { connection, audience, member, wanted, tenant } = joining;
    const { name } = audience.channel;
    joining.changes = new PendingPresenceChanges(audience);
    const joined = member && (await this.#registrar.join(connection, audience, member));
    const listed = wanted.watch ? await this.#context.registry.members(tenant.app.id, name) : joined?.members;
    joining.isRegistered = joined !== undefined;
    if (member && joined?.isFirst) joining.news = [{ type: "joined", app: tenant.app, channel: name, member }];
    await this.#catchUp(joining, listed);
  }

  /** It is answered, and then receives. */
  #catchUp(joining: Joining, listed: readonly Member[] | undefined): Awaitable<void> {
    const { audience, wanted, entering } = joining;
    const past = catchUpWithoutPast(audience.channel, wanted.resume);
    if (!past) return this.#catchUpLater(joining, listed);
    this.#subscribe(joining, listed, past, undefined);
    if (entering.refusal && !joining.isSubscribed) throw entering.refusal;
  }

  async #catchUpLater(joining: Joining, listed: readonly Member[] | undefined): Promise<void> {
    const { entering } = joining;
    await withCatchUp(this.#reading(joining), (past, upTo) => this.#subscribe(joining, listed, past, upTo));
    if (entering.refusal && !joining.isSubscribed) throw entering.refusal;
  }

  #subscribe(joining: Joining, listed: readonly Member[] | undefined, past: CatchUp, upTo: Position | undefined): void {
    const { connection, audience, member, wanted, entering, tenant } = joining;
    const { name } = audience.channel;
    if (connection.closed || entering.refusal) return;
    joining.reply(listed && joining.changes?.applyTo(listed, member), past);
    if (past.isMissing) joining.news = [...joining.news, { type: "missed", app: tenant.app, channel: name }];
    connection.setMembership(name, member);
    if (wanted.previousIds) tenant.formerIds.add(connection, wanted.previousIds);
    audience.addSubscriber(connection, this.#context.fanout, upTo);
    joining.isSubscribed = true;
  }

  #reading({ connection, audience, wanted, tenant }: Joining): Reading {
    const { resume, previousIds, rewind = audience.channel.policy.rewind } = wanted;
    const { broker, limits } = this.#context;
    const bytes = limits.outboundBufferBytes - (connection.socket?.getBufferedAmount() ?? 0);
    const weigh = (event: EventPublication) => utf8Bytes(connection.protocol.encode(event) ?? "");
    return { broker, app: tenant.app, audience, resume, rewind, previousIds, bytes, weigh };
  }

  /** It is in, or takes back what it has done on its way. */
  #leaveDoor(joining: Joining): Awaitable<void> {
    const { connection, audience, tenant, member } = joining;
    leaveDoor(connection, audience.channel.name);
    joining.changes?.end();
    if (joining.isSubscribed) return;
    for (const event of joining.news) this.#context.observe(event);
    this.#quotas.releaseSubscriber(connection, audience);
    return this.#withdraw(connection, tenant, audience, joining.isRegistered ? member : undefined);
  }

  leave(connection: Connection, name: string): Awaitable<void> {
    const { tenants } = this.#context;
    const tenant = tenants.get(connection.app.id);
    const audience = tenant?.audiences.get(name);
    if (!tenant || !audience || !connection.isIn(name)) return;
    const member = connection.memberIn(name);
    connection.removeMembership(name);
    connection.grantedByToken?.delete(name);
    connection.grants?.delete(name);
    audience.removeSubscriber(connection, this.#context.fanout);
    this.#quotas.releaseSubscriber(connection, audience);
    this.#context.observe({ type: "unsubscribed", connection, channel: name });
    if (member) return this.#leaveAsMember(connection, tenant, audience, member);
    const counted = this.#registrar.updateSubscriberCount(tenant.app, audience);
    if (counted instanceof Promise) return this.#releaseLater(tenant, audience, counted);
    tenants.release(tenant, audience);
  }

  async #releaseLater(tenant: Tenant, audience: Audience, counted: Promise<void>): Promise<void> {
    await counted;
    this.#context.tenants.release(tenant, audience);
  }

  /** In several turns where they are many: 10,000 channels take a tenth of a second. */
  leaveAll(connection: Connection): void {
    const names = connection.channelNames();
    const first = names.length > LEAVES_PER_TURN ? names.splice(0, LEAVES_PER_TURN) : names;
    for (const name of first) this.#leaveInBackground(connection, name);
    if (first !== names) this.#context.follow(this.#leaveRest(connection, names));
  }

  async #leaveRest(connection: Connection, names: readonly string[]): Promise<void> {
    for (const [n, name] of names.entries()) {
      if (n % LEAVES_PER_TURN === 0) await this.#context.nextTurn();
      this.#leaveInBackground(connection, name);
    }
  }

  #leaveInBackground(connection: Connection, name: string): void {
    let left: Awaitable<void>;
    try {
      left = this.leave(connection, name);
    } catch (error) {
      left = Promise.reject(error);
    }
    if (left instanceof Promise) this.#context.follow(left);
  }

  async #leaveAsMember(connection: Connection, tenant: Tenant, audience: Audience, member: Member): Promise<void> {
    audience.leaving++;
    try {
      const held = this.#context.held.of(connection);
      if (held) await held;
      await this.#registrar.leave(connection, audience, member);
    } finally {
      audience.leaving--;
      await this.#registrar.updateSubscriberCount(tenant.app, audience);
      this.#context.tenants.release(tenant, audience);
    }
  }

  /** Takes back a join that did not come to its end. */
  async #withdraw(connection: Connection, tenant: Tenant, audience: Audience, member: Membership): Promise<void> {
    try {
      if (member) await this.#registrar.leave(connection, audience, member);
    } finally {
      this.#context.tenants.release(tenant, audience);
    }
  }
}

/** An empty one, for the next that comes: nearly all are on their way for no more than a moment, and a map is their largest object. */
let spare: Map<string, Entering> | undefined;

/** Throws where it is in the channel already, or on its way there: a back end's word may have overtaken the client's own. */
function enter(connection: Connection, name: string, member: Membership): Entering {
  if (connection.isIn(name) || connection.entering?.has(name)) {
    throw new CommandError("already_subscribed", `Existing subscription to channel ${name}`);
  }
  const entering: Entering = { member };
  connection.entering ??= spare ?? new Map();
  if (connection.entering === spare) spare = undefined;
  connection.entering.set(name, entering);
  return entering;
}

function leaveDoor(connection: Connection, name: string): void {
  connection.entering?.delete(name);
  if (connection.entering?.size !== 0) return;
  spare = connection.entering;
  connection.entering = undefined;
}

/**
 * Who joins, changes and leaves while a subscriber is on its way in. The list in its reply has them: what the engine listed is of an
 * earlier moment, and the subscriber's socket receives nothing yet.
 */
class PendingPresenceChanges {
  readonly #audience: Audience;
  readonly #seen: PresencePublication[] = [];
  readonly #see = (publication: PresencePublication) => void this.#seen.push(publication);

  constructor(audience: Audience) {
    this.#audience = audience;
    audience.presenceListeners.add(this.#see);
  }

  /** The list as it is by now. Who joins is in it, whatever came of an earlier connection of the same user. */
  applyTo(members: readonly Member[], subscriber: Membership): readonly Member[] {
    if (this.#seen.length === 0) return members;
    const now = new Map(members.map((member) => [member.id, member]));
    for (const seen of this.#seen) apply(seen, now);
    if (subscriber && !now.has(subscriber.id))
      now.set(subscriber.id, members.find(({ id }) => id === subscriber.id) ?? subscriber);
    return [...now.values()];
  }

  end(): void {
    this.#audience.presenceListeners.delete(this.#see);
  }
}

/** What was listed may be of later than this, and is listed as it is then; an update says the same again. */
function apply(publication: PresencePublication, now: Map<string, Member>): void {
  const known = now.get(publication.member.id);
  switch (publication.type) {
    case "left":
      return void now.delete(publication.member.id);
    case "joined":
      return void (known ?? now.set(publication.member.id, publication.member));
    case "updated":
      return void (known && now.set(known.id, updatedMember(known, publication.member)));
  }
}

// ---- the answer to a subscriber: first that it is in the channel, then what it is sent of the channel's past

/** As the hub is. */
interface ReplyHost {
  push(connection: Connection, push: Push): void;
  observe(event: HubEvent): void;
}

/** The client knows the answer by `ref`; `by` says that it asked for nothing. */
export function subscribedReply(
  hub: ReplyHost,
  connection: Connection,
  channel: string,
  ref: SubscribedPush["ref"],
  by?: SubscribedPush["by"],
): JoinReply {
  return (members, { position, recovered, rewound, complete: isAll, events, isMissing }) => {
    const complete = rewound === undefined ? undefined : isAll === true;
    hub.push(connection, { type: "subscribed", channel, members, position, recovered, rewound, complete, ref, by });
    if (events.length > 0) sendPast(hub, connection, events);
    if (recovered !== undefined) hub.observe({ type: "resumed", connection, channel, recovered });
    if (isMissing) hub.push(connection, { type: "missed", channel });
  };
}

function sendPast(hub: ReplyHost, connection: Connection, events: readonly EventPublication[]): void {
  connection.socket?.cork(() => {
    for (const event of events) hub.push(connection, event);
  });
}
