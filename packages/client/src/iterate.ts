/** A channel's events as a loop. */

import type { Declaration, EventName } from "@fanfare/schema";
import { FanfareError } from "./errors.ts";
import { guarded } from "./listeners.ts";
import type { Channel, ChannelEvent, ChannelOptions, ListenerOptions } from "./types.ts";

export interface IterateOptions extends ListenerOptions, ChannelOptions {
  /** How many events may wait for the loop. Default 1 000; beyond, it ends with `buffer_full`. */
  readonly buffer?: number;
}

/**
 * `for await (const { data } of iterate(channel, "message"))`: all events of that name. Begins at once, so that nothing is missed before
 * the loop does.
 */
export function iterate<D extends Declaration, N extends string, E extends EventName<D, N>>(
  channel: Channel<D, N>,
  name: E,
  options: IterateOptions = {},
): AsyncIterableIterator<ChannelEvent<D, N, E>> {
  return iterateAny(channel as unknown as Channel, name, options) as AsyncIterableIterator<ChannelEvent<D, N, E>>;
}

function iterateAny(
  channel: Channel,
  name: string,
  { buffer = 1_000, signal, ...options }: IterateOptions,
): AsyncIterableIterator<ChannelEvent> {
  type Result = IteratorResult<ChannelEvent>;
  const DONE: Result = { done: true, value: undefined };
  const events: ChannelEvent[] = [];
  const readers: { resolve(result: Result): void; reject(error: unknown): void }[] = [];
  let failure: FanfareError | undefined;
  let isOver = false;
  const end = () => {
    isOver = true;
    stop();
    for (const { resolve } of readers.splice(0)) resolve(DONE);
  };
  const deliver = (event: ChannelEvent) => {
    if (event.event !== name || isOver) return;
    const reader = readers.shift();
    if (reader) return reader.resolve({ done: false, value: event });
    events.push(event);
    if (events.length <= buffer) return;
    failure = new FanfareError("buffer_full", `More than ${buffer} events wait to be read.`, { channel: channel.name });
    guarded(end);
  };
  const stop = channel.onAny(deliver, options);
  if (signal?.aborted) end();
  else signal?.addEventListener("abort", end, { once: true });
  return {
    next: () =>
      new Promise((resolve, reject) => {
        const event = events.shift();
        if (event) return resolve({ done: false, value: event });
        if (failure) {
          reject(failure);
          failure = undefined;
        } else if (isOver) resolve(DONE);
        else readers.push({ resolve, reject });
      }),
    return: async () => {
      events.length = 0;
      failure = undefined;
      signal?.removeEventListener("abort", end);
      end();
      return DONE;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
