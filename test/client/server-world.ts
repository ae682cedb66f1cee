/** A real server behind a line that can be cut, and real clients of it. */

import { type Client, type ClientOptions, createClient } from "../../packages/client/src/index.ts";
import type { Server, ServerOptions } from "../../packages/server/src/index.ts";
import { atEnd } from "../support/at-end.ts";
import { trigger } from "../support/pusher-client.ts";
import { APP, type AppInput, startServer } from "../support/server.ts";
import { startProxy, type TcpProxy } from "../support/tcp-proxy.ts";

/** Channels named `kept…` keep what was published; everybody may publish everywhere. */
const CHANNELS: NonNullable<AppInput["channels"]> = [
  { match: "kept*", history: { size: 1_000, ttlS: 600 }, clientPublish: "any" },
  { match: "presence-kept*", history: { size: 1_000, ttlS: 600 }, clientPublish: "any" },
  { match: "short*", history: { size: 5, ttlS: 600 }, clientPublish: "any" },
  { match: "*", clientPublish: "any" },
];

export interface World {
  readonly server: Server;
  /** Of the server itself. */
  readonly url: string;
  readonly proxy: TcpProxy;
  /** Through the proxy. */
  client(options?: Partial<ClientOptions>): Client;
  /** Around it. */
  directClient(options?: Partial<ClientOptions>): Client;
  /** As the back end. */
  publish(channel: string, event: string, data: unknown): Promise<void>;
  /** Every connection ends; new ones may come. */
  cut(): void;
}

/** Ends with the test, or with the file at its top level. */
export async function startWorld(app: Partial<AppInput> = {}, config: ServerOptions = {}): Promise<World> {
  const limits = { clientEventsPerSecond: 10_000, ...app.limits };
  const server = await startServer(config, { anonymous: true, channels: CHANNELS, ...app, limits });
  const proxy = await startProxy(Number(new URL(server.url).port));
  const client = (url: string, options: Partial<ClientOptions> = {}) => {
    const made = createClient({ url, backoff: { minMs: 20, maxMs: 200 }, ...options });
    atEnd(() => made.close());
    return made;
  };
  return {
    server,
    url: server.url,
    proxy,
    client: (options) => client(`ws://127.0.0.1:${proxy.port}`, options),
    directClient: (options) => client(server.url, options),
    publish: async (channel, event, data) => {
      await trigger(server.url, APP, { name: event, channel, data: JSON.stringify(data) });
    },
    cut: () => {
      proxy.cut();
      proxy.mend();
    },
  };
}
