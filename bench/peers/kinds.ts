/** The servers that can be measured, and how each is spoken to. */

import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { APP } from "../credentials.ts";
import { doorOf } from "../pair.ts";
import type { Peer, Place } from "./peer.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

const bare: Peer = {
  name: "bare Bun",
  clusters: false,
  command: ({ port }) => [process.execPath, here("../baseline.ts"), "--port", String(port)],
  door: (channel) => doorOf("bare", channel),
  request: "pusher",
};

const fanfare: Peer = {
  name: "Fanfare",
  clusters: true,
  command: (place) => [
    process.execPath,
    here("../../packages/server/src/cli/main.ts"),
    "serve",
    "--config",
    fanfareConfig(place),
  ],
  door: (channel) => doorOf("pusher", channel),
  request: "pusher",
};

/** As `fanfare init` would write it for production: dashboard, metrics and statistics are on. */
function fanfareConfig({ port, redisPort }: Place): string {
  const folder = mkdtempSync(join(tmpdir(), "fanfare-peers-"));
  const path = join(folder, "fanfare.config.json");
  const cluster = redisPort === undefined ? {} : { engine: "redis", redis: { port: redisPort } };
  const config = { host: "127.0.0.1", port, mode: "production", stateDir: folder, log: { level: "error" }, ...cluster };
  writeFileSync(path, JSON.stringify({ ...config, apps: [APP] }));
  return path;
}

/** Socket.IO on Node, with rooms for channels and a route that publishes. It checks no signature. */
const socketIo: Peer = {
  name: "Socket.IO",
  clusters: true,
  command: ({ port, redisPort }) => ["node", here("socket-io-server.mjs"), String(port), String(redisPort ?? "")],
  door: (channel) => ({
    path: "/socket.io/?EIO=4&transport=websocket",
    hello: "40",
    more: `42${JSON.stringify(["join", channel])}`,
    // What it is told of the connection, of the namespace, and of the room.
    setupFrames: 3,
  }),
  request: "plain",
};

/** Any server of the Pusher protocol that has the bench's app. */
function pusherServer(name: string, where: string): Peer {
  return { name, ...startedBy(where), door: (channel) => doorOf("pusher", channel), request: "pusher" };
}

function centrifugo(where: string): Peer {
  return {
    name: "Centrifugo",
    ...startedBy(where),
    door: (channel) => ({
      path: "/connection/websocket",
      hello: '{"connect":{},"id":1}',
      more: JSON.stringify({ subscribe: { channel }, id: 2 }),
      setupFrames: 2,
    }),
    request: "centrifugo",
  };
}

/** A command in which `{port}` and `{redis}` are replaced, or the address of one that runs. */
function startedBy(where: string): Pick<Peer, "command" | "clusters" | "port"> {
  if (/^https?:\/\//.test(where)) {
    return { clusters: false, port: Number(new URL(where).port || 80), command: () => undefined };
  }
  const words = where.split(/\s+/).filter(Boolean);
  return {
    clusters: where.includes("{redis}"),
    command: ({ port, redisPort }) =>
      words.map((word) => word.replaceAll("{port}", String(port)).replaceAll("{redis}", String(redisPort ?? ""))),
  };
}

/** The peers that can be given on the command line. */
export const GIVEN = {
  soketi: (where: string) => pusherServer("soketi", where),
  sockudo: (where: string) => pusherServer("Sockudo", where),
  reverb: (where: string) => pusherServer("Laravel Reverb", where),
  centrifugo,
} as const;

export const ALWAYS: readonly Peer[] = [bare, fanfare, socketIo];
