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

/** Resolves when the engine has it; without a position where another was published under the same key. */
export function send(
  host: Host,
  app: App,
  publication: EventPublication,
  once?: Once,
): Awaitable<Position | undefined> {
  return after(guarded(host.guards, publication, 0), (passed) => {
    const sinceMs = host.clock.monotonicMs();
    const keep = historyFor(host.channels, app, host.channel(app, passed.channel), passed);
    const timed = host.stopwatch.start(passed, sinceMs);
    const { broker } = host;
    return after(once ? broker.publishOnce(timed, once, keep) : broker.publish(timed, keep), (position) => {
      if (position === "repeated") return undefined;
      host.traffic?.published(host.clock.monotonicMs() - sinceMs);
      host.observe({ type: "published", app, publication: passed });
      return position;
    });
  });
}

function guarded(guards: readonly Guard[], publication: EventPublication, from: number): Awaitable<EventPublication> {
  const guard = guards[from];
  if (!guard) return publication;
  if (!guard.publication) return guarded(guards, publication, from + 1);
  return after(guard.publication(publication), (verdict) => guarded(guards, verdict ?? publication, from + 1));
}
