/** The connection to one shard for commands and scripts: each has a deadline of its own, and fails in one of three ways. */

import type { Clock, EngineHealth } from "../../domain/ports.ts";
import { NoAnswerError, NotSentError } from "../shared/pending.ts";
import { ReconnectingConnection } from "../shared/reconnecting-connection.ts";
import type { CommandClient } from "./command-client.ts";
import type { Connector } from "./connector.ts";
import { healthOf, ReplyError, refusalOf } from "./errors.ts";
import { ScriptBatches } from "./script-batches.ts";
import { SCRIPTS } from "./scripts/index.ts";
import type { Script } from "./scripts/script.ts";
import type { RedisSettings } from "./settings.ts";

export type ScriptArgs<Arg extends string> = Readonly<Record<Arg, string>>;

/** Or made when they are sent, where they depend on which run of the server it is. */
type ScriptArgsOf<Arg extends string> = ScriptArgs<Arg> | ((runId: string) => ScriptArgs<Arg>);

export type RunScript = <Arg extends string>(script: Script<Arg>, args: ScriptArgs<Arg>) => Promise<unknown>;

export interface CommandConnectionOptions {
  readonly connector: Connector;
  readonly settings: RedisSettings;
  readonly clock: Clock;
  readonly shard: number;
  /** Begins every key of the shard. */
  readonly root: string;
  /** The connection is there, again or for the first time; nothing else goes over it until this has resolved. */
  prepare(run: RunScript, isAgain: boolean): Promise<void>;
  /** Why the shard cannot be used, where it cannot. */
  why(): string | undefined;
}

/** Of the time that an answer may take, how much longer a caller waits for a connection first. */
const CONNECT_WAIT_SHARE = 0.25;
/** How often an overdue answer is looked for. */
const WATCH_MS = 100;
/** Where Redis refused something, how often it is asked whether it still does. */
const PROBE_EVERY_MS = 500;
/** How long a command that the user may not give counts. */
const FORBIDDEN_FOR_MS = 5_000;

interface Refusal {
  readonly why: string;
  readonly code: string;
  readonly sinceMs: number;
  lastAtMs: number;
  probedAtMs: number;
}

