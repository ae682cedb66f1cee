/** pusher-js as it is installed, with what a test wants to know of it kept: states, errors, and what its channels say. */

import { expect } from "bun:test";
import Pusher, { type Channel, type Options } from "pusher-js";
import nacl from "tweetnacl";
import type { ConfigInput, Server, Client as ServerClient } from "../../packages/server/src/index.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { APP, type AppInput, startServer } from "../support/server.ts";
import type { Backend } from "./backend.ts";

export interface ClientOptions extends Partial<Options> {
  readonly key?: string;
  /** As whom the back end answers for it. */
  readonly user?: string;
  /** Its watchlist. */
  readonly watch?: string;
}

export type PusherTransport = "ws" | "xhr_streaming" | "xhr_polling";

/** A server, or a cluster that looks like one, and what clients connect to it by. */
export interface PusherServer extends Pick<Server, "port" | "url"> {
  readonly transport: PusherTransport;
  readonly isCluster?: true;
  /** Of all nodes; undefined where they are other processes, which can be seen by their API only. */
  readonly connections: Iterable<ServerClient> | undefined;
  channel(name: string): { info(): Promise<{ readonly subscribers: number } | undefined> };
  members(name: string): Promise<readonly { readonly id: string }[]>;
  /** Resolves when the requests of all clients wait for something to report. */
  settled(): Promise<void>;
  stop(): Promise<unknown>;
}

/** Where a suite of pusher-js runs. */
export interface PusherWorld {
  start(config?: ConfigInput, app?: Partial<AppInput>): Promise<PusherServer>;
}

/** A client that hangs up between two polls is missed only when its session is over. */
export const HTTP = { sessionTimeoutS: 2 };

/** A client has come back from one poll with the next by then. */
export const QUIET_MS = 200;

/** One server in the test's process. */
export function oneServer(transport: PusherTransport): PusherWorld {
  return {
    start: async (config, app) => {
      const settled = () => Bun.sleep(transport === "ws" ? 0 : QUIET_MS);
      return Object.assign(await startServer({ http: HTTP, ...config }, app), { transport, settled });
    },
  };
}

/** An event of a channel, as `bind_global` tells it. */
export type Heard = readonly [event: string, data: unknown];

export class Client {
  readonly pusher: Pusher;
  readonly states: string[] = [];
  /** The numbers of the errors the connection told of, in order. */
  readonly errors: (number | null)[] = [];
  /** The names of all frames' events. */
  readonly frames: string[] = [];

  constructor(server: ClientTarget, backend: Backend, options: ClientOptions = {}) {
    const { key = APP.key, user = "nobody", watch, ...more } = options;
    const query = new URLSearchParams({ user, ...(watch !== undefined && { watch }) });
    this.pusher = new Pusher(key, {
      cluster: "",
      wsHost: "127.0.0.1",
      wsPort: server.port,
      httpHost: "127.0.0.1",
      httpPort: server.port,
      forceTLS: false,
      enabledTransports: [server.transport ?? "ws"],
      enableStats: false,
      nacl,
      channelAuthorization: { transport: "ajax", endpoint: `${backend.url}/pusher/auth?${query}` },
      userAuthentication: { transport: "ajax", endpoint: `${backend.url}/pusher/user-auth?${query}` },
      ...more,
    });
    atEnd(() => this.pusher.disconnect());
    const { connection } = this.pusher;
    connection.bind("state_change", ({ current }: { current: string }) => this.states.push(current));
    connection.bind("error", (error: ConnectionError) => this.errors.push(codeOf(error)));
    connection.bind("message", ({ event }: { event: string }) => this.frames.push(event));
  }

  get state(): string {
    return this.pusher.connection.state;
  }

  get socketId(): string {
    return this.pusher.connection.socket_id;
  }

  async isConnected(): Promise<this> {
    await eventually(() => expect(this.state).toBe("connected"));
    return this;
  }

  /** Resolves when the server has let it in, with everything the channel says from its first moment on. */
  async subscribe(name: string): Promise<{ channel: Channel; heard: Heard[] }> {
    const { channel, heard } = this.listen(name);
    await eventually(() => expect([name, channel.subscribed, heard.find(isRefusal)]).toEqual([name, true, undefined]));
    return { channel, heard };
  }

  /** Subscribes without waiting. */
  listen(name: string): { channel: Channel; heard: Heard[] } {
    const channel = this.pusher.subscribe(name);
    const heard: Heard[] = [];
    channel.bind_global((event: string, data: unknown) => heard.push([event, data]));
    return { channel, heard };
  }

  async signIn(): Promise<void> {
    this.pusher.signin();
    await eventually(() => expect(this.pusher.user.user_data).toBeTruthy());
  }
}

type ClientTarget = Pick<Server, "port"> & Partial<Pick<PusherServer, "transport">>;

export async function connectClient(
  server: ClientTarget,
  backend: Backend,
  options: ClientOptions = {},
): Promise<Client> {
  return new Client(server, backend, options).isConnected();
}

/** The application's own events, without those of the protocol. */
export function own(heard: readonly Heard[]): Heard[] {
  return heard.filter(([event]) => !event.startsWith("pusher:"));
}

function isRefusal([event]: Heard): boolean {
  return event === "pusher:subscription_error";
}

interface ConnectionError {
  readonly data?: { readonly code?: number | null };
  readonly error?: { readonly data?: { readonly code?: number | null } };
}

function codeOf({ data, error }: ConnectionError): number | null {
  return data?.code ?? error?.data?.code ?? null;
}
