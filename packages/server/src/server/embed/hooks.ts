/** The program's hooks: listeners that are called as the hub's guard, observer and authority. */

import { isInternal, matches } from "../../domain/channel.ts";
import type { Connection } from "../../domain/connection.ts";
import { CommandError } from "../../domain/error.ts";
import type { HubEvent } from "../../domain/hub-event.ts";
import type { EventPublication } from "../../domain/message.ts";
import { payloadValue } from "../../domain/payload.ts";
import type { Awaitable, Guard } from "../../domain/ports.ts";
import { andThen } from "../../hub/awaitable.ts";
import type { Grant, Permission } from "../../hub/grants.ts";
import { nativePromise } from "../system/promises.ts";
import type { ChannelHook, HookAliases, HookName, HookTypes, Message, NewMember, WorkerInfo } from "./types.ts";

interface Listener<Name extends HookName> {
  readonly run: HookTypes[Name];
  /** A channel's name, or a pattern; undefined for all. */
  readonly channel: string | undefined;
}

export interface HookHost {
  /** Reports an error to the log and to the program's error hooks. */
  failed(error: unknown, during: string): void;
  /** Undefined while the server is stopped, too. */
  connection(app: string, id: string): Connection | undefined;
}

const ALIASES: HookAliases = {
  "connection.open": "open",
  "connection.close": "close",
  "connection.error": "error",
  "message.received": "message",
};

/** Which hooks there are, and whether each is about a channel. */
const NAMES: Readonly<Record<HookName, boolean>> = {
  open: false,
  close: false,
  subscribed: true,
  unsubscribed: true,
  message: true,
  authorize: true,
  watch: true,
  error: false,
  workerStart: false,
  workerStop: false,
} satisfies Record<ChannelHook, true> & Record<Exclude<HookName, ChannelHook>, false>;

/** An error of an `error` listener is logged and goes no further, or the listener would be called with its own. */
const IN_ERROR_HOOK = "the hook error";

export class Hooks {
  readonly #host: HookHost;
  /** Lists are replaced, never changed: a listener may take itself off while they are walked through. */
  readonly #listeners: { [Name in HookName]?: readonly Listener<Name>[] } = {};

  constructor(host: HookHost) {
    this.#host = host;
  }

  /** Returns what takes the listener off again. */
  on<Name extends HookName>(name: Name | keyof HookAliases, run: HookTypes[Name], channel?: string): () => void {
    const hook = hookOf(name) as Name;
    if (channel !== undefined && !NAMES[hook]) throw new TypeError(`The hook ${hook} is not about a channel.`);
    const listener: Listener<Name> = { run, channel };
    this.#put(hook, [...this.#all(hook), listener]);
    return () => this.#put(hook, [...this.#all(hook).filter((one) => one !== listener)]);
  }

  /** Every client's publication is heard before it is done. */
  readonly guard: Guard = {
    publication: (publication: EventPublication): Awaitable<undefined> => {
      const { app, channel, event, data, from } = publication;
      if (from === undefined || !this.hasListener("message", channel)) return undefined;
      const connection = this.#host.connection(app, from.connection);
      if (!connection) return undefined;
      return andThen(this.runMessageHooks(connection, { event, data: payloadValue(data), channel }), () => undefined);
    },
  };

  /** One listener after the other; the first that throws or answers `false` refuses the message. */
  runMessageHooks(connection: Connection, message: Message): Awaitable<void> {
    return this.#hear(connection, message, this.#all("message"), 0);
  }

