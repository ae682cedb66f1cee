/** A real server inside the test's own process, on a free port, with one app whose keys are the protocol's test vectors'. */

import { type ConfigInput, createServer, type Server, type ServerOptions } from "../../packages/server/src/index.ts";
import { atEnd } from "./at-end.ts";

export interface AppKeys {
  readonly id: string;
  readonly key: string;
  readonly secret: string;
}

export type AppInput = NonNullable<ConfigInput["apps"]>[number];

export const APP = {
  id: "app",
  key: "278d425bdf160c739803",
  secret: "7ad3773142a6692b25b8",
  clientEvents: true,
} as const satisfies AppInput & AppKeys;

/**
 * Starts one that stops with the test, or with the file when called at its top level. `config` replaces settings as a
 * whole; `app` changes single settings of the default app.
 */
export async function startServer(config: ServerOptions = {}, app: Partial<AppInput> = {}): Promise<Server> {
  const server = createServer({
    host: "127.0.0.1",
    port: 0,
    drainTimeoutS: 1,
    log: { level: "silent" },
    apps: [{ ...APP, ...app }],
    ...config,
  });
  atEnd(() => server.stop());
  await server.start();
  return server;
}

/** `ws://…` for `http://…`. */
export function socketUrl(url: string, path = ""): string {
  return url.replace(/^http/, "ws") + path;
}
