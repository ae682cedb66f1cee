/** Every version and build of pusher-js, each time anew: `recover` changes the class that it gets, and other tests want it unchanged. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type Pusher from "pusher-js";
import type { Channel, Options } from "pusher-js";
import nacl from "tweetnacl";
import { type RecoverOptions, recover } from "../../packages/client/src/pusher/index.ts";
import { atEnd } from "../support/at-end.ts";
import { APP } from "../support/server.ts";

export type PusherClass = typeof Pusher;

const MODULES = join(import.meta.dir, "..", "..", "node_modules");

/** Those that `recover` takes; the last is the newest. */
export const VERSIONS = ["pusher-js-8.2", "pusher-js-8.4", "pusher-js"] as const;
export type Version = (typeof VERSIONS)[number] | "pusher-js-8.0";

/** A class that nobody else has. `build` is a file below `dist`. */
export function freshPusher(version: Version = "pusher-js", build = "node/pusher.js"): PusherClass {
  const file = join(MODULES, version, "dist", build);
  const module = { exports: {} as { Pusher?: PusherClass } };
  const native = createRequire(file);
  const require = (name: string) => (name.startsWith("@react-native") ? NET_INFO : native(name));
  const given = { module, exports: module.exports, require, ...(/^(web|cjs)/.test(build) && browserGlobals()) };
  new Function(...Object.keys(given), readFileSync(file, "utf8"))(...Object.values(given));
  return (module.exports.Pusher ?? module.exports) as PusherClass;
}

/** What React Native has beside the language. */
const NET_INFO = { fetch: async () => ({ type: "WIFI" }), addEventListener: () => () => {} };

/** As much of a page as pusher-js needs to connect. Real pages are in the tests with Chromium. */
function browserGlobals() {
  const document = { body: {}, location: { protocol: "http:" } };
  const timers = { setTimeout, clearTimeout, setInterval, clearInterval };
  const window = { ...timers, WebSocket, XMLHttpRequest: undefined, JSON, crypto, document, addEventListener() {} };
  return { window, self: window, document };
}

export function recoveringPusher(options: RecoverOptions = {}, version: Version = "pusher-js"): PusherClass {
  const Fresh = freshPusher(version);
  recover(Fresh, options);
  return Fresh;
}

export type Heard = readonly [event: string, data: unknown];

/** An instance, and what it went through. Ends with the test. */
export interface Client {
  readonly pusher: Pusher;
  readonly states: string[];
  /** Subscribes, and keeps what the channel says: the application's events and `fanfare:…`. */
  listen(channel: string): { channel: Channel; heard: Heard[] };
}

export function connect(Class: PusherClass, port: number, options: Partial<Options> = {}): Client {
  const pusher = new Class(APP.key, {
    cluster: "",
    wsHost: "127.0.0.1",
    wsPort: port,
    wssPort: port,
    forceTLS: false,
    enabledTransports: ["ws", "wss"],
    nacl,
    ...options,
  });
  atEnd(() => pusher.disconnect());
  const states: string[] = [];
  pusher.connection.bind("state_change", ({ current }: { current: string }) => states.push(current));
  const listen = (name: string) => {
    const channel = pusher.subscribe(name);
    const heard: Heard[] = [];
    channel.bind_global((event: string, data: unknown) => {
      if (!event.startsWith("pusher:")) heard.push([event, data]);
    });
    return { channel, heard };
  };
  return { pusher, states, listen };
}

/** The data of the application's events, in the order they came in. */
export function dataOf(heard: readonly Heard[]): unknown[] {
  return heard.flatMap(([event, data]) => (event.startsWith("fanfare:") ? [] : [data]));
}

/** The names of the events that `recover` adds. */
export function marksOf(heard: readonly Heard[]): string[] {
  return heard.flatMap(([event]) => (event.startsWith("fanfare:") ? [event] : []));
}
