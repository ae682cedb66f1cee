/** What the broker hands back, told to whoever of this node is in the channel. */

import { userOfOnlineChannel } from "../domain/channel.ts";
import type { Connection } from "../domain/connection.ts";
import type { HubEvent } from "../domain/hub-event.ts";
import type { EventPublication, Publication, Push } from "../domain/message.ts";
import type { Awaitable, Broker, Clock, EngineHost } from "../domain/ports.ts";
import type { FrameObserver, TrafficMeter } from "../domain/traffic.ts";
import type { Fanout } from "../domain/transport.ts";
import type { Audience } from "./audience.ts";
import { DeliveryTimer } from "./delivery-timer.ts";
import { GapFiller } from "./gap-filler.ts";
import { withoutPosition } from "./history.ts";
import type { IdempotencyKeys } from "./idempotency-keys.ts";
import { notifyTaps, type Taps } from "./taps.ts";
import type { Tenant } from "./tenant.ts";
import type { Tenants } from "./tenants.ts";
import type { Users } from "./users.ts";

interface Host {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly tenants: Tenants;
  readonly users: Users;
  /** Most bytes of one channel that wait while a gap is filled. */
  readonly heldBytes: () => number;
  readonly taps: Taps;
  readonly traffic: TrafficMeter | undefined;
  /** Who is shown every frame just now. */
  readonly frames: () => FrameObserver | undefined;
  /** This node's number. */
  readonly number: number;
  readonly keys: IdempotencyKeys;
  observe(event: HubEvent): void;
  settle(work: () => Awaitable<unknown>): unknown;
}

export class Delivery {
  readonly #host: Host;
  readonly #gaps: GapFiller;
  readonly stopwatch: DeliveryTimer;
  /** Nothing is told before there is one. */
  fanout: Fanout | undefined;

  constructor(host: Host) {
    this.#host = host;
    this.stopwatch = new DeliveryTimer(host.clock, host.number, (tookMs) => host.traffic?.delivered(tookMs));
    this.#gaps = new GapFiller({
      ...host,
      tell: (tenant, audience, publication) => this.#pass(tenant, audience, publication),
      tellGap: (tenant, audience) => this.#tellGap(tenant, audience),
    });
  }

  /** Called by the broker, on every node alike, in the broker's order. */
  deliver(publication: Publication): void {
    const tenant = this.#host.tenants.get(publication.app);
    const audience = tenant?.audiences.get(publication.channel);
    if (!tenant || !audience) return;
    if (publication.type === "event") for (const listen of audience.listeners) listen(publication);
    else if (publication.type === "joined" || publication.type === "left") {
      for (const watch of audience.presenceListeners) watch(publication);
    }
    const hold = audience.sequence?.hold;
    if (hold) return this.#gaps.wait(hold, publication);
    if (publication.type !== "event" || !publication.position) return this.#pass(tenant, audience, publication);
    const sequence = audience.startSequence();
    switch (sequence.judge(publication.position)) {
      case "next":
        return this.#pass(tenant, audience, publication);
      case "hole":
        return this.#gaps.fill(tenant, audience, sequence, publication);
      case "told":
        return;
    }
  }

  /** Publications may have been lost just now: finds them where they are kept, and says so where they are not. */
  interrupted: EngineHost["interrupted"] = (channels) => {
    this.#host.users.interrupted();
    if (!channels) {
      for (const tenant of this.#host.tenants) {
        for (const audience of tenant.audiences.values()) this.#interrupt(tenant, audience);
      }
      return;
    }
    for (const { app, channel } of channels) {
      const tenant = this.#host.tenants.get(app);
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
    if (user !== undefined) return this.#host.users.recheck(tenant, user);
    const isFindable = sequence?.base !== undefined;
    // Comings and goings are not kept, nor is what clients say in a cache channel.
    if (!isFindable || !channel.policy.history || channel.traits.presence) this.#tellGap(tenant, audience);
    if (isFindable) this.#gaps.fill(tenant, audience, sequence);
  }

  #pass(tenant: Tenant, audience: Audience, publication: Publication): void {
    switch (publication.type) {
      case "event":
        this.#passEvent(tenant, audience, publication);
        if (publication.timed && audience.groups.length > 0) this.stopwatch.stop(publication);
        return;
      case "count":
        audience.lastCount = publication.count;
        return this.#tell(tenant, audience, publication, publication.except);
      case "joined":
      case "left":
        return this.#tell(tenant, audience, publication, publication.except);
      case "online":
        return this.#tell(tenant, audience, { type: "watch", online: [publication.user], offline: [] });
      case "offline":
        return this.#tell(tenant, audience, { type: "watch", online: [], offline: [publication.user] });
      case "terminate":
        return this.#host.users.disconnectHere(tenant, publication.user);
    }
  }

  #passEvent(tenant: Tenant, audience: Audience, publication: EventPublication): void {
    const isRepeated = publication.repeated || !this.#host.keys.isFirst(publication);
    if (!publication.position) {
      if (!isRepeated) this.#tell(tenant, audience, publication, publication.except);
      return;
    }
    const sequence = audience.startSequence();
    const having = sequence.advance(publication.position);
    if (!sequence.isFirst(publication) || isRepeated) {
      // Who came meanwhile was not told the first time, and is not known apart from the others.
      if (sequence.hasNewcomers) this.#tellGap(tenant, audience);
      return;
    }
    const told = audience.channel.policy.history ? publication : withoutPosition(publication);
    this.#tell(tenant, audience, told, publication.except, having);
  }

  #tellGap(tenant: Tenant, audience: Audience): void {
    const { name: channel } = audience.channel;
    this.#tell(tenant, audience, { type: "gap", channel });
    this.#host.observe({ type: "gap", app: tenant.app, channel });
  }

  #tell(
    tenant: Tenant,
    audience: Audience,
    push: Push,
    except: readonly string[] = NOBODY,
    having: readonly Connection[] = NO_CONNECTIONS,
  ): void {
    const named = except.length === 0 ? NO_CONNECTIONS : except.flatMap((id) => tenant.connections.get(id) ?? []);
    if (!this.fanout) return;
    audience.lastSentAtMs = this.#host.clock.monotonicMs();
    const excluded = having.length === 0 ? named : [...named, ...having];
    audience.send(this.fanout, push, excluded, tenant.app, this.#host.traffic, this.#host.frames());
    if (this.#host.taps.size > 0) notifyTaps(this.#host.taps, audience, push, excluded);
  }
}

const NOBODY: readonly string[] = [];
const NO_CONNECTIONS: readonly Connection[] = [];
