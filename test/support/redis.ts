/** Real Redis servers on free ports: alone, with sentinels, or as a cluster. Each ends with the test, or the file, that started it. */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { DEFAULTS, type RedisSettings } from "../../packages/server/src/engines/redis/settings.ts";
import { atEnd } from "./at-end.ts";
import { eventually } from "./eventually.ts";
import { external } from "./external.ts";
import { freePort } from "./ports.ts";

const SERVER = external("redis-server");
const READY_WITHIN_MS = 20_000;
/** A cluster's servers talk to each other on a port this much higher. */
const BUS_OFFSET = 10_000;

export interface RedisOptions {
  /** Fixed, for a server that is to come back where it was. */
  readonly port?: number;
  readonly args?: readonly string[];
  readonly password?: string;
}

export class RedisServer {
  readonly port: number;
  readonly folder: string;
  readonly #args: readonly string[];
  readonly #password: string | undefined;
  #child: ChildProcess | undefined;

  constructor(port: number, args: readonly string[], password: string | undefined) {
    this.port = port;
    this.folder = mkdtempSync(join(tmpdir(), "fanfare-redis-"));
    this.#args = args;
    this.#password = password;
  }

  async start(): Promise<void> {
    const where = ["--port", String(this.port), "--bind", "127.0.0.1", "--dir", this.folder];
    const lasting = ["--save", "", "--appendonly", "no", "--daemonize", "no"];
    const login = this.#password === undefined ? [] : ["--requirepass", this.#password];
    this.#child = spawn(SERVER, [...where, ...lasting, ...login, ...this.#args], { stdio: "ignore" });
    await eventually(() => this.cli("PING").then((answer) => expectAnswer(answer, "PONG")), {
      withinMs: READY_WITHIN_MS,
    });
  }

  /** Runs one command as somebody else would. */
  async cli(...command: readonly [string, ...string[]]): Promise<unknown> {
    const redis = new Redis({
      host: "127.0.0.1",
      port: this.port,
      lazyConnect: true,
      retryStrategy: () => null,
      ...(this.#password !== undefined && { password: this.#password }),
    });
    redis.on("error", () => {});
    try {
      await redis.connect();
      const [name, ...args] = command;
      return await redis.call(name, ...args);
    } finally {
      redis.disconnect();
    }
  }

  signal(name: "SIGSTOP" | "SIGCONT"): void {
    this.#child?.kill(name);
  }

  /** The power is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
  }

  /** As whoever runs it stops it: it writes down what it has first, where it writes anything down. */
  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await gone;
  }

