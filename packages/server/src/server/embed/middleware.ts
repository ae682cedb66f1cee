/** What a program puts around handshakes, messages and requests: one layer inside the other, as in Hono. */

import type { Connection } from "../../domain/connection.ts";
import type { Command, User } from "../../domain/message.ts";
import type { Awaitable } from "../../domain/ports.ts";
import type { EndpointSocket, Raw } from "../endpoints/endpoint.ts";
import type { Client } from "./types.ts";

interface RequestInfo<S> {
  readonly server: S;
  readonly request: Request;
  readonly url: URL;
  /** The client's, as the server trusts it. */
  readonly address: string;
}

/** A WebSocket handshake, of the hub or of an endpoint. */
export interface HandshakeContext<S = unknown> extends RequestInfo<S> {
  readonly type: "handshake";
  /** The path of the endpoint it is for, as it was registered; undefined where it is for the server's own protocols. */
  readonly endpoint: string | undefined;
}

/** An HTTP request, to the API, to an endpoint's path, or to what is mounted. */
export interface RequestContext<S = unknown> extends RequestInfo<S> {
  readonly type: "request";
}

/** What a client of the server's own protocols asks. */
export interface CommandContext<S = unknown, U extends User = User> {
  readonly type: "message";
  readonly server: S;
  readonly connection: Client<U>;
  readonly socket: undefined;
  /** Another may be put in its place. */
  command: Command;
}

/** What a client of an endpoint sent. */
export interface FrameContext<S = unknown> {
  readonly type: "message";
  readonly server: S;
  readonly connection: undefined;
  readonly socket: EndpointSocket;
  /** Another may be put in its place. */
  data: Raw;
}

export type MessageContext<S = unknown, U extends User = User> = CommandContext<S, U> | FrameContext<S>;

export interface Contexts<S = unknown, U extends User = User> {
  readonly handshake: HandshakeContext<S>;
  readonly message: MessageContext<S, U>;
  readonly request: RequestContext<S>;
}

export type Context<S = unknown, U extends User = User> = Contexts<S, U>[keyof Contexts];

/**
 * Goes on inwards. Resolves when that is done: with the Response of a request, or of a handshake that was refused in HTTP.
 * What was thrown further in is thrown here, and goes on outwards, caught or not, unless another is thrown or a Response
 * returned in its place.
 */
export type Next = () => Promise<Response | undefined>;

/**
 * Calls `next`, or refuses: by a CommandError or a Disconnect that it throws, or by a Response that it returns in place of the
 * answer (for messages that counts for nothing, as does whatever else it returns).
 */
export type Middleware<C = Context> = (context: C, next: Next) => unknown;

const KINDS = ["handshake", "message", "request"] as const satisfies (keyof Contexts)[];

export class MiddlewareStack {
  readonly #server: unknown;
  readonly #layers: { [Kind in keyof Contexts]: Middleware<Contexts[Kind]>[] } = {
    handshake: [],
    message: [],
    request: [],
  };
  /** Undefined while there is none, so that it costs nothing where it is not used. */
  command: ((connection: Connection, command: Command, perform: Perform) => Promise<void>) | undefined;
  frame: ((socket: EndpointSocket, data: Raw, handle: (data: Raw) => unknown) => Promise<void>) | undefined;
  handshake: Wrap<Omit<HandshakeContext, "type" | "server">> | undefined;
  request: Wrap<Omit<RequestContext, "type" | "server">> | undefined;

  constructor(server: unknown) {
    this.#server = server;
  }

  /** Inside those that are there already. Throws TypeError. */
  use(kind: keyof Contexts | undefined, middleware: Middleware<never> | undefined): void {
    if (kind !== undefined && !KINDS.includes(kind)) {
      throw new TypeError(`Middleware is for ${KINDS.join(", ")} or all of them, not for ${JSON.stringify(kind)}.`);
    }
    if (typeof middleware !== "function") throw new TypeError("Middleware is a function of (context, next).");
    for (const one of kind === undefined ? KINDS : [kind]) this.#add(one, middleware as Middleware<unknown>);
  }

  #add(kind: keyof Contexts, middleware: Middleware<unknown>): void {
    const server = this.#server;
    const layers = this.#layers[kind] as Middleware<unknown>[];
    layers.push(middleware);
    if (kind === "handshake") {
      this.handshake ??= (arrival, last) => runForAnswer(layers, { type: kind, server, ...arrival }, last);
    } else if (kind === "request") {
      this.request ??= (arrival, last) => runForAnswer(layers, { type: kind, server, ...arrival }, last);
    } else {
      this.command ??= (connection, command, perform) => {
        const context: CommandContext = { type: kind, server, connection, socket: undefined, command };
        return runForMessage(layers, context, () => perform(context.command));
      };
      this.frame ??= (socket, data, handle) => {
        const context: FrameContext = { type: kind, server, connection: undefined, socket, data };
        return runForMessage(layers, context, () => handle(context.data));
      };
    }
  }
}

type Perform = (command: Command) => Awaitable<void>;
type Last = () => Awaitable<Response | undefined>;
/** Rejects with what a layer threw. */
type Wrap<C> = (context: C, last: Last) => Promise<Response | undefined>;

/** For what ends in an answer. Throws TypeError where a layer neither goes on nor answers. */
async function runForAnswer<C>(
  layers: readonly Middleware<C>[],
  context: C,
  last: Last,
): Promise<Response | undefined> {
  let hasArrived = false;
  const answer = await compose(layers, context, () => {
    hasArrived = true;
    return last();
  });
  if (answer || hasArrived) return answer;
  throw new TypeError("Middleware neither called next() nor returned a Response.");
}

/** For messages, which need no answer. */
async function runForMessage<C>(layers: readonly Middleware<C>[], context: C, last: () => unknown): Promise<void> {
  await compose(layers, context, async () => {
    await last();
    return undefined;
  });
}

async function compose<C>(layers: readonly Middleware<C>[], context: C, last: Last): Promise<Response | undefined> {
  let deepest = -1;
  const enter = async (depth: number): Promise<Response | undefined> => {
    if (depth <= deepest) throw new Error("next() called multiple times");
    deepest = depth;
    const layer = layers[depth];
    if (!layer) return last();
    let inner: Promise<Response | undefined> | undefined;
    const answer = await layer(context, () => {
      inner = enter(depth + 1);
      // Waited for below, if not by the layer.
      inner.catch(() => {});
      return inner;
    });
    return answer instanceof Response ? answer : inner;
  };
  return enter(0);
}
