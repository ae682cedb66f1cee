/** A program's own subscription to a channel: its listener is called with one event after the other, however long each takes. */

import type { AnyDeclaration, EventData, EventName } from "@fanfare/schema";
import type { App } from "../../domain/app.ts";
import type { EventPublication, Position, Rewind, Sender } from "../../domain/message.ts";
import { payloadValue } from "../../domain/payload.ts";
import type { Hub } from "../../hub/hub.ts";
import { bytesOf, checkChannelName } from "../../hub/limits.ts";
import type { Known } from "./types.ts";

/** An event of a channel as the program receives it: whoever published it, the program itself included. */
export type ChannelEvent<D = AnyDeclaration, N extends string = string> = {
  [E in EventName<D, N>]: OneEvent<D, N, E>;
}[EventName<D, N>];

interface OneEvent<D, N extends string, E extends string> {
  readonly event: E;
  /** The value that was published; a whole object where that was pushed as it is. What back ends publish is not checked. */
  readonly data: Known<EventData<D, N, E>>;
  readonly channel: N;
  /** In a channel with history. */
  readonly position?: Position;
  /** The client that published it; absent when a back end or a program did. */
  readonly from?: Sender;
}

/** What it throws, or rejects with, is logged and passed to the `error` hook, and the next event comes all the same. */
export type ChannelListener<D = AnyDeclaration, N extends string = string> = (event: ChannelEvent<D, N>) => unknown;

export interface SubscribeOptions {
  /** In a channel with history: first what came after that position, or a gap where something of it is lost. */
  readonly since?: Position;
  /** In a channel with history: first so many of its last events, or those of so many seconds, at most 1000; with `since`, where that is lost. */
  readonly rewind?: { readonly count: number } | { readonly seconds: number };
  /** Called, in the order of the events, where something may be lost between the event before and the next. */
  readonly onGap?: () => unknown;
}

/** What `subscribe` takes. */
export type Subscribing<D, N extends string> = [
  channel: N,
  listener: ChannelListener<D, N>,
  options?: SubscribeOptions,
];

export interface ChannelSubscription {
  readonly channel: string;
  /** Where the channel stood when the subscription began, in a channel with history: everything later is received. */
  readonly position?: Position;
  /** How many events `rewind` brings, and whether that is all it asked for; only where it was that. */
  readonly rewound?: number;
  readonly complete?: boolean;
  /** The listener is not called any more. Idempotent. */
  unsubscribe(): void;
}

/** Throws CommandError `channel_invalid`, `engine_unavailable`, RangeError. */
export async function subscribeProgram(
  hub: Hub,
  app: App,
  channel: string,
  listener: (event: never) => unknown,
  { since, rewind, onGap }: SubscribeOptions = {},
): Promise<ChannelSubscription> {
  checkChannelName(app, channel);
  const inbox = new Inbox(hub, channel, listener, onGap);
  const wanted = { ...(since && { resume: since }), ...(rewind && { rewind: rewindOf(rewind) }) };
  const { position, end, ...rewound } = await hub.channelReaders.add(app, channel, inbox, wanted);
  const unsubscribe = () => {
    inbox.close();
    end();
  };
  return { channel, ...(position && { position }), ...rewound, unsubscribe };
}

function rewindOf(rewind: NonNullable<SubscribeOptions["rewind"]>): Rewind {
  if ("count" in rewind && Number.isSafeInteger(rewind.count) && rewind.count > 0) return { count: rewind.count };
  if ("seconds" in rewind && rewind.seconds > 0) return { ms: rewind.seconds * 1000 };
  throw new RangeError("rewind has a count, a whole number from 1 up, or seconds, more than 0.");
}

/** What waits for a listener, up to `limits.outboundBufferBytes`: of a program that is slower than its channel, the rest is left out. */
class Inbox {
  readonly #hub: Hub;
  readonly #channel: string;
  /** Its event is of whatever type the declaration gives it. */
  readonly #listener: (event: never) => unknown;
  readonly #onGap: (() => unknown) | undefined;
  #waiting: (EventPublication | "gap")[] = [];
  #bytes = 0;
  #isRunning = false;

  constructor(hub: Hub, channel: string, listener: (event: never) => unknown, onGap: (() => unknown) | undefined) {
    this.#hub = hub;
    this.#channel = channel;
    this.#listener = listener;
    this.#onGap = onGap;
  }

  event(publication: EventPublication): void {
    this.#bytes += bytesOf(publication);
    this.#waiting.push(publication);
    if (this.#bytes > this.#hub.limits.outboundBufferBytes) this.#leaveOut();
    this.#wake();
  }

  gap(): void {
    if (this.#waiting.at(-1) !== "gap") this.#waiting.push("gap");
    this.#wake();
  }

  close(): void {
    this.#waiting = [];
    this.#bytes = 0;
  }

  #leaveOut(): void {
    const count = this.#waiting.length;
    this.close();
    this.#waiting.push("gap");
    const message = `The listener to ${this.#channel} is slower than the channel: ${count} events are left out.`;
    this.#failed(new Error(message));
  }

  #wake(): void {
    if (!this.#isRunning) void this.#run();
  }

  /** A little later: whoever publishes goes first, and the program's code cannot disturb the delivery to others. */
  async #run(): Promise<void> {
    this.#isRunning = true;
    await undefined;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      try {
        await (next === "gap" ? this.#onGap?.() : this.#listener(this.#taken(next) as never));
      } catch (error) {
        this.#failed(error);
      }
    }
    this.#isRunning = false;
  }

  #taken(publication: EventPublication): ChannelEvent {
    this.#bytes -= bytesOf(publication);
    const { event, data, channel, position, from } = publication;
    return { event, data: payloadValue(data), channel, ...(position && { position }), ...(from && { from }) };
  }

  #failed(error: unknown): void {
    this.#hub.observe({ type: "failed", error, during: `the subscription to ${this.#channel}` });
  }
}
