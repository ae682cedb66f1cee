/** An endpoint at its path: which clients it lets in, and those that are connected. */

import { CommandError, Disconnect } from "../../domain/error.ts";
import { type OriginTest, originTest } from "../../domain/origin.ts";
import type { Clock } from "../../domain/ports.ts";
import { errorResponse, errorResponseFor } from "../../http/error-response.ts";
import type { TurnQueue } from "../../hub/turn-queue.ts";
import { Topics } from "../topics.ts";
import type { Endpoint, EndpointDefinition, EndpointSocket, EndpointSockets, Params, Raw } from "./endpoint.ts";
import { EndpointConnection, type EndpointContext, type EndpointLimits } from "./endpoint-connection.ts";

/** What endpoints need of the server around them. */
export interface EndpointHost {
  /** What an endpoint takes unless it says otherwise: the same object as long as it is the same. */
  readonly limits: EndpointLimits;
  readonly compresses: boolean;
  readonly clock: Clock;
  readonly turnQueue: TurnQueue;
  /** The program's, around messages; undefined where it has none. */
  readonly messageMiddleware: MessageMiddleware | undefined;
  failed(error: unknown, during: string): void;
}

export type MessageMiddleware = (
  socket: EndpointSocket,
  message: Raw,
  handle: (message: Raw) => unknown,
) => Promise<void>;

/** A client that is let in, and what it is answered with. */
export interface AcceptedHandshake {
  readonly connection: EndpointConnection;
  readonly headers: Headers;
}

export class RegisteredEndpoint implements Endpoint, EndpointContext {
  readonly path: string;
  readonly handlers: EndpointDefinition;
  readonly clock: Clock;
  readonly turnQueue: TurnQueue;
  readonly topics = new Topics<EndpointConnection, Raw>();
  readonly #host: EndpointHost;
  #limits: EndpointLimits;
  /** Of which these are made. */
  #serverLimits: EndpointLimits;
  readonly #protocols: readonly string[] | undefined;
  readonly #mayConnect: OriginTest | undefined;
  readonly #connections = new Map<string, EndpointConnection>();
  handlersUnderWay = 0;

