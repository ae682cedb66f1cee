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
import type { Clock, EngineHealth } from "../../domain/ports.ts";
import { sentence, Unsent } from "./fault.ts";
import { flawOf } from "./papers.ts";
import type { Credentials, NatsSettings } from "./settings.ts";

export interface Wire {
  readonly nats: NatsConnection;
  readonly stream: JetStreamClient;
  readonly streams: JetStreamManager["streams"];
}

export interface LinkEvents {
  /** It is there: what has to be done on it before anybody else may use it. Where that fails, another is opened. */
  greet(wire: Wire, isAgain: boolean): Promise<void>;
  up(): void;
  down(): void;
}

/** A connection that only looks alive is found after two of these. */
const PING_EVERY_MS = 1_000;
const MOST_PINGS_OUT = 2;

export class Link {
  readonly #clock: Clock;
  readonly #settings: NatsSettings;
  readonly #events: LinkEvents;
  readonly #waiters = new Set<() => void>();
  /** Told by the servers themselves. */
  #others: readonly string[] = [];
  #wire: Wire | undefined;
  #opened: NatsConnection | undefined;
  #wasUp = false;
  #failures = 0;
  #why = "not connected yet";
  #sinceMs: number;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(clock: Clock, settings: NatsSettings, events: LinkEvents) {
    this.#clock = clock;
    this.#settings = settings;
    this.#events = events;
    this.#sinceMs = clock.monotonicMs();
  }

  /** Resolves when it is up, or when the first attempt failed. */
  start(): Promise<void> {
    return this.#attempt();
  }

  get wire(): Wire | undefined {
    return this.#wire;
  }

  get health(): EngineHealth {
    if (this.#wire) return { reachable: true };
    return { reachable: false, why: this.#why, sinceMs: Math.round(this.#clock.monotonicMs() - this.#sinceMs) };
  }

  /** The wire, as soon as there is one; rejects with Unsent when there is none in time. */
  async up(withinMs: number): Promise<Wire> {
    if (!this.#wire && !this.#isClosed && withinMs > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiters.add(resolve);
      const timer = setTimeout(resolve, withinMs);
      await promise;
      clearTimeout(timer);
      this.#waiters.delete(resolve);
    }
    if (!this.#wire) throw new Unsent(this.#why);
    return this.#wire;
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
    this.#wire = undefined;
    this.#wake();
    await opened?.close().catch(() => {});
  }

  async #attempt(): Promise<void> {
    let nats: NatsConnection | undefined;
    try {
      nats = await connect(this.#options());
      if (this.#isClosed) return void nats.close();
      await this.#greet(nats);
    } catch (error) {
      if (nats && this.#opened === nats) this.drop(sentence(error));
      else if (!nats)
        this.#failed(`NATS cannot be reached at ${this.#settings.servers.join(", ")}: ${this.#reason(error)}`);
    }
  }

  /** The server does not say why it refuses somebody. */
  #reason(error: unknown): string {
    const { credentials } = this.#settings;
    const flaw = credentials?.type === "creds" ? flawOf(credentials.creds, this.#clock.wallMs()) : undefined;
    return flaw === undefined ? sentence(error) : `${sentence(error)}; of the credentials file: ${flaw}`;
  }

  async #greet(nats: NatsConnection): Promise<void> {
    this.#opened = nats;
    this.#watch(nats);
    const wire = {
      nats,
      stream: jetstream(nats, { timeout: this.#settings.requestTimeoutMs }),
      streams: (await jetstreamManager(nats, { checkAPI: false, timeout: this.#settings.requestTimeoutMs })).streams,
    };
    await this.#events.greet(wire, this.#wasUp);
    if (this.#opened !== nats) return;
    this.#wire = wire;
    this.#wasUp = true;
    this.#failures = 0;
    this.#others = nats.info?.connect_urls ?? [];
    this.#wake();
    this.#events.up();
  }

  #watch(nats: NatsConnection): void {
    nats.closed().then((error) => this.#lost(nats, error ? sentence(error) : "the connection ended"));
    const listen = async () => {
      for await (const { type } of nats.status()) {
        // It takes no one on any more and will cut us soon: better now than in the middle of something.
        if (type === "ldm" && this.#opened === nats) this.drop("the server is about to stop");
      }
    };
    listen().catch(() => {});
  }

  #lost(nats: NatsConnection, why: string): void {
    if (this.#opened !== nats) return;
    this.#opened = undefined;
    const wasUp = this.#wire !== undefined;
    this.#wire = undefined;
    if (wasUp) this.#sinceMs = this.#clock.monotonicMs();
    this.#failed(`The connection to NATS was lost: ${why}`);
    if (wasUp) this.#events.down();
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
      servers: [...new Set([...servers, ...this.#others])],
      name: "fanfare",
      timeout: connectTimeoutMs,
      // Its own way of coming back would send what was withdrawn meanwhile.
      reconnect: false,
      pingInterval: PING_EVERY_MS,
      maxPingOut: MOST_PINGS_OUT,
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
      // Neither another system's line ends nor a last line without one are expected there.
      return credsAuthenticator(bytes(`${credentials.creds.replaceAll("\r\n", "\n")}\n`));
  }
}
