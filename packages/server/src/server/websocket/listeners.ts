/**
 * Everything that listens: one for clients, one for the API where that has a port of its own, and those they took the
 * place of, whose sockets live on. Bun cannot change the certificate of a listener (oven-sh/bun#43815): with `reload` it
 * stays as it was. It can only open another one.
 */

import { ConfigError } from "../../config/config-error.ts";
import type { TopicWriter } from "../../domain/transport.ts";
import { isWorthCompressing } from "../compression.ts";
import type { TlsCredentials } from "../tls/read-certificates.ts";
import { listen } from "./listen.ts";
import type { Listener, ListenOptions } from "./listen-options.ts";
import { stopAccepting } from "./stop-accepting.ts";

export interface ListenersOptions extends ListenOptions {
  /** The readers that are no WebSockets. */
  readonly streams: Required<TopicWriter>;
}

interface Port {
  /** The one it got, for the listener that takes its place. */
  readonly number: number;
  listener: Listener;
  readonly open: (credentials: TlsCredentials | undefined) => Listener;
}

export class Listeners implements TopicWriter {
  readonly hostname: string;
  readonly apiHostname: string;
  readonly #options: ListenersOptions;
  #clients: Port | undefined;
  #api: Port | undefined;
  /** Listeners that were replaced: they take no new clients. */
  readonly #retired = new Set<Listener>();
  readonly #compresses: boolean;
  /** What new clients get; undefined without TLS, and while no listener is open because none could be. */
  credentials: TlsCredentials | undefined;

  constructor(options: ListenersOptions) {
    const { host, compression, tls } = options.config;
    this.#options = { ...options };
    this.#compresses = compression;
    this.hostname = host;
    this.apiHostname = tls?.api?.host ?? host;
  }

  /** Without credentials where TLS is left to a proxy. Throws what Bun throws: EADDRINUSE, EACCES; ConfigError where that is about the API's port. */
  open(credentials: TlsCredentials | undefined): void {
    const { config } = this.#options;
    const { hostname } = this;
    this.credentials = credentials;
    this.#clients = openPort(config.port, credentials, (port, now) =>
      listen(this.#options, { hostname, port, tls: now?.clients, acceptsWebSockets: true }),
    );
    if (config.tls?.api) this.#api = this.#openApi(config.tls.api.port);
  }

  #openApi(wanted: number): Port {
    const hostname = this.apiHostname;
    try {
      return openPort(wanted, this.credentials, (port, now) =>
        listen(this.#options, { hostname, port, tls: now?.api, acceptsWebSockets: false }),
      );
    } catch (error) {
      void this.stop(true);
      const code = error instanceof Error && "code" in error ? error.code : error;
      const why = code === "EADDRINUSE" ? "is already in use" : `cannot be opened (${code})`;
      throw new ConfigError(`\`tls.api.port\`: port ${wanted} on ${hostname} ${why}: choose another`);
    }
  }

  /** Other answers from now on, to what comes to the sockets that are open. */
  reconfigure(options: ListenersOptions): void {
    Object.assign(this.#options, options);
  }

  get port(): number {
    return this.#clients?.number ?? this.#options.config.port;
  }

  /** Where API calls go: `port`, unless they have one of their own. */
  get apiPort(): number {
    return this.#api?.number ?? this.port;
  }

  /** To the sockets of all of them. */
  publish(topic: string, frame: string): void {
    const compress = this.#compresses && isWorthCompressing(frame.length);
    this.#clients?.listener.publish(topic, frame, compress);
    if (this.#retired.size > 0) for (const listener of this.#retired) listener.publish(topic, frame, compress);
    this.#options.streams.publish(topic, frame);
  }

  isScattered(topic: string): boolean {
    return this.#retired.size > 0 || this.#options.streams.isScattered(topic);
  }

  get pendingWebSockets(): number {
    return this.#all.reduce((sum, listener) => sum + listener.pendingWebSockets, 0);
  }

  get pendingRequests(): number {
    return this.#all.reduce((sum, listener) => sum + listener.pendingRequests, 0);
  }

  /**
   * New clients get these. Open connections stay, and a request under way is answered. Where Bun cannot listen with them, it
   * goes on with those it had, and throws.
   */
  replace(credentials: TlsCredentials): void {
    const before = this.credentials;
    // Until a listener is open for sure, so that the next check tries again.
    this.credentials = undefined;
    for (const port of this.#ports) this.#swap(port, credentials, before);
    this.credentials = credentials;
  }

  /** All in one turn of the event loop, so that no other process can take the port in between. */
  #swap(port: Port, credentials: TlsCredentials, before: TlsCredentials | undefined): void {
    this.#retire(port.listener);
    try {
      port.listener = port.open(credentials);
    } catch (error) {
      if (before) {
        port.listener = port.open(before);
        this.credentials = before;
      }
      throw error;
    }
  }

  #retire(listener: Listener): void {
    this.#retired.add(listener);
    void listener.stop(false).finally(() => this.#retired.delete(listener));
  }

  /** No new connection comes in. Open ones, idle ones included, stay until they are stopped, where the system can do that. */
  async stopAccepting(): Promise<void> {
    if (!(await stopAccepting(this.#ports.map((port) => port.number)))) void this.stop(false);
  }

  /** With `force` at once; otherwise resolves when every connection has ended. */
  async stop(force: boolean): Promise<void> {
    await Promise.all(this.#all.map((listener) => listener.stop(force)));
  }

  get #ports(): Port[] {
    return [this.#clients, this.#api].filter((port) => port !== undefined);
  }

  get #all(): Listener[] {
    return [...this.#ports.map(({ listener }) => listener), ...this.#retired];
  }
}

function openPort(
  wanted: number,
  credentials: TlsCredentials | undefined,
  open: (port: number, credentials: TlsCredentials | undefined) => Listener,
): Port {
  const listener = open(wanted, credentials);
  const number = listener.port ?? wanted;
  return { number, listener, open: (now) => open(number, now) };
}
