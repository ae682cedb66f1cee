/** Connections that outlive their HTTP requests: opened as WebSockets are, found by their id, and ended when no request comes for them. */

import { Connection, type Transport } from "../../domain/connection.ts";
import { isEngineAway } from "../../domain/error.ts";
import type { Hub } from "../../hub/hub.ts";
import { hasStalled } from "../../hub/liveness.ts";
import type { RejectedClient } from "../websocket/admission.ts";
import { type Handshake, handleHandshake, type PendingUsers } from "../websocket/handshake.ts";
import { HandshakeQueue } from "../websocket/handshake-queue.ts";
import type { HandshakeOptions, SocketData } from "../websocket/listen-options.ts";
import { openSocket } from "../websocket/socket-handler.ts";
import { CommandQueue } from "./commands.ts";
import { HttpSocket, type HttpSocketOptions, type Streams } from "./http-socket.ts";
import type { Relay } from "./relay.ts";
import type { Session } from "./session.ts";

/** A client that polls asks again sooner. */
const BETWEEN_MS = 500;

/** The code of a socket that ended without a close frame from either side. */
const ABNORMAL_CLOSURE = 1006;

export interface SessionSettings {
  /** Silence on a response after which a sign of life is written, in seconds. */
  readonly keepAliveS: number;
  /** How long a poll waits for something to tell, in seconds. */
  readonly pollS: number;
  /** How long a connection lives without a request, in seconds. */
  readonly sessionTimeoutS: number;
}

/** The request that opens a session. */
type SessionRequest = Pick<Handshake, "request" | "url" | "caller">;

/** What another kind of session does differently. */
export interface SessionKind extends Pick<HttpSocketOptions, "encode" | "pingFrame"> {
  readonly id: string;
  readonly transport: Transport;
  /** The server made up the id, and the client learns it when it is welcomed. */
  readonly isNamed?: true;
  /** Where further requests reach this node at once. */
  readonly url?: string | undefined;
  /** The client can send nothing. */
  readonly isOneWay?: true;
}

export interface SessionsOptions {
  readonly streams: Streams;
  readonly hub: Hub;
  readonly settings: SessionSettings;
  readonly relay: Relay | undefined;
  /** Whether every client is being told to leave, and can make no new connection to this server. */
  readonly isClosing: () => boolean;
}

/** A request that reads, as time goes by. */
interface Ticking {
  tick(nowMs: number): void;
}

export class Sessions {
  settings: SessionSettings;
  /** Finds the sessions of other nodes; undefined where there are none. */
  readonly relay: Relay | undefined;
  readonly #streams: Streams;
  readonly hub: Hub;
  readonly #isClosing: () => boolean;
  readonly #sessions = new Map<string, Session>();
  /** Those that are being decided on. */
  readonly #opening = new Map<string, Promise<Session | Response>>();
  readonly #pendingUsers: PendingUsers = new WeakMap();
  readonly #queue: HandshakeQueue;
  readonly #reading = new Set<Ticking>();

  constructor(options: SessionsOptions) {
    this.relay = options.relay;
    this.#streams = options.streams;
    this.hub = options.hub;
    this.#isClosing = options.isClosing;
    this.settings = options.settings;
    this.#queue = new HandshakeQueue(options.hub.clock);
  }

