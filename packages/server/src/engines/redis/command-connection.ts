/** The way to one bucket for commands and scripts: each has a deadline of its own, and fails in one of three ways. */

import type { Clock, EngineHealth } from "../../domain/ports.ts";
import { NoAnswerError, NotSentError } from "../shared/errors.ts";
import { ReconnectingConnection } from "../shared/reconnecting-connection.ts";
import type { CommandClient, Connector } from "./connector.ts";
import { ReplyError, refusalOf } from "./errors.ts";
import type { Script } from "./script.ts";
import { SCRIPTS } from "./scripts.ts";
import type { RedisSettings } from "./settings.ts";

export interface CommandConnectionEvents {
  /** The connection is there, again or for the first time; nothing else goes over it until this has resolved. */
  up(send: RunScript, isAgain: boolean): Promise<void>;
  /** Why the bucket cannot be used, where it cannot. */
  why(): string | undefined;
}

/** Those of a script, which may depend on which life of the server it is. */
type Args = readonly string[] | ((run: string) => readonly string[]);

export type RunScript = (script: Script, args: readonly string[]) => Promise<unknown>;

/** Of the time that an answer may take, how much longer one waits for a connection first. */
const CONNECT_WAIT_SHARE = 0.25;
/** How often an overdue answer is looked for. */
const WATCH_MS = 100;
/** Where Redis refused something, how often it is asked whether it still does. */
const PROBE_EVERY_MS = 500;
/** How long a command that the user may not give counts. */
const FORBIDDEN_FOR_MS = 5_000;

interface Refusal {
  readonly why: string;
  readonly word: string;
  readonly sinceMs: number;
  lastAtMs: number;
  probedAtMs: number;
}

export class CommandConnection {
  readonly #clock: Clock;
  readonly #settings: RedisSettings;
  readonly #root: string;
  readonly #link: ReconnectingConnection<CommandClient>;
  /** When each command that has no answer was sent; the oldest first. */
  readonly #outstanding = new Map<number, number>();
  /** The latest connection, for use by others or not yet. */
  #latest: CommandClient | undefined;
  #next = 0;
  readonly #why: CommandConnectionEvents["why"];
  #refusal: Refusal | undefined;
  #watching: ReturnType<typeof setInterval> | undefined;

