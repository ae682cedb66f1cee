/** Keeps one connection to NATS up: opens it, opens another whenever it ends, and knows since when there is none, and why. */

import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from "@nats-io/jetstream";
import {
  type Authenticator,
  connect,
  credsAuthenticator,
  type NatsConnection,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from "@nats-io/transport-node";
import type { Clock, EngineHealth } from "fanfare/engine";
import { credentialsProblem } from "./credentials-file.ts";
import { messageOf, NotConnected } from "./errors.ts";
import type { Credentials, NatsSettings } from "./settings.ts";

export interface NatsSession {
  readonly nats: NatsConnection;
  readonly jetstream: JetStreamClient;
  readonly streams: JetStreamManager["streams"];
}

export interface ConnectionEvents {
  /** It is open: what has to be done on it before anything else uses it. Where that fails, another is opened. */
  prepare(session: NatsSession, isReconnect: boolean): Promise<void>;
  up(): void;
}

/** A connection that only looks alive is found after two of these. */
const PING_INTERVAL_MS = 1_000;
const MAX_PINGS_OUT = 2;

export class ReconnectingConnection {
  readonly #clock: Clock;
  readonly #settings: NatsSettings;
  readonly #events: ConnectionEvents;
  readonly #waiters = new Set<() => void>();
  /** Servers of the cluster that the server named. */
  #discovered: readonly string[] = [];
  #session: NatsSession | undefined;
  #opened: NatsConnection | undefined;
  #wasUp = false;
  #failures = 0;
  #why = "not connected yet";
  #sinceMs: number;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(clock: Clock, settings: NatsSettings, events: ConnectionEvents) {
    this.#clock = clock;
    this.#settings = settings;
    this.#events = events;
    this.#sinceMs = clock.monotonicMs();
  }

  /** Resolves when it is up, or when the first attempt failed. */
  start(): Promise<void> {
    return this.#attempt();
  }

  /** Undefined while it is not up. */
  get session(): NatsSession | undefined {
    return this.#session;
  }

  /** The same; throws NotConnected while it is not up. */
  get current(): NatsSession {
    if (!this.#session) throw new NotConnected(this.#why);
    return this.#session;
  }

  get health(): EngineHealth {
    if (this.#session) return { reachable: true };
    return { reachable: false, why: this.#why, sinceMs: Math.round(this.#clock.monotonicMs() - this.#sinceMs) };
  }

  /** Rejects with NotConnected when it is not up in time. */
  async waitUntilUp(withinMs: number): Promise<void> {
    if (!this.#session && !this.#isClosed && withinMs > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiters.add(resolve);
      const timer = setTimeout(resolve, withinMs);
      await promise;
      clearTimeout(timer);
      this.#waiters.delete(resolve);
    }
    if (!this.#session) throw new NotConnected(this.#why);
  }

  /** Gives the connection up, and opens another. */
  drop(why: string): void {
    const opened = this.#opened;
    if (!opened) return;
    this.#lost(opened, why);
    opened.close().catch(() => {});
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    const opened = this.#opened;
    this.#opened = undefined;
    this.#session = undefined;
    this.#wake();
    await opened?.close().catch(() => {});
  }

  async #attempt(): Promise<void> {
    let nats: NatsConnection | undefined;
    try {
      nats = await connect(this.#options());
      if (this.#isClosed) return void nats.close();
      await this.#prepare(nats);
    } catch (error) {
      if (nats && this.#opened === nats) this.drop(messageOf(error));
      else if (!nats)
        this.#failed(`NATS cannot be reached at ${this.#settings.servers.join(", ")}: ${this.#reason(error)}`);
    }
  }

  /** The server does not say why it refuses a user. */
  #reason(error: unknown): string {
    const { credentials } = this.#settings;
    const problem =
      credentials?.type === "creds" ? credentialsProblem(credentials.creds, this.#clock.wallMs()) : undefined;
    return problem === undefined ? messageOf(error) : `${messageOf(error)}; of the credentials file: ${problem}`;
  }

  async #prepare(nats: NatsConnection): Promise<void> {
    this.#opened = nats;
    this.#watch(nats);
    const timeout = this.#settings.requestTimeoutMs;
    const { streams } = await jetstreamManager(nats, { checkAPI: false, timeout });
    const session = { nats, jetstream: jetstream(nats, { timeout }), streams };
    await this.#events.prepare(session, this.#wasUp);
    if (this.#opened !== nats) return;
    this.#session = session;
    this.#wasUp = true;
    this.#failures = 0;
    this.#discovered = nats.info?.connect_urls ?? [];
    this.#wake();
    this.#events.up();
  }

  #watch(nats: NatsConnection): void {
    nats.closed().then((error) => this.#lost(nats, error ? messageOf(error) : "the connection ended"));
    const watch = async () => {
      for await (const { type } of nats.status()) {
        // In lame duck mode it takes no new clients and will close this one soon: better now than during a request.
        if (type === "ldm" && this.#opened === nats) this.drop("the server is about to stop");
      }
    };
    watch().catch(() => {});
  }

  #lost(nats: NatsConnection, why: string): void {
    if (this.#opened !== nats) return;
    this.#opened = undefined;
    if (this.#session) this.#sinceMs = this.#clock.monotonicMs();
    this.#session = undefined;
    this.#failed(`The connection to NATS was lost: ${why}`);
  }

  #failed(why: string): void {
    if (this.#isClosed) return;
    this.#why = why;
    const { reconnectMinMs, reconnectMaxMs } = this.#settings;
    const pauseMs = Math.min(reconnectMaxMs, reconnectMinMs * 2 ** Math.min(this.#failures++, 10));
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#attempt(), pauseMs * (0.5 + Math.random() / 2));
  }

  #wake(): void {
    for (const wake of this.#waiters) wake();
  }

  #options() {
    const { servers, credentials, tls, connectTimeoutMs } = this.#settings;
    return {
      servers: [...new Set([...servers, ...this.#discovered])],
      name: "fanfare",
      timeout: connectTimeoutMs,
      // The client's own way of reconnecting would send what was withdrawn meanwhile.
      reconnect: false,
      pingInterval: PING_INTERVAL_MS,
      maxPingOut: MAX_PINGS_OUT,
      ...(credentials && { authenticator: authenticatorOf(credentials) }),
      ...(tls && { tls: tls.ca === undefined ? {} : { ca: tls.ca } }),
    };
  }
}

function authenticatorOf(credentials: Credentials): Authenticator {
  const bytes = (text: string) => new TextEncoder().encode(text);
  switch (credentials.type) {
    case "password":
      return usernamePasswordAuthenticator(credentials.user, credentials.password);
    case "token":
      return tokenAuthenticator(credentials.token);
    case "nkey":
      return nkeyAuthenticator(bytes(credentials.seed));
    case "creds":
      // The client expects neither another system's line ends nor a last line without one.
      return credsAuthenticator(bytes(`${credentials.creds.replaceAll("\r\n", "\n")}\n`));
  }
}
