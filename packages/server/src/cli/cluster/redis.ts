/** A Redis of the command's own, for a cluster that is only tried out: on this machine alone, behind a password, and nothing of it stays. */

import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { CliError } from "../errors.ts";
import { SupervisedProcess } from "./supervised-process.ts";

const PROGRAMS = ["redis-server", "valkey-server"];
const READY_MS = 10_000;

export interface TemporaryRedis {
  readonly url: string;
  readonly process: SupervisedProcess;
}

/** Throws CliError where none is installed, or it does not start. */
export async function startTemporaryRedis(folder: string, say: (text: string) => void): Promise<TemporaryRedis> {
  const program = PROGRAMS.map((name) => Bun.which(name)).find((path) => path !== null);
  if (!program) {
    throw new CliError(
      "a cluster needs a Redis, and neither redis-server nor valkey-server is installed: install one, or name a running one with --redis-url redis://host:6379",
    );
  }
  const port = await freePort();
  const password = randomBytes(24).toString("hex");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, "redis.conf");
  const lines = [
    "bind 127.0.0.1",
    `port ${port}`,
    `requirepass ${password}`,
    `dir ${folder}`,
    'save ""',
    "appendonly no",
  ];
  writeFileSync(file, `${lines.join("\n")}\nlogfile redis.log\n`, { mode: 0o600 });
  // Where there is such a thing, Redis ends with this process, however that ends.
  const leash = Bun.which("setpriv");
  const command: [string, ...string[]] = leash ? [leash, "--pdeathsig", "TERM", program, file] : [program, file];
  const process = new SupervisedProcess({
    name: "Redis",
    command,
    env: globalThis.process.env,
    exitsWithParent: false,
    log: say,
  });
  process.start();
  if (!(await answers(port, process))) {
    await process.stop(0);
    throw new CliError(`${program} does not start: see ${join(folder, "redis.log")}`);
  }
  return { url: `redis://:${password}@127.0.0.1:${port}`, process };
}

async function answers(port: number, process: SupervisedProcess): Promise<boolean> {
  const untilMs = performance.now() + READY_MS;
  while (performance.now() < untilMs && process.isRunning) {
    try {
      (await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } })).end();
      return true;
    } catch {
      await Bun.sleep(50);
    }
  }
  return false;
}

function freePort(): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const server = createServer();
  server.once("error", reject);
  server.listen(0, "127.0.0.1", () => {
    const address = server.address();
    server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
  });
  return promise;
}