  constructor(path: string, definition: EndpointDefinition, host: EndpointHost) {
    const { origins = [], protocols } = definition;
    this.path = path;
    this.handlers = definition;
    this.#host = host;
    this.clock = host.clock;
    this.turnQueue = host.turnQueue;
    this.#serverLimits = host.limits;
    this.#limits = limitsOf(path, definition, this.#serverLimits);
    checkLimits(path, this.#limits, this.#serverLimits);
    this.#protocols = protocols;
    this.#mayConnect = origins.length > 0 ? originTest(origins) : undefined;
  }

  // ---- what the program does with it

  get sockets(): EndpointSockets {
    const connections = this.#connections;
    return {
      get: (id) => connections.get(id),
      count: () => connections.size,
      [Symbol.iterator]: () => connections.values(),
    };
  }

  publish(topic: string, message: Raw): number {
    return this.topics.publish(topic, message);
  }

  broadcast(message: Raw): number {
    let sent = 0;
    for (const connection of this.#connections.values()) if (connection.send(message)) sent++;
    return sent;
  }

  // ---- the handshake

  /** A connection, or a refusal in HTTP. Never rejects. */
  async accept(request: Request, params: Params, address: string): Promise<AcceptedHandshake | Response> {
    try {
      const { headers } = request;
      const origin = headers.get("origin");
      const names = (headers.get("sec-websocket-protocol") ?? "").split(",").map((name) => name.trim());
      const offered = names.filter((name) => name !== "");
      if (this.full) throw this.full;
      if (origin !== null && this.#mayConnect?.(origin) === false) {
        return errorResponse(403, "unauthorized", "This origin may not connect to this endpoint.");
      }
      const agreed = offered.find((name) => this.#protocols?.includes(name));
      if (this.#protocols && offered.length > 0 && agreed === undefined) {
        const spoken = this.#protocols.join(", ");
        return errorResponse(400, "protocol_unsupported", `This endpoint speaks ${spoken} (Sec-WebSocket-Protocol).`);
      }
      const answer = await this.handlers.upgrade?.(request, params, { address });
      if (answer === false) return errorResponse(403, "unauthorized", "This endpoint does not let you in.");
      if (answer instanceof Response) return answer;
      const welcome = typeof answer === "object" && answer !== null ? answer : {};
      return this.#accepted(request, offered, { address, params, agreed, ...welcome });
    } catch (error) {
      const isKnown = error instanceof CommandError || error instanceof Disconnect;
      if (!isKnown) this.failed(error, `upgrade of the endpoint ${this.path}`);
      return errorResponseFor(error);
    }
  }

  #accepted(
    request: Request,
    offered: readonly string[],
    welcome: {
      readonly address: string;
      readonly params: Params;
      readonly agreed: string | undefined;
      readonly data?: unknown;
      readonly headers?: ConstructorParameters<typeof Headers>[0];
      readonly protocol?: string;
    },
  ): AcceptedHandshake {
    const { address, params, agreed, data } = welcome;
    if (welcome.protocol !== undefined && !offered.includes(welcome.protocol)) {
      throw new TypeError(`upgrade chose the sub-protocol ${welcome.protocol}, for which the client did not ask.`);
    }
    const headers = new Headers(welcome.headers);
    // Bun grants the first that the client asks for, unless the response names another.
    const protocol = welcome.protocol ?? agreed ?? offered[0] ?? "";
    if (protocol !== "") headers.set("Sec-WebSocket-Protocol", protocol);
    return { connection: new EndpointConnection(this, { address, params, protocol, data }, request), headers };
  }

  /** Why it may not have another client, where it may not. */
  get full(): Disconnect | undefined {
    const { maxSockets } = this.limits;
    if (this.#connections.size < maxSockets) return undefined;
    return new Disconnect(
      "over_capacity",
      `This endpoint has ${maxSockets} clients, which is as many as it may (maxSockets).`,
    );
  }

  /** A handshake came to nothing. */
  async refused(request: Request): Promise<void> {
    try {
      await this.handlers.refused?.(request);
    } catch (error) {
      this.failed(error, `refused of the endpoint ${this.path}`);
    }
  }

  // ---- for its connections

  /** What it does not say itself is the server's, whose settings may be others after a reload. */
  get limits(): EndpointLimits {
    const server = this.#host.limits;
    if (server === this.#serverLimits) return this.#limits;
    this.#serverLimits = server;
    this.#limits = limitsOf(this.path, this.handlers, server);
    return this.#limits;
  }

  get compresses(): boolean {
    return this.#host.compresses;
  }

  handle(connection: EndpointConnection, message: Raw): unknown {
    const { messageMiddleware } = this.#host;
    if (!messageMiddleware) return this.handlers.message?.(connection, message);
    return messageMiddleware(connection, message, (passed) => this.handlers.message?.(connection, passed));
  }

  failed(error: unknown, during: string): void {
    this.#host.failed(error, during);
  }

  opened(connection: EndpointConnection): void {
    this.#connections.set(connection.id, connection);
  }

  closed(connection: EndpointConnection): void {
    this.#connections.delete(connection.id);
    this.topics.unsubscribeAll(connection);
  }

  get isBusy(): boolean {
    return this.handlersUnderWay > 0;
  }

  get connections(): Iterable<EndpointConnection> {
    return this.#connections.values();
  }
}

/** Handlers of one socket that are under way, where nothing else is said. */
const MOST_AT_ONCE = 256;

/** Throws RangeError where one is none. */
function limitsOf(path: string, wanted: EndpointDefinition, server: EndpointLimits): EndpointLimits {
  const limits = { ...server };
  if (wanted.concurrent) limits.waitingMessages = Math.min(server.waitingMessages, MOST_AT_ONCE);
  for (const name of Object.keys(server) as (keyof EndpointLimits)[]) {
    const value = wanted[name];
    if (value === undefined) continue;
    if (typeof value === "number" && !(value > 0)) {
      throw new RangeError(`${name} of the endpoint ${path} has to be more than 0.`);
    }
    Object.assign(limits, { [name]: value });
  }
  return limits;
}

/** Throws RangeError where an endpoint wants more than the server has. */
function checkLimits(path: string, limits: EndpointLimits, server: EndpointLimits): void {
  for (const name of ["frameBytes", "outboundBufferBytes"] as const) {
    if (limits[name] <= server[name]) continue;
    throw new RangeError(`${name} of the endpoint ${path} is more than limits.${name} (${server[name]}): raise that.`);
  }
}
