/** A server of the Pusher protocol that does what a test says: what others do that know no positions, and what a real one does rarely. */

import type { ServerWebSocket } from "bun";
import { atEnd } from "../support/at-end.ts";

interface Message {
  readonly event: string;
  readonly data: { readonly channel?: string } & Readonly<Record<string, unknown>>;
}

export interface FakeConnection {
  /** Of the address that was asked for. */
  readonly url: URL;
  readonly id: string;
  /** Frames that came, without pings. */
  readonly frames: Message[];
  /** `data` is written as the JSON text that Pusher sends. */
  send(event: string, more: Readonly<Record<string, unknown>>): void;
  sendText(text: string): void;
  close(code: number, reason?: string): void;
}

export interface Script {
  /** Default: an ordinary greeting, with `"recover":true` if it was asked for and `isOld` is not set. */
  readonly onOpen?: (connection: FakeConnection, greet: () => void) => void;
  /** What is answered to a subscription. Default: success. */
  readonly onSubscribe?: (connection: FakeConnection, message: Message) => void;
  /** It knows nothing of recovery. */
  readonly isOld?: boolean;
}

export interface FakeServer {
  readonly port: number;
  readonly connections: FakeConnection[];
}

interface Data {
  readonly url: URL;
  connection?: FakeConnection;
}

export function startFakeServer(script: Script = {}): FakeServer {
  const connections: FakeConnection[] = [];
  const server = Bun.serve<Data>({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request, server) {
      const isUpgraded = server.upgrade(request, { data: { url: new URL(request.url) } });
      return isUpgraded ? undefined : new Response(null, { status: 400 });
    },
    websocket: {
      open(socket) {
        const connection = connectionOf(socket, `1.${connections.length + 1}`);
        socket.data.connection = connection;
        connections.push(connection);
        const greet = () => greetOn(connection, script);
        if (script.onOpen) script.onOpen(connection, greet);
        else greet();
      },
      message({ data: { connection } }, text) {
        const message: Message = JSON.parse(String(text));
        if (message.event === "pusher:ping") return connection?.send("pusher:pong", { data: {} });
        connection?.frames.push(message);
        if (connection && message.event === "pusher:subscribe") answer(connection, message, script);
      },
    },
  });
  atEnd(() => server.stop(true));
  return { port: server.port ?? 0, connections };
}

function connectionOf(socket: ServerWebSocket<Data>, id: string): FakeConnection {
  return {
    url: socket.data.url,
    id,
    frames: [],
    send: (event, { data, ...more }) => socket.send(JSON.stringify({ event, data: JSON.stringify(data), ...more })),
    sendText: (text) => socket.send(text),
    close: (code, reason) => socket.close(code, reason),
  };
}

function greetOn(connection: FakeConnection, { isOld = false }: Script): void {
  const isRecovering = !isOld && connection.url.searchParams.get("recover") === "1";
  const data = { socket_id: connection.id, activity_timeout: 30 };
  connection.send("pusher:connection_established", { data, ...(isRecovering && { recover: true }) });
}

function answer(connection: FakeConnection, message: Message, { onSubscribe }: Script): void {
  if (onSubscribe) onSubscribe(connection, message);
  else connection.send("pusher_internal:subscription_succeeded", { channel: message.data.channel, data: {} });
}

/** An event as a server that knows positions sends it. */
export function eventText(channel: string, data: unknown, position: { epoch: string; offset: number }): string {
  return JSON.stringify({ event: "number", channel, data: JSON.stringify(data), position });
}
