/** An event on its way to the broker: past the guards, with what its channel keeps, and once where it has a key. */

import type { App } from "../domain/app.ts";
import type { ApiCaller } from "../domain/hub-event.ts";
import type { EventPublication, Position } from "../domain/message.ts";
import type { Awaitable, IdempotencyKey } from "../domain/ports.ts";
import type { HubContext } from "./context.ts";
import type { DeliveryTimer } from "./delivery-timer.ts";
import type { IdempotencyKeys } from "./idempotency-keys.ts";

type Published = Position | "repeated" | undefined;

export interface PublishInfo {
  /** How long its key is remembered; five minutes where that is not said. */
  readonly ttlMs?: number | undefined;
  /** The call of the HTTP API that asks for it. */
  readonly caller?: ApiCaller;
}

export class Publisher {
  readonly #context: HubContext;
  readonly #keys: IdempotencyKeys;
  readonly #timer: DeliveryTimer;
  /** The engine answers later: known by its first answer, which is to an event that is timed. */
  #isAwaited = false;

  constructor(context: HubContext, keys: IdempotencyKeys, timer: DeliveryTimer) {
    this.#context = context;
    this.#keys = keys;
    this.#timer = timer;
  }

  /** Resolves when the engine has it. With a key it publishes once. */
  publish(
    app: App,
    publication: EventPublication,
    key?: string,
    info: PublishInfo = NO_INFO,
  ): Awaitable<Position | undefined> {
    if (key === undefined) return this.#publish(app, publication, info.caller) as Awaitable<Position | undefined>;
    return this.#publishOnce(app, publication, key, info);
  }

  // What waits or has a closure is a function of its own: else a scope is made for each event, also where neither is needed.

  #publishOnce(
    app: App,
    publication: EventPublication,
    key: string,
    { ttlMs, caller }: PublishInfo,
  ): Promise<Position | undefined> {
    return this.#keys.publish(publication, key, (once) => this.#publish(app, publication, caller, once), ttlMs);
  }

  /** `repeated` where the engine has had one under that key. */
  #publish(
    app: App,
    publication: EventPublication,
    caller: ApiCaller | undefined,
    once?: IdempotencyKey,
  ): Awaitable<Published> {
    const passed = this.#context.guardChain.publication(publication);
    if (passed instanceof Promise) return this.#sendLater(app, passed, caller, once);
    return this.#send(app, passed, caller, once);
  }

  async #sendLater(
    app: App,
    passing: Promise<EventPublication>,
    caller: ApiCaller | undefined,
    once: IdempotencyKey | undefined,
  ): Promise<Published> {
    return this.#send(app, await passing, caller, once);
  }

  #send(
    app: App,
    publication: EventPublication,
    caller: ApiCaller | undefined,
    once: IdempotencyKey | undefined,
  ): Awaitable<Published> {
    const { broker, channels, clock, tenants } = this.#context;
    const known = tenants.knownChannel(app, publication.channel);
    const keep = publication.ephemeral ? undefined : channels.historyFor(app, known, publication);
    const timed = this.#timer.start(publication);
    // To look at the clock for each would take a tenth of the whole, so that of those that are done at once some are timed.
    const sinceMs = timed.timed?.atMs ?? (this.#isAwaited ? clock.monotonicMs() : undefined);
    const published: Awaitable<Published> = once
      ? broker.publishOnce({ ...timed, key: once.key }, once, keep)
      : broker.publish(timed, keep);
    this.#isAwaited = published instanceof Promise;
    if (published instanceof Promise) return this.#publishedLater(app, publication, caller, published, sinceMs);
    return this.#published(app, publication, caller, published, sinceMs);
  }

  async #publishedLater(
    app: App,
    publication: EventPublication,
    caller: ApiCaller | undefined,
    publishing: Promise<Published>,
    sinceMs: number | undefined,
  ): Promise<Published> {
    return this.#published(app, publication, caller, await publishing, sinceMs);
  }

  #published(
    app: App,
    publication: EventPublication,
    caller: ApiCaller | undefined,
    result: Published,
    sinceMs: number | undefined,
  ): Published {
    if (result === "repeated") return result;
    const { clock, traffic } = this.#context;
    if (sinceMs !== undefined) traffic?.published(clock.monotonicMs() - sinceMs);
    this.#context.observe(
      caller ? { type: "published", app, publication, caller } : { type: "published", app, publication },
    );
    return result;
  }
}

const NO_INFO: PublishInfo = {};