  constructor(
    bucket: number,
    root: string,
    dialer: Connector,
    settings: RedisSettings,
    clock: Clock,
    events: CommandConnectionEvents,
  ) {
    this.#clock = clock;
    this.#settings = settings;
    this.#root = root;
    this.#why = () => events.why();
    this.#link = new ReconnectingConnection<CommandClient>({
      clock,
      backoff: { minMs: settings.reconnectMinMs, maxMs: settings.reconnectMaxMs },
      open: (ended) => dialer.openCommands(bucket, { ended }),
      prepare: async (wire, isAgain) => {
        this.#latest = wire;
        await Promise.all(SCRIPTS.map(({ text }) => this.#on(wire, "SCRIPT", ["LOAD", text])));
        await events.up((script, args) => this.#runOn(wire, script, args), isAgain);
      },
      down: () => {
        this.#latest = undefined;
      },
    });
  }

  async start(): Promise<void> {
    this.#watching = setInterval(() => this.#watch(), WATCH_MS);
    this.#watching.unref?.();
    await this.#link.start();
  }

  get health(): EngineHealth {
    if (this.#refusal) {
      const { why, word, sinceMs } = this.#refusal;
      return { reachable: false, why, sinceMs: Math.round(this.#clock.monotonicMs() - sinceMs), refusal: word };
    }
    const { health } = this.#link;
    const refusal = health.reachable ? undefined : refusalOf(health.why);
    return refusal && !health.reachable ? { ...health, refusal: refusal.word } : health;
  }

  /** The server it goes to, where there is one. */
  get address(): string | undefined {
    return this.#link.current?.address;
  }

  /** Whether anybody waits for an answer. */
  get isBusy(): boolean {
    return this.#outstanding.size > 0;
  }

  get isUp(): boolean {
    return this.#link.current !== undefined;
  }

  /**
   * Waits a little for the connection where there is none. Rejects with Unsent, Unanswered or Refused.
   */
  async eval(script: Script, args: Args): Promise<unknown> {
    try {
      return await this.evalOrdered(script, args);
    } catch (error) {
      if (!isFlushed(error)) throw error;
      return await this.evalOrdered(script, args);
    }
  }

  /** The same, for what must not be overtaken by anything sent later: is not sent again where somebody has flushed the scripts. */
  async evalOrdered(script: Script, args: Args): Promise<unknown> {
    const wire = this.#link.current ?? (await this.#up());
    return await this.#runOn(wire, script, typeof args === "function" ? args(wire.runId) : args);
  }

  async command(command: string, args: readonly string[]): Promise<unknown> {
    const wire = this.#link.current ?? (await this.#up());
    return await this.#on(wire, command, args);
  }

  /** The same for what changes nothing, and so does not wait until the connection is for use. */
  async sendHeartbeat(command: string, args: readonly string[]): Promise<unknown> {
    return await this.#on(this.#latest ?? (await this.#up()), command, args);
  }

  /** What is on the way is given up, and the connection made anew. */
  drop(why: string): void {
    this.#link.dropCurrent(why);
  }

  close(): void {
    clearInterval(this.#watching);
    this.#link.close();
  }

  async #up(): Promise<CommandClient> {
    try {
      return await this.#link.waitUntilUp(this.#settings.commandTimeoutMs * CONNECT_WAIT_SHARE);
    } catch (error) {
      throw new NotSentError(this.#why() ?? String(error));
    }
  }

  async #runOn(wire: CommandClient, script: Script, args: readonly string[]): Promise<unknown> {
    try {
      return await this.#on(wire, "EVALSHA", [script.sha, "1", this.#root, ...args]);
    } catch (error) {
      if (isFlushed(error)) await this.#on(wire, "SCRIPT", ["LOAD", script.text]);
      throw error;
    }
  }

  async #on(wire: CommandClient, command: string, args: readonly string[]): Promise<unknown> {
    const id = this.#next++;
    this.#outstanding.set(id, this.#clock.monotonicMs());
    try {
      return await wire.send(command, args);
    } catch (error) {
      this.#notice(error);
      if (error instanceof ReplyError && error.isElsewhere) this.#link.drop(wire, error.message);
      if (error instanceof NoAnswerError && this.#refusal) throw new NoAnswerError(this.#refusal.why);
      throw error instanceof Error ? error : new NoAnswerError(String(error));
    } finally {
      this.#outstanding.delete(id);
    }
  }

  #notice(error: unknown): void {
    const refusal = error instanceof ReplyError ? refusalOf(error) : undefined;
    if (!refusal) return;
    const nowMs = this.#clock.monotonicMs();
    const known = this.#refusal;
    if (known?.word === refusal.word) known.lastAtMs = nowMs;
    else this.#refusal = { ...refusal, sinceMs: nowMs, lastAtMs: nowMs, probedAtMs: nowMs };
  }

  /**
   * Whether Redis still refuses: writes something that ends by itself. What a user may not do is another thing with each
   * command, so there nothing but time tells.
   */
  #probe(refusal: Refusal): void {
    const wire = this.#link.current;
    const nowMs = this.#clock.monotonicMs();
    if (refusal.word === "NOPERM") {
      if (nowMs - refusal.lastAtMs >= FORBIDDEN_FOR_MS) this.#refusal = undefined;
      return;
    }
    if (!wire || nowMs - refusal.probedAtMs < PROBE_EVERY_MS) return;
    refusal.probedAtMs = nowMs;
    const isOver = () => {
      if (this.#refusal === refusal) this.#refusal = undefined;
    };
    this.#on(wire, "SET", [`${this.#root}probe`, "", "PX", "1"]).then(isOver, () => {});
  }

  #watch(): void {
    if (this.#refusal) this.#probe(this.#refusal);
    const [oldest] = this.#outstanding.values();
    if (oldest === undefined) return;
    const overdueMs = this.#clock.monotonicMs() - oldest;
    if (overdueMs < this.#settings.commandTimeoutMs) return;
    this.#link.dropCurrent(`no answer to a command within ${this.#settings.commandTimeoutMs} ms`);
  }
}

function isFlushed(error: unknown): boolean {
  return error instanceof ReplyError && error.code === "NOSCRIPT";
}
