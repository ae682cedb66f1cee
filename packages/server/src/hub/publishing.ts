/** An event on its way to the broker: past the guards, with what its channel keeps. */

import type { App } from "../domain/app.ts";
import type { Channel } from "../domain/channel.ts";
import type { HubEvent } from "../domain/hub-event.ts";
import type { EventPublication, Position } from "../domain/message.ts";
import type { Awaitable, Broker, Clock, Guard, IdempotencyKey } from "../domain/ports.ts";
import type { TrafficMeter } from "../domain/traffic.ts";
import { andThen } from "./awaitable.ts";
import type { Channels } from "./channels.ts";
import type { DeliveryTimer } from "./delivery-timer.ts";
import { historyFor } from "./history.ts";

interface Host {
  readonly broker: Broker;
  readonly channels: Channels;
  readonly clock: Clock;
  readonly stopwatch: DeliveryTimer;
  readonly guards: readonly Guard[];
  readonly traffic: TrafficMeter | undefined;
  /** The channel as this node knows it. */
  channel(app: App, name: string): Channel | undefined;
  observe(event: HubEvent): void;
}

type Sent = Position | "repeated" | undefined;

/** Resolves when the engine has it. */
export function publishEvent(host: Host, app: App, publication: EventPublication): Awaitable<Position | undefined>;
/** The same; `repeated` where the engine has had one under that key. */
export function publishEvent(
  host: Host,
  app: App,
  publication: EventPublication,
  once: IdempotencyKey,
): Awaitable<Sent>;
export function publishEvent(
  host: Host,
  app: App,
  publication: EventPublication,
  once?: IdempotencyKey,
): Awaitable<Sent> {
  const { broker, stopwatch, clock } = host;
  return andThen(guarded(host.guards, publication, 0), (passed): Awaitable<Sent> => {
    const sinceMs = clock.monotonicMs();
    const keep = historyFor(host.channels, app, host.channel(app, passed.channel), passed);
    const timed = stopwatch.start(passed, sinceMs);
    const sent: Awaitable<Sent> = once
      ? broker.publishOnce({ ...timed, key: once.key }, once, keep)
      : broker.publish(timed, keep);
    return andThen(sent, (done) => {
      if (done === "repeated") return done;
      host.traffic?.published(clock.monotonicMs() - sinceMs);
      host.observe({ type: "published", app, publication: passed });
      return done;
    });
  });
}

function guarded(guards: readonly Guard[], publication: EventPublication, from: number): Awaitable<EventPublication> {
  const guard = guards[from];
  if (!guard) return publication;
  if (!guard.publication) return guarded(guards, publication, from + 1);
  return andThen(guard.publication(publication), (verdict) => guarded(guards, verdict ?? publication, from + 1));
}
