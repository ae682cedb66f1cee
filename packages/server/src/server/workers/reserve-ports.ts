/** The port that several processes are to share: free, and used by no other program. */

import type { Config } from "../../config/schema/schema.ts";
import { codeOf } from "../../domain/thrown.ts";

export interface ReservedPorts {
  readonly config: Config;
  /** Lets go of the ports that were picked: the workers have them now. */
  release(): void;
}

/** A server that was killed a moment ago has workers that are about to go. */
const TAKEN_TIMEOUT_MS = 1_000;
const RETRY_MS = 50;

/**
 * The configuration with its ports. One that is 0 is picked, and held until the workers have it. Throws what Bun throws:
 * EADDRINUSE, EACCES, EADDRNOTAVAIL.
 */
export async function reservePorts(config: Config): Promise<ReservedPorts> {
  const main = await reserve(config.host, config.port);
  const { tls } = config;
  try {
    const api = tls?.api && (await reserve(tls.api.host ?? config.host, tls.api.port));
    return {
      config: {
        ...config,
        port: main.port,
        ...(tls?.api && api && { tls: { ...tls, api: { ...tls.api, port: api.port } } }),
      },
      release: () => {
        main.release();
        api?.release();
      },
    };
  } catch (error) {
    main.release();
    throw error;
  }
}

interface ReservedPort {
  readonly port: number;
  release(): void;
}

async function reserve(hostname: string, port: number): Promise<ReservedPort> {
  // The kernel picks none that is in use, shared or not. No client knows of it yet.
  if (port === 0) {
    const holding = listen(hostname, port, true);
    return { port: holding.port ?? port, release: () => void holding.stop(true) };
  }
  await checkUnused(hostname, port);
  return { port, release: () => {} };
}

/** Sharing would work with any other program of the same user as well: two servers would take each other's clients. */
async function checkUnused(hostname: string, port: number): Promise<void> {
  const deadline = performance.now() + TAKEN_TIMEOUT_MS;
  while (true) {
    try {
      await listen(hostname, port, false).stop(true);
      return;
    } catch (error) {
      const isTaken = codeOf(error) === "EADDRINUSE";
      if (!isTaken || performance.now() >= deadline) throw error;
      await Bun.sleep(RETRY_MS);
    }
  }
}

function listen(hostname: string, port: number, reusePort: boolean) {
  return Bun.serve({ hostname, port, reusePort, fetch: () => new Response(null, { status: 503 }) });
}
