/**
 * Everything that listens: one for clients, one for the API where that has a port of its own, and those they took the
 * place of, whose sockets live on. Bun cannot change the certificate of a listener (oven-sh/bun#43815): with `reload` it
 * stays as it was. It can only open another one.
 */

import { ConfigError } from "../../config/config-error.ts";
import type { Fanout } from "../../domain/transport.ts";
import type { RequestHandler } from "../http/router.ts";
import type { TlsCredentials } from "../tls/read-certificates.ts";
import { isWorthCompressing } from "./compression.ts";
import { type Listener, type ListenOptions, listen } from "./listen.ts";
import { stopAccepting } from "./stop-accepting.ts";

export interface ListenersOptions extends ListenOptions {
  /** Undefined where TLS is left to a proxy. */
  readonly credentials: TlsCredentials | undefined;
  /** What is answered on the API's own port. */
  readonly handleApi: RequestHandler;
}

interface Port {
  listener: Listener;
  readonly open: (credentials: TlsCredentials | undefined) => Listener;
}

export class Listeners implements Fanout {
  readonly hostname: string;
  readonly port: number;
  /** Where API calls go: `port`, unless they have one of their own. */
  readonly apiPort: number;
  readonly apiHostname: string;
  readonly #clients: Port;
  readonly #api: Port | undefined;
  /** They take nobody new. */
  readonly #retired = new Set<Listener>();
  readonly #compresses: boolean;
  #credentials: TlsCredentials | undefined;

  /** Throws what Bun throws: EADDRINUSE, EACCES; ConfigError where that is about the API's port. */
  constructor(options: ListenersOptions) {
    const { config, credentials } = options;
    const api = config.tls?.api;
    this.#credentials = credentials;
    this.hostname = config.host;
    this.#compresses = config.compression;
    this.#clients = openPort(config.port, credentials, (port, now) =>
      listen(options, { hostname: config.host, port, tls: now?.clients, acceptsWebSockets: true }),
    );
    this.port = portNumber(this.#clients, config.port);
    this.apiHostname = api?.host ?? config.host;
    this.#api = api && this.#openApi(options, api.port);
    this.apiPort = this.#api ? portNumber(this.#api, this.port) : this.port;
  }

  #openApi(options: ListenersOptions, wanted: number): Port {
    const hostname = this.apiHostname;
    // Whatever else is asked of the options is asked of what they are by then.
    const answering: ListenOptions = Object.create(options, { answer: { get: () => options.handleApi } });
    try {
      return openPort(wanted, options.credentials, (port, now) =>
        listen(answering, { hostname, port, tls: now?.api, acceptsWebSockets: false }),
      );
    } catch (error) {
      void this.#clients.listener.stop(true);
      const code = error instanceof Error && "code" in error ? error.code : error;
      const why = code === "EADDRINUSE" ? "is already in use" : `cannot be opened (${code})`;
      throw new ConfigError(`\`tls.api.port\`: port ${wanted} on ${hostname} ${why}: choose another`);
    }
  }

  /** To the sockets of all of them. */
  publish(topic: string, frame: string): void {
    const compress = this.#compresses && isWorthCompressing(frame.length);
    this.#clients.listener.publish(topic, frame, compress);
    for (const listener of this.#retired) listener.publish(topic, frame, compress);
  }

  get isScattered(): boolean {
    return this.#retired.size > 0;
  }

  get pendingWebSockets(): number {
    return this.#all.reduce((sum, listener) => sum + listener.pendingWebSockets, 0);
  }

  get pendingRequests(): number {
    return this.#all.reduce((sum, listener) => sum + listener.pendingRequests, 0);
  }

  /** What new clients get; undefined without TLS, and while nobody listens because nobody could. */
  get credentials(): TlsCredentials | undefined {
    return this.#credentials;
  }

  /**
   * New clients get these; whoever is here keeps the connection, and a request under way its answer. Where Bun cannot
   * listen with them, it goes on with those it had, and throws.
   */
  replace(credentials: TlsCredentials): void {
    const before = this.#credentials;
    // Until it is sure that somebody listens: whoever looks again then tries again.
    this.#credentials = undefined;
    this.#swap(this.#clients, credentials, before);
    if (this.#api) this.#swap(this.#api, credentials, before);
    this.#credentials = credentials;
  }

  /** All in one turn of the event loop, so that nobody else can have the port in between. */
  #swap(door: Port, credentials: TlsCredentials, before: TlsCredentials | undefined): void {
    this.#retire(door.listener);
    try {
      door.listener = door.open(credentials);
    } catch (error) {
      if (before) {
        door.listener = door.open(before);
        this.#credentials = before;
      }
      throw error;
    }
  }

  #retire(listener: Listener): void {
    this.#retired.add(listener);
    void listener.stop(false).finally(() => this.#retired.delete(listener));
  }

  /** Nobody new comes in. Open connections, idle ones included, stay until they are stopped, where the system can do that. */
  async stopAccepting(): Promise<void> {
    const ports = this.#api ? [this.port, this.apiPort] : [this.port];
    if (!(await stopAccepting(ports))) void this.stop(false);
  }

  /** With `force` at once; otherwise resolves when everybody has gone. */
  async stop(force: boolean): Promise<void> {
    await Promise.all(this.#all.map((listener) => listener.stop(force)));
  }

  get #all(): Listener[] {
    return [this.#clients.listener, ...(this.#api ? [this.#api.listener] : []), ...this.#retired];
  }
}

/** Remembers the port that it got, for whoever is to take its place. */
function openPort(
  wanted: number,
  credentials: TlsCredentials | undefined,
  open: (port: number, credentials: TlsCredentials | undefined) => Listener,
): Port {
  const listener = open(wanted, credentials);
  const port = listener.port ?? wanted;
  return { listener, open: (now) => open(port, now) };
}

function portNumber({ listener }: Port, otherwise: number): number {
  return listener.port ?? otherwise;
}
