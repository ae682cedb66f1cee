/** Joining a channel and leaving it: in the audience, in the registry, and for observers. */

import type { Connection, Entering, Membership } from "../domain/connection.ts";
import { CommandError } from "../domain/error.ts";
import type { HubEvent } from "../domain/hub-event.ts";
import type { EventPublication, Member, ResumeOptions } from "../domain/message.ts";
import type { Awaitable } from "../domain/ports.ts";
import { updatedMember } from "../domain/presence-publications.ts";
import type { Audience, PresencePublication } from "./audience.ts";
import { andThen } from "./awaitable.ts";
import type { Bans } from "./bans.ts";
import type { HubContext } from "./context.ts";
import { utf8Bytes } from "./limits.ts";
import type { PresenceRegistrar } from "./presence-registrar.ts";
import type { Quotas } from "./quotas.ts";
import { type CatchUp, withCatchUp } from "./recovery.ts";
import type { Tenant } from "./tenants.ts";

/** Answers a subscriber: the members where the channel has any, and what it is sent of the channel's past. */
export type JoinReply = (members: readonly Member[] | undefined, past: CatchUp) => void;

export interface JoinOptions extends ResumeOptions {
  /** It is no member and gets the members all the same. */
  readonly watch?: true;
}

/** Some 3 ms. */
const LEAVES_PER_TURN = 200;

export class ChannelMembership {
  readonly #context: HubContext;
  readonly #quotas: Quotas;
  readonly #registrar: PresenceRegistrar;
  readonly #bans: Bans;

  constructor(context: HubContext, quotas: Quotas, registrar: PresenceRegistrar, bans: Bans) {
    this.#context = context;
    this.#quotas = quotas;
    this.#registrar = registrar;
    this.#bans = bans;
  }

  /** See `Hub.join`. */
  async join(
    connection: Connection,
    name: string,
    member: Membership,
    reply: JoinReply,
    wanted: JoinOptions,
  ): Promise<void> {
    const { tenants, broker } = this.#context;
    const entering = enter(connection, name, member);
    const tenant = tenants.of(connection.app);
    const audience = tenant.retain(name);
    let isRegistered = false;
    let changes: PendingPresenceChanges | undefined;
    /** Observed once the observers know that the channel is occupied. */
    const news: HubEvent[] = [];
    let isSubscribed = false;
    try {
      if (audience.subscribing) await audience.subscribing;
      if (connection.closed) return;
      const counted = this.#quotas.acquireSubscriber(connection, audience);
      if (counted instanceof Promise) await counted;
      const checked = this.#bans.check(tenant.app, name, connection.user?.id, member?.id);
      if (checked) await checked;
      if (connection.closed) return;
      if (entering.refusal) throw entering.refusal;
      if (member || wanted.watch) changes = new PendingPresenceChanges(audience);
      const joined = member && (await this.#registrar.join(connection, audience, member));
      const listed = wanted.watch ? await this.#context.registry.members(tenant.app.id, name) : joined?.members;
      isRegistered = joined !== undefined;
      if (member && joined?.isFirst) news.push({ type: "joined", app: tenant.app, channel: name, member });
      const bytes = this.#context.limits.outboundBufferBytes - (connection.socket?.getBufferedAmount() ?? 0);
      const weigh = (event: EventPublication) => utf8Bytes(connection.protocol.encode(event) ?? "");
      const { resume, previousIds, rewind = audience.channel.policy.rewind } = wanted;
      const reading = { broker, app: tenant.app, audience, resume, rewind, previousIds, bytes, weigh };
      const caughtUp = withCatchUp(reading, (past, upTo) => {
        if (connection.closed || entering.refusal) return;
        reply(listed && changes?.applyTo(listed, member), past);
        if (past.isMissing) news.push({ type: "missed", app: tenant.app, channel: name });
        connection.setMembership(name, member);
        if (previousIds) tenant.formerIds.add(connection, previousIds);
        audience.addSubscriber(connection, this.#context.fanout, upTo);
        isSubscribed = true;
      });
      if (caughtUp instanceof Promise) await caughtUp;
      if (entering.refusal && !isSubscribed) throw entering.refusal;
    } finally {
      leaveDoor(connection, name);
      changes?.end();
      if (!isSubscribed) {
        for (const event of news) this.#context.observe(event);
        this.#quotas.releaseSubscriber(connection, audience);
        await this.#withdraw(connection, tenant, audience, isRegistered ? member : undefined);
      }
    }
    if (!isSubscribed) return;
    this.#context.observe({ type: "subscribed", connection, channel: name });
    await this.#registrar.updateSubscriberCount(tenant.app, audience, news);
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
    return andThen(this.#registrar.updateSubscriberCount(tenant.app, audience), () =>
      tenants.release(tenant, audience),
    );
  }

  /** In several turns where they are many: 10,000 channels take a tenth of a second. */
  leaveAll(connection: Connection): void {
    const names = [...connection.channels()];
    for (const name of names.slice(0, LEAVES_PER_TURN)) this.#leaveInBackground(connection, name);
    if (names.length > LEAVES_PER_TURN) {
      this.#context.runInBackground(() => this.#leaveRest(connection, names.slice(LEAVES_PER_TURN)));
    }
  }

  async #leaveRest(connection: Connection, names: readonly string[]): Promise<void> {
    for (const [n, name] of names.entries()) {
      if (n % LEAVES_PER_TURN === 0) await this.#context.nextTurn();
      this.#leaveInBackground(connection, name);
    }
  }

  #leaveInBackground(connection: Connection, name: string): void {
    this.#context.runInBackground(() => this.leave(connection, name));
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

/** Throws where it is in the channel already, or on its way there: a back end's word may have overtaken the client's own. */
function enter(connection: Connection, name: string, member: Membership): Entering {
  if (connection.isIn(name) || connection.entering?.has(name)) {
    throw new CommandError("already_subscribed", `Existing subscription to channel ${name}`);
  }
  const entering = { member };
  connection.entering ??= new Map();
  connection.entering.set(name, entering);
  return entering;
}

function leaveDoor(connection: Connection, name: string): void {
  connection.entering?.delete(name);
  if (connection.entering?.size === 0) connection.entering = undefined;
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