  /** How many have a request that reads, or had one a moment ago. */
  get activeCount(): number {
    const { nowMs } = this;
    const sessions = [...this.#sessions.values()];
    return sessions.filter(({ socket }) => socket.hasReader || nowMs - socket.idleSinceMs < BETWEEN_MS).length;
  }

  get nowMs(): number {
    return this.hub.clock.monotonicMs();
  }

  find(id: string): Session | undefined {
    return this.#sessions.get(id);
  }

  /** Nobody can guess it. It names this node. */
  newId(): string {
    return `${this.hub.nodeBus.number}.${crypto.getRandomValues(new Uint8Array(16)).toBase64({ alphabet: "base64url" })}`;
  }

  /** A response is the answer of what was asked before: the program's middleware, or a limit. */
  async open(options: HandshakeOptions, context: SessionRequest, kind: SessionKind): Promise<Session | Response> {
    const underWay = this.#opening.get(kind.id);
    if (underWay) return underWay;
    const opening = this.#open(options, context, kind).finally(() => this.#opening.delete(kind.id));
    this.#opening.set(kind.id, opening);
    return opening;
  }

  /** Called about once a second. For as long as the server itself stood still, no client was away. */
  sweep(lateMs: number): void {
    const { nowMs } = this;
    for (const reader of this.#reading) reader.tick(nowMs);
    const timeoutMs = this.settings.sessionTimeoutS * 1000;
    for (const session of this.#sessions.values()) {
      const { socket } = session;
      this.#noteAgain(session, nowMs);
      if (socket.hasReader && !socket.closing) continue;
      if (hasStalled(lateMs)) socket.idleSinceMs = Math.min(nowMs, socket.idleSinceMs + lateMs);
      else if (nowMs - socket.idleSinceMs > timeoutMs) socket.terminate();
    }
  }

  startTicking(reader: Ticking): void {
    this.#reading.add(reader);
  }

  stopTicking(reader: Ticking): void {
    this.#reading.delete(reader);
  }

  async #open(options: HandshakeOptions, context: SessionRequest, kind: SessionKind): Promise<Session | Response> {
    await this.#queue.waitForTurn();
    let data: Connection | RejectedClient | undefined;
    const upgrade = ({ signal }: Request, given: { readonly data: SocketData }): boolean => {
      // Then the request is answered already, and nobody would end the connection.
      if (signal.aborted) return false;
      // An endpoint of the program is not asked.
      data = given.data as Connection | RejectedClient;
      return true;
    };
    const server = { upgrade } as unknown as Handshake["server"];
    const answer = await handleHandshake(options, this.#pendingUsers, {
      ...{ ...context, server },
      transport: kind.transport,
      isOpen: false,
    });
    if (answer) return answer;
    if (!data) throw new Error("A handshake ended without a client.");
    const connection = data instanceof Connection ? data : undefined;
    if (connection && kind.isOneWay) connection.isOneWay = true;
    if (connection && !kind.isNamed) await this.#note(kind.id);
    const origin = context.request.headers.get("origin");
    const session = {
      id: kind.id,
      origin,
      isUnnamed: origin === null && context.request.method === "GET",
      connection,
      socket: this.#createSocket(options, kind, context.caller.address, connection),
      get refusal() {
        return connection ? connection.disconnectReason : (data as RejectedClient).reason;
      },
      sending: Promise.resolve(),
      commands: new CommandQueue(),
      notedAtMs: kind.isNamed ? undefined : this.nowMs,
    } satisfies Session;
    this.#sessions.set(kind.id, session);
    openSocket(options, this.#pendingUsers, session.socket, data);
    return session;
  }

  #noteAgain(session: Session, nowMs: number): void {
    if (!this.relay || session.notedAtMs === undefined) return;
    if (nowMs - session.notedAtMs < this.relay.noteAgainMs) return;
    session.notedAtMs = nowMs;
    void this.#note(session.id);
  }

  /** Without the engine other nodes cannot be told, but requests that come here are served. */
  async #note(id: string): Promise<void> {
    try {
      await this.relay?.note(id);
    } catch (error) {
      if (!isEngineAway(error)) this.hub.observe({ type: "failed", error, during: "noting a session" });
    }
  }

  #createSocket(
    { config, ipConnectionLimiter }: HandshakeOptions,
    { id, encode, pingFrame, isNamed, url }: SessionKind,
    address: string,
    connection: Connection | undefined,
  ): HttpSocket {
    const hub = this.hub;
    const { keepAliveS, sessionTimeoutS } = this.settings;
    const socket: HttpSocket = new HttpSocket({
      streams: this.#streams,
      limitBytes: config.limits.outboundBufferBytes,
      encode,
      ...(pingFrame !== undefined && { pingFrame }),
      ...(isNamed && { session: { id, keepAliveS, sessionTimeoutS, ...(url !== undefined && { url }) } }),
      nowMs: () => this.nowMs,
      isLeaving: this.#isClosing,
      caughtUp: () => {
        if (connection) connection.probe = undefined;
      },
      overflowed: () => {
        if (connection) hub.observe({ type: "slow-consumer", connection, limit: "limits.outboundBufferBytes" });
        socket.terminate();
      },
      ended: () => {
        this.#sessions.delete(id);
        ipConnectionLimiter.release(address);
        if (connection) hub.close(connection, ABNORMAL_CLOSURE);
      },
    });
    return socket;
  }
}
