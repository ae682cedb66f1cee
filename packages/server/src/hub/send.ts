/** An event on its way to the broker: past the guards, with what its channel keeps. */

import type { App } from "../domain/app.ts";
import type { Channel } from "../domain/channel.ts";
import type { HubEvent } from "../domain/event.ts";
import type { EventPublication, Position } from "../domain/message.ts";
import type { Awaitable, Broker, Clock, Guard, Once } from "../domain/ports.ts";
import type { Traffic } from "../domain/traffic.ts";
import { after } from "./after.ts";
import type { Channels } from "./channels.ts";
import { historyFor } from "./history.ts";
import type { Stopwatch } from "./stopwatch.ts";

interface Host {
  readonly broker: Broker;
  readonly channels: Channels;
  readonly clock: Clock;
  readonly stopwatch: Stopwatch;
  readonly guards: readonly Guard[];
  readonly traffic: Traffic | undefined;
  /** The channel as this node knows it. */
  channel(app: App, name: string): Channel | undefined;
  observe(event: HubEvent): void;
}

type Sent = Position | "repeated" | undefined;

/** Resolves when the engine has it. */
export function send(host: Host, app: App, publication: EventPublication): Awaitable<Position | undefined>;
/** The same; `repeated` where the engine has had one under that key. */
export function send(host: Host, app: App, publication: EventPublication, once: Once): Awaitable<Sent>;
export function send(host: Host, app: App, publication: EventPublication, once?: Once): Awaitable<Sent> {
  const { broker, stopwatch, clock } = host;
  return after(guarded(host.guards, publication, 0), (passed): Awaitable<Sent> => {
    const sinceMs = clock.monotonicMs();
    const keep = historyFor(host.channels, app, host.channel(app, passed.channel), passed);
    const timed = stopwatch.start(passed, sinceMs);
    const sent: Awaitable<Sent> = once
      ? broker.publishOnce({ ...timed, key: once.key }, once, keep)
      : broker.publish(timed, keep);
    return after(sent, (done) => {
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
  return after(guard.publication(publication), (verdict) => guarded(guards, verdict ?? publication, from + 1));
}