  async end(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export async function startRedis({ port, args = [], password }: RedisOptions = {}): Promise<RedisServer> {
  const server = new RedisServer(port ?? (await freePort()), args, password);
  atEnd(() => server.end());
  await server.start();
  return server;
}

/** Masters only, each with a third of the slots. `announced` is where a server says it is, by where it listens. */
export async function startRedisCluster(
  masters = 3,
  announced?: (port: number) => Promise<number>,
): Promise<readonly RedisServer[]> {
  const servers: RedisServer[] = [];
  for (let n = 0; n < masters; n++) {
    const port = await freePort(BUS_OFFSET);
    const elsewhere = announced && [
      "--cluster-announce-port",
      String(await announced(port)),
      "--cluster-announce-bus-port",
      String(port + BUS_OFFSET),
    ];
    const args = [
      "--cluster-enabled",
      "yes",
      "--cluster-node-timeout",
      "2000",
      "--cluster-require-full-coverage",
      "no",
      ...(elsewhere ?? []),
    ];
    servers.push(await startRedis({ port, args }));
  }
  const addresses = servers.map(({ port }) => `127.0.0.1:${port}`);
  const made = Bun.spawn([external("redis-cli"), "--cluster", "create", ...addresses, "--cluster-yes"], {
    stderr: "inherit",
  });
  const said = await new Response(made.stdout).text();
  if ((await made.exited) !== 0) throw new Error(`The cluster could not be made:\n${said}`);
  for (const server of servers) {
    await eventually(
      async () => expectAnswer(String(await server.cli("CLUSTER", "INFO")).slice(0, 16), "cluster_state:ok"),
      {
        withinMs: READY_WITHIN_MS,
      },
    );
  }
  return servers;
}

export interface Sentinels {
  readonly master: RedisServer;
  readonly replica: RedisServer;
  readonly ports: readonly number[];
}

/** Resolves when it has what its master has. */
export async function startReplica(master: RedisServer): Promise<RedisServer> {
  const replica = await startRedis({ args: ["--replicaof", "127.0.0.1", String(master.port)] });
  await eventually(
    async () => expectAnswer(/state=online/.test(String(await master.cli("INFO", "replication"))), true),
    { withinMs: READY_WITHIN_MS },
  );
  return replica;
}

/** A master, a replica, and three sentinels that agree on it. `announced` is where the sentinels believe the master is, by where it listens. */
export async function startSentinels(
  name = "mymaster",
  announced: (port: number) => Promise<number> = async (port) => port,
): Promise<Sentinels> {
  const master = await startRedis();
  const replica = await startReplica(master);
  const ports: number[] = [];
  const at = await announced(master.port);
  for (let n = 0; n < 3; n++) ports.push(await startSentinel(name, at));
  const [first = 0] = ports;
  await eventually(
    async () => {
      expectAnswer(await sentinelKnows(first, name, "num-slaves"), "1");
      expectAnswer(await sentinelKnows(first, name, "num-other-sentinels"), "2");
    },
    { withinMs: READY_WITHIN_MS, everyMs: 100 },
  );
  return { master, replica, ports };
}

async function startSentinel(name: string, master: number): Promise<number> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "fanfare-sentinel-"));
  const file = join(folder, "sentinel.conf");
  const lines = [
    `port ${port}`,
    "bind 127.0.0.1",
    `dir ${folder}`,
    `sentinel monitor ${name} 127.0.0.1 ${master} 2`,
    `sentinel down-after-milliseconds ${name} 1000`,
    `sentinel failover-timeout ${name} 5000`,
  ];
  writeFileSync(file, `${lines.join("\n")}\n`);
  const child = spawn(SERVER, [file, "--sentinel"], { stdio: "ignore" });
  atEnd(() => {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });
  return port;
}

async function sentinelKnows(port: number, name: string, what: string): Promise<unknown> {
  const redis = new Redis({ host: "127.0.0.1", port, lazyConnect: true, retryStrategy: () => null });
  redis.on("error", () => {});
  try {
    await redis.connect();
    const answer = await redis.call("SENTINEL", "MASTER", name);
    const said = Array.isArray(answer) ? answer : [];
    return said[said.indexOf(what) + 1];
  } finally {
    redis.disconnect();
  }
}

/** How an engine finds the server; each call has a prefix of its own. */
export function settingsFor(at: number | RedisSettings["topology"], more: Partial<RedisSettings> = {}): RedisSettings {
  const topology = typeof at === "number" ? ({ type: "server", at: { host: "127.0.0.1", port: at } } as const) : at;
  return { ...DEFAULTS, topology, prefix: `t-${crypto.randomUUID().slice(0, 8)}`, ...more };
}

/** How a connection begins on which a node listens: the one for commands says HELLO. */
export const LISTENS = /^(?!.*hello)/is;

/** Of connections that are subscribed to what has the prefix, and no others. */
export function onlyPongs(prefix: string) {
  return {
    which: new RegExp(`subscribe[^]*${prefix}`),
    passes: (answer: string) => (answer.match(/\+PONG\r\n|\*2\r\n\$4\r\npong\r\n\$0\r\n\r\n/g) ?? []).join(""),
  };
}

function expectAnswer(answer: unknown, expected: unknown): void {
  if (answer !== expected) throw new Error(`expected ${String(expected)}, got ${String(answer)}`);
}
