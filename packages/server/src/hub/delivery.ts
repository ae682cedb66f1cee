/** What the broker delivers, sent to the channel's subscribers on this node. */

import { userOfOnlineChannel } from "../domain/channel.ts";
import type { Connection } from "../domain/connection.ts";
import type { EventPublication, Publication, Push } from "../domain/message.ts";
import type { EngineHost } from "../domain/ports.ts";
import type { Audience } from "./audience.ts";
import type { HubContext } from "./context.ts";
import type { DeliveryTimer } from "./delivery-timer.ts";
import { GapFiller } from "./gap-filler.ts";
import type { IdempotencyKeys } from "./idempotency-keys.ts";
import { withoutPosition } from "./recovery.ts";
import type { SequenceReader } from "./sequence.ts";
import type { Tenant } from "./tenants.ts";
import type { Users } from "./users.ts";

export class Delivery {
  readonly #context: HubContext;
  readonly #users: Users;
  readonly #keys: IdempotencyKeys;
  readonly #timer: DeliveryTimer;
  readonly #gaps: GapFiller;

  constructor(context: HubContext, users: Users, keys: IdempotencyKeys, timer: DeliveryTimer) {
    this.#context = context;
    this.#users = users;
    this.#keys = keys;
    this.#timer = timer;
    this.#gaps = new GapFiller(context, this);
  }

  /** Called by the broker, on every node alike, in the broker's order. */
  deliver(publication: Publication): void {
    const tenant = this.#context.tenants.get(publication.app);
    const audience = tenant?.audiences.get(publication.channel);
    if (!tenant || !audience) return;
    if (publication.type === "event") {
      // An iterator of nothing takes as long as all of this.
      if (audience.listeners.size > 0) for (const listen of audience.listeners) listen(publication);
    } else if (publication.type === "joined" || publication.type === "left" || publication.type === "updated") {
      for (const watch of audience.presenceListeners) watch(publication);
    }
    const hold = audience.sequence?.hold;
    if (hold) return this.#gaps.wait(hold, publication);
    if (publication.type !== "event" || !publication.position) return this.send(tenant, audience, publication);
    const sequence = audience.startSequence();
    switch (sequence.judge(publication.position)) {
      case "next":
        return this.send(tenant, audience, publication);
      case "hole":
        return this.#gaps.fill(tenant, audience, sequence, publication);
      case "delivered":
        return;
    }
  }

  /** Publications may have been lost just now: finds them where they are kept, and says so where they are not. */
  interrupted: EngineHost["interrupted"] = (channels) => {
    this.#users.revocations.interrupted();
    if (!channels) {
      for (const tenant of this.#context.tenants) {
        for (const audience of tenant.audiences.values()) this.#interrupt(tenant, audience);
      }
      return;
    }
    for (const { app, channel } of channels) {
      const tenant = this.#context.tenants.get(app);
      const audience = tenant?.audiences.get(channel);
      if (tenant && audience) this.#interrupt(tenant, audience);
    }
  };

  sweep(nowMs: number): void {
    this.#gaps.sweep(nowMs);
  }

