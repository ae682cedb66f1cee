/** What a program pushes to: a channel, a user, a connection. */

import type { App } from "../../domain/app.ts";
import { CommandError } from "../../domain/error.ts";
import type { EventPublication, NoticePush } from "../../domain/message.ts";
import { payloadOf } from "../../domain/payload.ts";
import type { Awaitable } from "../../domain/ports.ts";
import type { ConnectionAction } from "../../hub/cluster-connections.ts";
import type { Hub } from "../../hub/hub.ts";
import { checkChannelName, checkEventData, checkEventName } from "../../hub/limits.ts";
import type { Reached } from "../../hub/steering.ts";
import {
  kick,
  type PutConnectionOptions,
  put,
  type ReconnectOptions,
  reconnect,
  type Steered,
  type SteerOptions,
  takeOut,
} from "./acts.ts";

/** The event's name where a pushed value brings none. */
const DEFAULT_EVENT = "message";
const NOBODY: readonly string[] = [];

/** A channel or a user of one app, to push `P` to. Immutable: `except` returns another. */
export class Target<P = unknown> {
  readonly #hub: Hub;
  readonly #app: App;
  readonly #channel: string;
  readonly #except: readonly string[];

  constructor(hub: Hub, app: App, channel: string, except: readonly string[] = NOBODY) {
    this.#hub = hub;
    this.#app = app;
    this.#channel = channel;
    this.#except = except;
  }

  /** Leaves out these connections, by id. */
  except(ids: string | readonly string[]): Target<P> {
    return new Target(this.#hub, this.#app, this.#channel, [
      ...this.#except,
      ...(typeof ids === "string" ? [ids] : ids),
    ]);
  }

  /**
   * Pushes `{ event, data }`; or any other object, which native clients get as it is, and Pusher clients as the data of
   * its `event`, or of `message`; or a bare value, as the data of `message`. Resolves when the engine has it.
   * Throws CommandError: `channel_invalid`, `user_invalid`, `event_invalid`, `event_reserved`, `data_invalid` where JSON has
   * no word for it, `data_too_large`, `engine_unavailable`.
   */
  push(payload: P): Promise<void> {
    try {
      const published = this.#publish(parsePayload(payload));
      return published instanceof Promise ? published.then(toNothing) : DONE;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #publish({ event, data, bare }: PushContent): Awaitable<unknown> {
    const app = this.#app;
    const channel = this.#channel;
    const except = this.#except;
    checkChannelName(app, channel);
    checkEventName(app, event);
    checkEventData(app, data);
    const plain: EventPublication = { type: "event", app: app.id, channel, event, data };
    const isMore = bare || except.length > 0;
    return this.#hub.publish(app, isMore ? { ...plain, ...(bare && { bare }), except } : plain);
  }
}

/** The same for every push that is done at once. */
const DONE = Promise.resolve();
const toNothing = () => {};

/** One connection of an app, wherever in the cluster it is. */
export class ConnectionTarget<P = unknown> {
  readonly #hub: Hub;
  readonly #app: App;
  readonly #id: string;

  constructor(hub: Hub, app: App, id: string) {
    this.#hub = hub;
    this.#app = app;
    this.#id = id;
  }

  /**
   * Pushes to it, in no channel. Whether it is there. Throws CommandError as `Target.push` does; `engine_unavailable` also
   * where its node does not answer within `publishWaitS`, and then it is unknown whether it was pushed.
   */
  async push(payload: P): Promise<boolean> {
    return this.#act({ type: "push", notice: noticeOf(this.#hub, this.#app, payload) });
  }

  /** Ends it, for good: its client does not come back by itself. Whether it was there. Throws CommandError `engine_unavailable`. */
  disconnect(message = DISCONNECTED_BY_PROGRAM): Promise<boolean> {
    return this.#act({ type: "disconnect", message });
  }

  /** Puts it into the channel. Throws CommandError `channel_invalid`, `user_invalid`, `data_too_large`, `engine_unavailable`, as the following. */
  subscribe(channel: string, options: PutConnectionOptions = {}): Promise<Reached> {
    return put(this.#steered, { connection: this.#id }, channel, options);
  }

  /** Takes it out of the channel. */
  unsubscribe(channel: string, options: SteerOptions = {}): Promise<Reached> {
    return takeOut(this.#steered, { connection: this.#id }, channel, options);
  }

  /** The same, as a kick. */
  kick(channel: string, options: SteerOptions = {}): Promise<Reached> {
    return kick(this.#steered, { connection: this.#id }, channel, options);
  }

  /** Has its client connect again: what it may it still may. */
  reconnect(options: ReconnectOptions = {}): Promise<Reached> {
    return reconnect(this.#steered, { connection: this.#id }, options);
  }

  get #steered(): Steered {
    return { hub: this.#hub, app: this.#app };
  }

  /** Throws CommandError `engine_unavailable`. */
  isEstablished(): Promise<boolean> {
    return this.#act({ type: "find" });
  }

  #act(act: ConnectionAction): Promise<boolean> {
    return this.#hub.clusterConnections.act(this.#app, this.#id, act);
  }
}

/** Why a connection ends, where a program ends it and says no more. */
export const DISCONNECTED_BY_PROGRAM = "The server's program ended this connection.";

/** What is pushed in no channel. Throws CommandError as `Target.push` does. */
export function noticeOf(hub: Hub, app: App, payload: unknown): NoticePush {
  const content = parsePayload(payload);
  checkEventName(app, content.event);
  checkEventData(app, content.data);
  hub.checkReserved(content.event, false);
  return { type: "notice", ...content };
}

export type PushContent = Pick<EventPublication, "event" | "data" | "bare">;

/** Throws CommandError `data_invalid`. */
function parsePayload(payload: unknown): PushContent {
  let content: PushContent;
  try {
    content = spell(hasToJson(payload) ? payload.toJSON() : payload);
  } catch (cause) {
    throw new CommandError("data_invalid", `The payload cannot be written as JSON: ${String(cause)}.`);
  }
  // What JSON.stringify makes of a function or a symbol.
  if (typeof content.data === "string") return content;
  throw new CommandError("data_invalid", "The payload cannot be written as JSON.");
}

function hasToJson(value: unknown): value is { toJSON(): unknown } {
  return typeof value === "object" && value !== null && "toJSON" in value && typeof value.toJSON === "function";
}

function spell(payload: unknown): PushContent {
  if (typeof payload !== "object" || payload === null || Array.isArray(payload)) {
    return { event: DEFAULT_EVENT, data: payloadOf(payload) };
  }
  if (isEvent(payload)) return { event: payload.event ?? DEFAULT_EVENT, data: payloadOf(payload.data) };
  // The channel it goes to is added on delivery; one that it brings along would say something else.
  const { channel: _, ...whole } = payload as Record<string, unknown>;
  const event = typeof whole.event === "string" ? whole.event : DEFAULT_EVENT;
  return { event, data: JSON.stringify(whole), bare: true };
}

/** Whether it says what event it is and with what data, and no more, its channel aside. */
function isEvent(payload: object): payload is { readonly event: string | undefined; readonly data?: unknown } {
  let names = 0;
  for (const key of Object.keys(payload)) {
    if (key === "event") names++;
    else if (key !== "data" && key !== "channel") return false;
  }
  const { event } = payload as { readonly event?: unknown };
  return names === 1 && (event === undefined || typeof event === "string");
}
