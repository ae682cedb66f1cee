/**
 * The places of pusher-js that `recover` holds on to. They are the same in every build since 8.2, but no documented API: whether they are
 * there and still do what they did is tried before anything is changed.
 */

import type Pusher from "pusher-js";

/** An instance's settings. Each instance has an object of its own. */
export interface Config {
  readonly wsHost?: string;
  readonly httpHost?: string;
  readonly disabledTransports?: readonly string[];
}

interface TransportOptions {
  readonly httpPath?: string;
}

type DefineTransport = (
  config: Config,
  name: string,
  type: string,
  priority: number,
  options: TransportOptions,
  ...more: unknown[]
) => unknown;

/** What of a WebSocket pusher-js uses. That of its Node build is not the standard's class. */
export interface Socket {
  onopen?: (() => void) | undefined;
  onerror?: ((error: unknown) => void) | undefined;
  onmessage?: ((message: { readonly data: unknown }) => void) | undefined;
  onclose?: ((event: CloseReason) => void) | undefined;
  send(frame: string): void;
  close(): void;
}

export interface CloseReason {
  readonly code: number;
  readonly reason?: string;
  readonly wasClean?: boolean;
}

export interface Runtime {
  /** Runs when an instance is made, and when it changes to TLS or to another cluster. */
  getDefaultStrategy(config: Config, options: object, define: DefineTransport): unknown;
  createWebSocket(url: string): Socket;
  readonly Transports: {
    readonly ws: {
      readonly hooks: {
        getSocket(url: string): unknown;
        readonly urls: { getInitial(key: string, options: TransportOptions): string };
      };
    };
  };
}

const PROBE = "/probe";

/** Throws where a seam is missing: events would be lost silently. */
export function runtimeOf(PusherClass: typeof Pusher): Runtime {
  const runtime = (PusherClass as { readonly Runtime?: unknown } | undefined)?.Runtime as Runtime | undefined;
  if (!runtime) throw new Error('recover() needs the class Pusher of pusher-js: `import Pusher from "pusher-js"`.');
  const { paths, url } = tryOut(runtime);
  const [, version, major, minor] = /[?&]version=((\d+)\.(\d+)[^&]*)/.exec(url) ?? [];
  if (Number(major) < 8 || (major === "8" && Number(minor) < 2))
    throw new Error(
      `recover() needs pusher-js 8.2 or newer. This is ${version}, which gives up for good after two broken connections.`,
    );
  const { unsubscribe, channel } = PusherClass.prototype;
  const parts: unknown[] = [version, unsubscribe, channel, PusherClass.instances];
  const isComplete = parts.every(Boolean) && paths.includes(PROBE) && url.includes(`${PROBE}/app/`);
  if (!isComplete) throw new Error(`recover() does not fit this pusher-js (${version}): its inside has changed.`);
  return runtime;
}

/** Which path prefixes an instance's transports would get, and which address a socket. */
function tryOut(runtime: Runtime): { paths: (string | undefined)[]; url: string } {
  const paths: (string | undefined)[] = [];
  let url = "";
  const { createWebSocket } = runtime;
  try {
    runtime.getDefaultStrategy({ wsPath: PROBE } as Config, {}, (_config, _name, _type, _priority, { httpPath }) => {
      paths.push(httpPath);
      return {};
    });
    runtime.createWebSocket = (asked) => {
      url = asked;
      return {} as Socket;
    };
    const { hooks } = runtime.Transports.ws;
    hooks.getSocket(hooks.urls.getInitial("key", { httpPath: PROBE }));
  } catch {
    // What it did not do is not there: the caller says so.
  } finally {
    runtime.createWebSocket = createWebSocket;
  }
  return { paths, url };
}