export class CommandConnection {
  readonly #options: CommandConnectionOptions;
  readonly #connection: ReconnectingConnection<CommandClient>;
  readonly #batches = new ScriptBatches<CommandClient>((client, script, args) =>
    this.#evaluateBatch(client, script, args),
  );
  /** When each command that has no answer was sent; the oldest first. */
  readonly #outstanding = new Map<number, number>();
  /** The latest client, ready to be used by others or not yet. */
  #latest: CommandClient | undefined;
  #lastId = 0;
  #refusal: Refusal | undefined;
  #watching: ReturnType<typeof setInterval> | undefined;

  constructor(options: CommandConnectionOptions) {
    const { clock, connector, settings, shard } = options;
    this.#options = options;
    this.#connection = new ReconnectingConnection<CommandClient>({
      clock,
      backoff: { minMs: settings.reconnectMinMs, maxMs: settings.reconnectMaxMs },
      open: (ended) => connector.openCommands(shard, ended),
      prepare: async (client, isAgain) => {
        this.#latest = client;
        await Promise.all(SCRIPTS.map(({ text }) => this.#send(client, "SCRIPT", ["LOAD", text])));
        await options.prepare((script, args) => this.#run(client, script, args), isAgain);
      },
      down: () => {
        this.#latest = undefined;
      },
    });
  }

  async start(): Promise<void> {
    this.#watching = setInterval(() => this.#watch(), WATCH_MS);
    this.#watching.unref?.();
    await this.#connection.start();
  }

  get health(): EngineHealth {
    if (!this.#refusal) return healthOf(this.#connection.health);
    const { why, code, sinceMs } = this.#refusal;
    return { reachable: false, why, sinceMs: Math.round(this.#nowMs - sinceMs), refusal: code };
  }

  /** The server it is connected to, where there is one. */
  get address(): string | undefined {
    return this.#connection.current?.address;
  }

  /** Whether a command waits for its answer. */
  get isBusy(): boolean {
    return this.#outstanding.size > 0 || this.#batches.isOpen;
  }

  get isUp(): boolean {
    return this.#connection.current !== undefined;
  }

  /** Waits a little for the connection where there is none. Rejects with NotSentError, NoAnswerError or ReplyError. */
  run<Arg extends string>(script: Script<Arg>, args: ScriptArgsOf<Arg>): Promise<unknown> {
    return this.#whenUp((client) => this.#run(client, script, typeof args === "function" ? args(client.runId) : args));
  }

  command(command: string, args: readonly string[]): Promise<unknown> {
    return this.#whenUp((client) => this.#send(client, command, args));
  }

  /** The same for what changes nothing, and so does not wait until the connection is ready to be used. */
  async sendHeartbeat(command: string, args: readonly string[]): Promise<unknown> {
    return await this.#send(this.#latest ?? (await this.#waitUntilUp()), command, args);
  }

  /** What is on the way is given up, and the connection made anew. */
  drop(why: string): void {
    this.#connection.dropCurrent(why);
  }

  close(): void {
    clearInterval(this.#watching);
    void this.#connection.close();
  }

  get #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }

  /** Where there is a connection, nothing is waited for: each promise between a caller and the answer costs a third of a microsecond. */
  #whenUp(send: (client: CommandClient) => Promise<unknown>): Promise<unknown> {
    const client = this.#connection.current;
    return client ? send(client) : this.#waitUntilUp().then(send);
  }

  async #waitUntilUp(): Promise<CommandClient> {
    try {
      return await this.#connection.waitUntilUp(this.#options.settings.commandTimeoutMs * CONNECT_WAIT_SHARE);
    } catch (error) {
      throw new NotSentError(this.#options.why() ?? String(error));
    }
  }

  #run<Arg extends string>(client: CommandClient, script: Script<Arg>, args: ScriptArgs<Arg>): Promise<unknown> {
    if (script.shared !== undefined) return this.#batches.add(client, script, script.shared, args);
    const values = script.args.map((name) => args[name]);
    return this.#evaluate(client, script, values);
  }

  /** Where Redis has forgotten the script, it has it again before anything else becomes of it. */
  async #evaluate(client: CommandClient, script: Script, args: readonly string[]): Promise<unknown> {
    const sent = [script.sha, "1", this.#options.root, ...args];
    try {
      return await this.#send(client, "EVALSHA", sent);
    } catch (error) {
      if (!isFlushed(error)) throw error;
      await this.#send(client, "SCRIPT", ["LOAD", script.text]);
      if (script.keepsOrder) throw error;
      return await this.#send(client, "EVALSHA", sent);
    }
  }

  async #evaluateBatch(client: CommandClient, script: Script, args: readonly string[]): Promise<readonly unknown[]> {
    const answers = await this.#evaluate(client, script, args);
    if (!Array.isArray(answers)) throw new Error("a script answers with a list");
    return answers.map((answer) => (answer instanceof Error ? this.#errorOf(client, script.sha, answer) : answer));
  }

  async #send(client: CommandClient, command: string, args: readonly string[]): Promise<unknown> {
    this.#batches.flush();
    const id = ++this.#lastId;
    this.#outstanding.set(id, this.#nowMs);
    try {
      return await client.send(command, args);
    } catch (error) {
      throw this.#errorOf(client, command, error);
    } finally {
      this.#outstanding.delete(id);
    }
  }

  /** As callers get it. What it says of the connection is noted. */
  #errorOf(client: CommandClient, command: string, cause: unknown): Error {
    const error = client.errorOf(command, cause);
    this.#noteRefusal(error);
    if (error instanceof ReplyError && error.isElsewhere) this.#connection.drop(client, error.message);
    return error instanceof NoAnswerError && this.#refusal ? new NoAnswerError(this.#refusal.why) : error;
  }

  #noteRefusal(error: unknown): void {
    const refusal = error instanceof ReplyError ? refusalOf(error) : undefined;
    if (!refusal) return;
    const nowMs = this.#nowMs;
    if (this.#refusal?.code === refusal.code) this.#refusal.lastAtMs = nowMs;
    else this.#refusal = { ...refusal, sinceMs: nowMs, lastAtMs: nowMs, probedAtMs: nowMs };
  }

  /**
   * Whether Redis still refuses: writes something that ends by itself. What a user may not do is another thing with each
   * command, so there only time passes.
   */
  #probe(refusal: Refusal): void {
    const client = this.#connection.current;
    const nowMs = this.#nowMs;
    if (refusal.code === "NOPERM") {
      if (nowMs - refusal.lastAtMs >= FORBIDDEN_FOR_MS) this.#refusal = undefined;
      return;
    }
    if (!client || nowMs - refusal.probedAtMs < PROBE_EVERY_MS) return;
    refusal.probedAtMs = nowMs;
    const isOver = () => {
      if (this.#refusal === refusal) this.#refusal = undefined;
    };
    this.#send(client, "SET", [`${this.#options.root}probe`, "", "PX", "1"]).then(isOver, () => {});
  }

  #watch(): void {
    if (this.#refusal) this.#probe(this.#refusal);
    const [oldest] = this.#outstanding.values();
    const { commandTimeoutMs } = this.#options.settings;
    if (oldest === undefined || this.#nowMs - oldest < commandTimeoutMs) return;
    this.#connection.dropCurrent(`no answer to a command within ${commandTimeoutMs} ms`);
  }
}

function isFlushed(error: unknown): boolean {
  return error instanceof ReplyError && error.code === "NOSCRIPT";
}
