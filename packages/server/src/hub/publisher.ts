/** An event on its way to the broker: past the guards, with what its channel keeps, and once where it has a key. */

import type { App } from "../domain/app.ts";
import type { EventPublication, Position } from "../domain/message.ts";
import type { Awaitable, Guard, IdempotencyKey } from "../domain/ports.ts";
import { andThen } from "./awaitable.ts";
import type { HubContext } from "./context.ts";
import type { DeliveryTimer } from "./delivery-timer.ts";
import type { IdempotencyKeys } from "./idempotency-keys.ts";

type Published = Position | "repeated" | undefined;

export class Publisher {
  readonly #context: HubContext;
  readonly #keys: IdempotencyKeys;
  readonly #timer: DeliveryTimer;

  constructor(context: HubContext, keys: IdempotencyKeys, timer: DeliveryTimer) {
    this.#context = context;
    this.#keys = keys;
    this.#timer = timer;
  }

  /** Resolves when the engine has it. With a key it publishes once. */
  publish(app: App, publication: EventPublication, key?: string, ttlMs?: number): Awaitable<Position | undefined> {
    if (key === undefined) return this.#publish(app, publication) as Awaitable<Position | undefined>;
    return this.#keys.publish(publication, key, (once) => this.#publish(app, publication, once), ttlMs);
  }

  /** `repeated` where the engine has had one under that key. */
  #publish(app: App, publication: EventPublication, once?: IdempotencyKey): Awaitable<Published> {
    const { broker, channels, clock, guards, tenants, traffic } = this.#context;
    return andThen(applyGuards(guards, publication, 0), (passed): Awaitable<Published> => {
      const sinceMs = clock.monotonicMs();
      const known = tenants.knownChannel(app, passed.channel);
      const keep = passed.ephemeral ? undefined : channels.historyFor(app, known, passed);
      const timed = this.#timer.start(passed, sinceMs);
      const published: Awaitable<Published> = once
        ? broker.publishOnce({ ...timed, key: once.key }, once, keep)
        : broker.publish(timed, keep);
      return andThen(published, (result) => {
        if (result === "repeated") return result;
        traffic?.published(clock.monotonicMs() - sinceMs);
        this.#context.observe({ type: "published", app, publication: passed });
        return result;
      });
    });
  }
}

function applyGuards(
  guards: readonly Guard[],
  publication: EventPublication,
  from: number,
): Awaitable<EventPublication> {
  const guard = guards[from];
  if (!guard) return publication;
  if (!guard.publication) return applyGuards(guards, publication, from + 1);
  return andThen(guard.publication(publication), (verdict) => applyGuards(guards, verdict ?? publication, from + 1));
}