  #interrupt(tenant: Tenant, audience: Audience): void {
    const { channel, sequence } = audience;
    audience.interruptions++;
    const user = userOfOnlineChannel(channel.name);
    if (user !== undefined) return this.#users.revocations.recheck(tenant, user);
    const isFindable = sequence?.base !== undefined;
    // Comings and goings are not kept, nor is what clients say in a cache channel.
    if (!isFindable || !channel.policy.history || channel.traits.presence) this.sendGap(tenant, audience);
    if (isFindable) this.#gaps.fill(tenant, audience, sequence);
  }

  send(tenant: Tenant, audience: Audience, publication: Publication): void {
    switch (publication.type) {
      case "event":
        this.#sendEvent(tenant, audience, publication);
        if (publication.timed && audience.groups.length > 0) this.#timer.stop(publication);
        return;
      case "count":
        audience.lastCount = publication.count;
        return this.#sendPush(tenant, audience, publication, publication.except);
      case "joined":
      case "left":
      case "updated":
        return this.#sendPush(tenant, audience, publication, publication.except);
      case "online":
        return this.#sendPush(tenant, audience, { type: "watch", online: [publication.user], offline: [] });
      case "offline":
        return this.#sendPush(tenant, audience, { type: "watch", online: [], offline: [publication.user] });
      case "replaced":
        return this.#users.replace(tenant, publication);
    }
  }

  #sendEvent(tenant: Tenant, audience: Audience, publication: EventPublication): void {
    if (publication.erased) {
      if (publication.position) audience.startSequence().advance(publication.position);
      return;
    }
    const isRepeated = publication.repeated || !this.#keys.isFirst(publication);
    if (!publication.position) {
      if (!isRepeated) this.#sendPush(tenant, audience, publication, publication.except);
      return;
    }
    const sequence = audience.startSequence();
    const having = sequence.advance(publication.position);
    if (!sequence.isFirst(publication) || isRepeated) {
      // New subscribers did not get it the first time, and are not known apart from the others.
      if (sequence.hasNewcomers) this.sendGap(tenant, audience);
      return;
    }
    const shown = audience.channel.policy.history ? publication : withoutPosition(publication);
    this.#sendPush(tenant, audience, shown, publication.except, having);
  }

  sendGap(tenant: Tenant, audience: Audience): void {
    const { name: channel } = audience.channel;
    this.#sendPush(tenant, audience, { type: "gap", channel });
    this.#context.observe({ type: "gap", app: tenant.app, channel });
  }

  #sendPush(
    tenant: Tenant,
    audience: Audience,
    push: Push,
    except: readonly string[] = NONE,
    having: readonly SequenceReader[] = NO_CONNECTIONS,
  ): void {
    const { fanout, channelMeters } = this.#context;
    if (!fanout) return;
    tenant.lastSentAtMs = audience.lastSentAtMs = this.#context.sweptAtMs;
    const named = except.length === 0 ? NO_CONNECTIONS : connectionsOf(tenant, except);
    const excluded = having.length === 0 ? named : [...named, ...having];
    audience.send(fanout, push, excluded, tenant.app, this.#context.traffic, this.#context.frameObserver);
    if (audience.readers) audience.sendToReaders(push, having);
    if (channelMeters.size > 0) this.#meter(audience, excluded.length);
    if (this.#context.taps.size > 0) this.#notifyTaps(audience, push, excluded);
  }

  #meter({ app, channel, size }: Audience, excluded: number): void {
    for (const meter of this.#context.channelMeters) meter(app, channel.name, Math.max(0, size - excluded));
  }

  /** Bun's topics do not say to whom they sent. */
  #notifyTaps(audience: Audience, push: Push, except: readonly SequenceReader[]): void {
    for (const [connection, tap] of this.#context.taps) {
      if (connection.app.id !== audience.app || connection.closed || except.includes(connection)) continue;
      const topic = audience.topicOf(connection.protocol);
      if (topic === undefined || !connection.socket?.isSubscribed(topic)) continue;
      const frame = connection.protocol.encode(push);
      if (frame !== undefined) tap.sent(frame);
    }
  }
}

/** Those of them that are here, and those by which their clients have come back. */
function connectionsOf({ connections, formerIds }: Tenant, ids: readonly string[]): readonly Connection[] {
  const found: Connection[] = [];
  for (const id of ids) {
    const connection = connections.get(id);
    if (connection) found.push(connection);
    // To go through none of them takes a hundredth of a client event.
    if (!formerIds.isEmpty) found.push(...formerIds.of(id));
  }
  return found;
}

const NONE: readonly string[] = [];
const NO_CONNECTIONS: readonly Connection[] = [];
