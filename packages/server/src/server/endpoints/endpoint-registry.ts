/** The program's endpoints by their paths, and how a handshake finds its own. */

import { Disconnect } from "../../domain/error.ts";
import { type Barrier, barred } from "../../guards/ip.ts";
import { pusherKeyIn, type RequestUrl } from "../../http/request-url.ts";
import { compensateSilence, hasStalled } from "../../hub/liveness.ts";
import type { Endpoint, EndpointDefinition, Params } from "./endpoint.ts";
import type { EndpointConnection } from "./endpoint-connection.ts";
import { type EndpointHost, RegisteredEndpoint } from "./registered-endpoint.ts";

/** The endpoint at an address, with what its path says. */
export interface EndpointMatch {
  readonly endpoint: RegisteredEndpoint;
  readonly params: Params;
}

interface Registration {
  readonly pattern: URLPattern;
  readonly endpoint: RegisteredEndpoint;
}

/** `/a/b`, with `:name` for a part and `*` for all the rest. */
const PATH = /^(?:\/(?:[-A-Za-z0-9_.~]+|:[A-Za-z_]\w*))*\/(?:[-A-Za-z0-9_.~]+|:[A-Za-z_]\w*|\*)$/;

export class EndpointRegistry implements Iterable<RegisteredEndpoint> {
  readonly #placed: Registration[] = [];
  readonly #host: EndpointHost;
  #checkedAtMs = 0;
  /** In front of every path, for proxies that do not strip it. */
  readonly #prefix: string;

  constructor(host: EndpointHost, prefix: string) {
    this.#host = host;
    this.#prefix = prefix;
  }

  /** Throws TypeError where the path is none, is taken, or is one of the server's own. */
  add<D>(path: string, definition: EndpointDefinition<D>): Endpoint<D> {
    if (!PATH.test(path) && path !== "/") {
      const form =
        'begins with "/" and is made of letters, digits, "-", "_", ".", "~", of ":name", and of "*" at its end';
      throw new TypeError(`${JSON.stringify(path)} cannot be the path of an endpoint: it ${form}.`);
    }
    const pattern = new URLPattern({ pathname: path });
    const own = path === "/" ? undefined : this.#own().find((pathname) => pattern.test({ pathname }));
    // Pusher's clients may put a path of their own in front of theirs.
    if (own !== undefined || pusherKeyIn(path) !== undefined) {
      throw new TypeError(`An endpoint at ${path} would take ${own ?? "/app/KEY"}, which is the server's own.`);
    }
    if (this.#placed.some(({ endpoint }) => endpoint.path === path))
      throw new TypeError(`There is an endpoint at ${path} already.`);
    const endpoint = new RegisteredEndpoint(path, definition as EndpointDefinition, this.#host);
    this.#placed.push({ pattern, endpoint: endpoint });
    return endpoint as unknown as Endpoint<D>;
  }

  /** Whose a handshake is. At `/` those are the native protocol's that name an app, however much of the rest an endpoint takes. */
  findForSocket(url: RequestUrl): EndpointMatch | undefined {
    if (this.#placed.length === 0) return undefined;
    const found = this.find(url.pathname);
    return found?.endpoint.path === "/" && url.searchParams.has("app") ? undefined : found;
  }

  /** The first that was added wins, those whose path says all before all others. */
  find(path: string): EndpointMatch | undefined {
    if (this.#placed.length === 0) return undefined;
    const { length } = this.#prefix;
    const isBelow = length > 0 && (path === this.#prefix || path.startsWith(`${this.#prefix}/`));
    return this.#find(path) ?? (isBelow ? this.#find(path.slice(length) || "/") : undefined);
  }

  #find(path: string): EndpointMatch | undefined {
    const pathname = path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
    const exact = this.#placed.find(({ endpoint }) => endpoint.path === pathname);
    if (exact) return { endpoint: exact.endpoint, params: {} };
    for (const { pattern, endpoint } of this.#placed) {
      const params = paramsOf(pattern, pathname);
      if (params) return { endpoint: endpoint, params };
    }
    return undefined;
  }

  /** Sockets of all of them. */
  get count(): number {
    let count = 0;
    for (const { endpoint } of this.#placed) count += endpoint.sockets.count();
    return count;
  }

  /** Whether a handler of any client is still at work. */
  get isBusy(): boolean {
    for (const endpoint of this) if (endpoint.isBusy) return true;
    return false;
  }

  /** Checks every socket; the timer comes so much later than it should have. Call it every second or two. */
  sweep(lateMs = 0): void {
    const nowMs = this.#host.clock.monotonicMs();
    const checkedAtMs = this.#checkedAtMs;
    this.#checkedAtMs = nowMs;
    for (const connection of this.connections()) {
      if (hasStalled(lateMs)) compensateSilence(connection, lateMs, nowMs);
      else connection.check(nowMs, checkedAtMs);
    }
  }

  /** Those whose address may not come any more. */
  disconnectBarred(barrier: Barrier | undefined): void {
    for (const connection of this.connections()) {
      const setting = barrier?.(connection.address);
      if (setting) connection.disconnect(new Disconnect("unauthorized", barred(setting)));
    }
  }

  *connections(): Generator<EndpointConnection> {
    for (const endpoint of this) yield* endpoint.connections;
  }

  *[Symbol.iterator](): Generator<RegisteredEndpoint> {
    for (const { endpoint } of this.#placed) yield endpoint;
  }

  /** What no endpoint may take. */
  #own(): string[] {
    const paths = ["/", "/app/KEY", "/apps/ID/events", "/health", "/ready", "/metrics"];
    return this.#prefix === "" ? paths : [...paths, this.#prefix, ...paths.map((path) => this.#prefix + path)];
  }
}

/** Undefined where the path is another, or is not spelled right. */
function paramsOf(pattern: URLPattern, pathname: string): Params | undefined {
  const groups = pattern.exec({ pathname })?.pathname.groups;
  if (!groups) return undefined;
  try {
    const named = Object.entries(groups).map(([name, value = ""]) => [
      name === "0" ? "*" : name,
      decodeURIComponent(value),
    ]);
    return Object.fromEntries(named);
  } catch {
    return undefined;
  }
}
