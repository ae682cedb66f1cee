/** Real nats-servers, alone or three of a cluster, that can be killed, stopped and started again where they were. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { atEnd } from "./at-end.ts";
import { eventually } from "./eventually.ts";
import { external } from "./external.ts";
import { freePorts } from "./ports.ts";

const PROGRAM = external("nats-server");
const PATIENCE_MS = 60_000;

export interface NatsOptions {
  /** Any that is free, unless it is named. */
  readonly port?: number;
  /** Further lines of its configuration. */
  readonly more?: string;
  /** Without JetStream. */
  readonly isPlain?: boolean;
}

export class NatsServer {
  readonly port: number;
  /** In a cluster, where each has one. */
  readonly name: string;
  readonly #folder: string;
  #child: Bun.Subprocess | undefined;

  constructor(port: number, folder: string, name: string) {
    this.port = port;
    this.name = name;
    this.#folder = folder;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get pid(): number {
    if (!this.#child) throw new Error("nats-server does not run");
    return this.#child.pid;
  }

  /** Resolves when it takes connections. */
  async start(): Promise<void> {
    const log = Bun.file(join(this.#folder, "log"));
    this.#child = Bun.spawn([PROGRAM, "-c", join(this.#folder, "server.conf")], {
      stdio: ["ignore", log, log],
    });
    await eventually(() => greeted(this.port), { withinMs: PATIENCE_MS, everyMs: 20 });
  }

  /** Names of the streams that it has. */
  async streams(): Promise<readonly string[]> {
    const nats = await connect({ servers: this.address });
    try {
      const found: string[] = [];
      for await (const name of (await jetstreamManager(nats)).streams.names()) found.push(name);
      return found;
    } finally {
      await nats.close();
    }
  }

  /** The name of the server that leads the stream. */
  async leaderOf(stream: string): Promise<string | undefined> {
    const nats = await connect({ servers: this.address });
    try {
      return (await (await jetstreamManager(nats)).streams.info(stream)).cluster?.leader;
    } finally {
      await nats.close();
    }
  }

  signal(name: NodeJS.Signals): void {
    this.#child?.kill(name);
  }

  /** Takes no more connections, and sends away those that there are. */
  async lameDuck(): Promise<void> {
    await Bun.spawn([PROGRAM, "--signal", `ldm=${this.pid}`], { stdio: ["ignore", "ignore", "ignore"] }).exited;
  }

  /** Nothing of it is left when this resolves. */
  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#child?.exited;
    this.#child = undefined;
  }
}

/** One server, with JetStream. */
export async function startNats(options: NatsOptions = {}): Promise<NatsServer> {
  const [free = 0] = await freePorts(1);
  const server = serverOf(options.port ?? free, "", "", options);
  atEnd(() => server.kill());
  await server.start();
  return server;
}

/** Three servers that keep three copies. Resolves when they have chosen a leader. */
export async function startNatsCluster(): Promise<readonly NatsServer[]> {
  const ports = await freePorts(6);
  const [routes, clients] = [ports.slice(0, 3), ports.slice(3)];
  const servers = clients.map((port, n) => {
    const others = routes.map((route) => `nats://127.0.0.1:${route}`).join(", ");
    const cluster = `cluster { name: fanfare-test, listen: "127.0.0.1:${routes[n]}", routes: [${others}] }`;
    return serverOf(port, `server-${n}`, `server_name: server-${n}\n${cluster}`, {});
  });
  for (const server of servers) atEnd(() => server.kill());
  await Promise.all(servers.map((server) => server.start()));
  return servers;
}

function serverOf(
  port: number,
  name: string,
  cluster: string,
  { more = "", isPlain = false }: NatsOptions,
): NatsServer {
  const folder = mkdtempSync(join(tmpdir(), "fanfare-nats-"));
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  const store = join(folder, "jetstream");
  mkdirSync(store);
  const jetstream = `jetstream { store_dir: ${JSON.stringify(store)}, max_memory_store: 256MB, max_file_store: 64MB }`;
  const lameDuck = "lame_duck_duration: 30s\nlame_duck_grace_period: 1s";
  writeFileSync(
    join(folder, "server.conf"),
    `host: 127.0.0.1\nport: ${port}\n${lameDuck}\n${isPlain ? "" : jetstream}\n${cluster}\n${more}\n`,
  );
  return new NatsServer(port, folder, name);
}

/** Of all connections, only the answers to PING. */
export const ONLY_PONGS = { which: /./, passes: (answer: string) => (answer.match(/PONG\r\n/g) ?? []).join("") };

/** Of all connections, everything but what the stream tells. */
export function nothingTold(prefix: string) {
  const told = new RegExp(`H?MSG ${prefix}\\.o\\.[^]*?\\r\\n(?=H?MSG |PONG\\r\\n|PING\\r\\n|$)`, "g");
  return { which: /./, passes: (answer: string) => answer.replaceAll(told, "") };
}

async function greeted(port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data: (_, bytes) => (bytes.toString().startsWith("INFO ") ? resolve() : reject(new Error("no NATS"))),
      close: () => reject(new Error("it hung up")),
      error: (_, error) => reject(error),
    },
  });
  try {
    await promise;
  } finally {
    socket.end();
  }
}
