/** A Redis for a cluster that is only tried out: on this machine alone, behind a password, and nothing of it stays. */

import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { CliError } from "../errors.ts";
import { SupervisedProcess } from "./supervised-process.ts";

const PROGRAMS = ["redis-server", "valkey-server"];
const READY_MS = 10_000;

export interface TemporaryRedis {
  readonly url: string;
  readonly process: SupervisedProcess;
}

/** Throws CliError where none is installed, or it does not start. */
export async function startTemporaryRedis(): Promise<TemporaryRedis> {
  const program = PROGRAMS.map((name) => Bun.which(name)).find((path) => path !== null);
  if (!program) {
    throw new CliError(
      "a cluster needs a Redis, and neither redis-server nor valkey-server is installed: install one, or name a running one with --redis-url redis://host:6379",
    );
  }
  const port = freePort();
  const password = randomBytes(24).toString("hex");
  const lines = [
    "bind 127.0.0.1",
    `port ${port}`,
    `requirepass ${password}`,
    `dir ${tmpdir()}`,
    'save ""',
    "appendonly no",
  ];
  // Where there is such a thing, Redis ends with this process, however that ends.
  const setpriv = Bun.which("setpriv");
  const bound = setpriv === null ? [] : [setpriv, "--pdeathsig", "TERM"];
  // It reads its configuration, with the password in it, from the standard input.
  const [first = program, ...rest] = [...bound, program, "-"];
  const process = new SupervisedProcess({ name: "Redis", command: [first, ...rest], input: `${lines.join("\n")}\n` });
  if (await answers(port, process)) return { url: `redis://:${password}@127.0.0.1:${port}`, process };
  await process.stop(0);
  throw new CliError(`${program} does not start: start one yourself, and name it with --redis-url`);
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

function freePort(): number {
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  probe.stop(true);
  return probe.port;
}