  #hear(
    connection: Connection,
    message: Message,
    listeners: readonly Listener<"message">[],
    from: number,
  ): Awaitable<void> {
    for (const [at, { run, channel }] of listeners.entries()) {
      if (at < from || !isFor(channel, message.channel)) continue;
      const heard = nativePromise(run(connection, message));
      if (heard instanceof Promise) {
        return heard.then((answer) => {
          checkAnswer(answer);
          return this.#hear(connection, message, listeners, at + 1);
        });
      }
      checkAnswer(heard);
    }
  }

  /** Whether any listener is for the channel; undefined is what belongs to none. */
  hasListener(name: HookName, channel: string | undefined): boolean {
    const listeners = this.#all(name);
    return listeners.length > 0 && listeners.some((one) => isFor(one.channel, channel));
  }

  /** The first listener for the channel decides. Undefined where there is none. */
  authorize(connection: Connection, channel: string): Awaitable<boolean | Permission | undefined> {
    const listener = this.#all("authorize").find((one) => isFor(one.channel, channel));
    return andThen(nativePromise(listener?.run(connection, channel)), permissionOf);
  }

  /** The same of who watches a presence channel. */
  authorizeWatching(connection: Connection, channel: string): Awaitable<boolean | undefined> {
    const listener = this.#all("watch").find((one) => isFor(one.channel, channel));
    return nativePromise(listener?.run(connection, channel)) as Awaitable<boolean | undefined>;
  }

  /** Events, after they happened. */
  observe(event: HubEvent): void {
    switch (event.type) {
      case "opened":
        // Without a listener no list of arguments is made.
        if (this.#listeners.open === undefined) return;
        return this.#emit("open", undefined, event.connection);
      case "closed":
        if (this.#listeners.close === undefined) return;
        return this.#emit("close", undefined, event.connection, {
          code: event.code,
          ...(event.why && { why: event.why.code }),
        });
      case "subscribed":
      case "unsubscribed":
        if (this.#listeners[event.type] === undefined) return;
        if (!isInternal(event.channel)) this.#emit(event.type, event.channel, event.connection, event.channel);
        return;
      case "failed":
        if (event.during !== IN_ERROR_HOOK) this.#emit("error", undefined, event.error, event.during);
        return;
      case "occupied":
      case "vacated":
      case "joined":
      case "left":
      case "published":
      case "counted":
      case "missed":
      case "refused":
      case "api-refused":
      case "rejected":
        return;
    }
  }

  started(worker: WorkerInfo): void {
    this.#emit("workerStart", undefined, worker);
  }

  stopping(worker: WorkerInfo): void {
    this.#emit("workerStop", undefined, worker);
  }

  // ---- private

  #all<Name extends HookName>(name: Name): readonly Listener<Name>[] {
    return this.#listeners[name] ?? NO_LISTENERS;
  }

  #put<Name extends HookName>(name: Name, listeners: readonly Listener<Name>[]): void {
    Object.assign(this.#listeners, { [name]: listeners });
  }

  #emit<Name extends HookName>(name: Name, channel: string | undefined, ...args: Parameters<HookTypes[Name]>): void {
    for (const { run, channel: only } of this.#all(name)) {
      if (isFor(only, channel)) void this.#run(name, run as (...args: unknown[]) => unknown, args);
    }
  }

  /** A little later: what the server has to say about it, such as the welcome, goes first. */
  async #run(name: HookName, run: (...args: unknown[]) => unknown, args: readonly unknown[]): Promise<void> {
    await undefined;
    try {
      await run(...args);
    } catch (error) {
      this.#host.failed(error, `the hook ${name}`);
    }
  }
}

const NO_LISTENERS: readonly never[] = [];

/** Only `true` and what has a permission's form are believed, whatever else a program may return. */
function permissionOf(returned: unknown): boolean | Permission {
  if (typeof returned !== "object" || returned === null) return returned === true;
  const { id, expiresAtMs, publish, ...info } = returned as Partial<NewMember> & Grant;
  const grant: Permission = {
    ...(typeof expiresAtMs === "number" && { expiresAtMs }),
    ...(typeof publish === "boolean" && { publish }),
  };
  if (typeof id === "string" || typeof id === "number") {
    return { ...grant, member: { info: undefined, ...info, id: String(id) } };
  }
  return "id" in returned || Object.keys(grant).length === 0 ? false : grant;
}

function checkAnswer(answer: unknown): void {
  if (answer === false) throw new CommandError("publish_forbidden", "The server's program refused this message.");
}

function hookOf(name: string): HookName {
  const hook = Object.hasOwn(ALIASES, name) ? ALIASES[name as keyof HookAliases] : name;
  if (Object.hasOwn(NAMES, hook)) return hook as HookName;
  throw new TypeError(`There is no hook ${JSON.stringify(name)}: there are ${Object.keys(NAMES).join(", ")}.`);
}

function isFor(only: string | undefined, channel: string | undefined): boolean {
  return only === undefined || (channel !== undefined && matches(only, channel));
}
