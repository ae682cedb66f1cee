/** A Redis or a NATS for the time of a measurement, in a folder of its own and on a port of its own. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const READY_WITHIN_MS = 20_000;

export type StoreKind = "redis" | "nats";

export interface Store {
  readonly kind: StoreKind;
  readonly port: number;
  readonly pid: number;
  end(): Promise<void>;
}

/** Resolves when it takes connections. */
export async function startStore(kind: StoreKind): Promise<Store> {
  const folder = mkdtempSync(join(tmpdir(), "fanfare-bench-"));
  const port = freePort();
  const child = Bun.spawn(commandOf(kind, port, folder), { stdio: ["ignore", "ignore", "ignore"] });
  const end = async () => {
    child.kill("SIGKILL");
    await child.exited;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await listening(kind, port);
  } catch (error) {
    await end();
    throw error;
  }
  return { kind, port, pid: child.pid, end };
}

function commandOf(kind: StoreKind, port: number, folder: string): string[] {
  if (kind === "redis") {
    const where = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder];
    // A reader that this machine's other processes keep from its work is not to be cut by the default of 32 MB.
    const patient = ["--client-output-buffer-limit", "pubsub 512mb 256mb 60"];
    return ["redis-server", ...where, "--save", "", "--appendonly", "no", ...patient];
  }
  const config = join(folder, "server.conf");
  const store = join(folder, "jetstream");
  mkdirSync(store);
  const jetstream = `jetstream { store_dir: ${JSON.stringify(store)}, max_memory_store: 1GB, max_file_store: 64MB }`;
  writeFileSync(config, `host: 127.0.0.1\nport: ${port}\n${jetstream}\n`);
  return ["nats-server", "-c", config];
}

export function freePort(): number {
  const holder = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = holder;
  holder.stop(true);
  return port;
}

async function listening(kind: StoreKind, port: number): Promise<void> {
  const until = performance.now() + READY_WITHIN_MS;
  while (true) {
    try {
      const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
      socket.end();
      return;
    } catch (error) {
      if (performance.now() > until) throw new Error(`The bench's ${kind} does not start.`, { cause: error });
      await Bun.sleep(20);
    }
  }
}
