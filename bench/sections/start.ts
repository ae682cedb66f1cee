/** How long it takes until a server answers, and what it holds while nobody is there. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "../cluster/store.ts";
import { childrenOf, cpuUsOf, privateBytesOf, residentBytesOf } from "../cpu.ts";
import { makePackage } from "../make-package.ts";
import { alternate, type Effort, fixed, median, ratio, type Table, times } from "../table.ts";

/** What a server has to load for its first clients it has loaded when so many measuring times are over. */
const SETTLED = 3;

interface Measured {
  readonly readyMs: number;
  readonly cpuMs: number;
  readonly resident: number;
  readonly private: number;
}

export async function start({ rounds, forMs }: Effort): Promise<Table> {
  const folder = mkdtempSync(join(tmpdir(), "fanfare-start-"));
  try {
    await makePackage(folder);
    const servers = serversIn(folder);
    const results = await alternate(rounds, servers, ([, command]) => measure(command, forMs));
    const bare = results[0]?.map(({ readyMs }) => readyMs) ?? [];
    const rows = results.map((mine, index) => {
      const middle = (key: keyof Measured, digits = 0) => fixed(median(mine.map((one) => one[key])), digits);
      const ready = mine.map(({ readyMs }) => readyMs);
      return [
        servers[index]?.[0] ?? "",
        `${middle("readyMs")} ms`,
        index === 0 ? "" : times(ratio(ready, bare)),
        `${middle("cpuMs")} ms`,
        `${middle("resident", 1)} MB`,
        `${middle("private", 1)} MB`,
      ];
    });
    return { title: "Start", note: NOTE, head: HEAD, rows };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const NOTE = [
  "`fanfare serve` in an empty folder, from the start of the process until `/health` answers; then without clients. Private is",
  "memory that no other process shares (RssAnon). A Node that cannot become Bun (before 22.15) stays beside it, and is counted.",
].join("\n");
const HEAD = ["server", "ready after", "ratio", "CPU until then", "resident", "private"];

function serversIn(folder: string): readonly (readonly [name: string, command: readonly string[]])[] {
  const bun = [process.execPath, "--no-env-file"];
  const fileOf = (path: string) => fileURLToPath(new URL(path, import.meta.url));
  const node = Bun.which("node");
  return [
    ["bare Bun", [...bun, fileOf("../bare.ts")]],
    ["Fanfare, package", [...bun, join(folder, "dist/src/cli/main.js"), "serve"]],
    ["Fanfare, sources", [...bun, fileOf("../../packages/server/src/cli/main.ts"), "serve"]],
    ...(node ? [["Fanfare, package, by Node", [node, join(folder, "bin/fanfare.js"), "serve"]] as const] : []),
  ];
}

async function measure(command: readonly string[], forMs: number): Promise<Measured> {
  const cwd = mkdtempSync(join(tmpdir(), "fanfare-start-"));
  const port = freePort();
  const env = { ...process.env, FANFARE_PORT: String(port), FANFARE_LOG_LEVEL: "error" };
  const startedAtMs = performance.now();
  const child = Bun.spawn([...command], { cwd, env, stdio: ["ignore", "ignore", "inherit"] });
  try {
    await answers(port, child);
    const readyMs = performance.now() - startedAtMs;
    const all = () => [child.pid, ...childrenOf(child.pid)];
    const cpuMs = cpuUsOf(...all()) / 1_000;
    await Bun.sleep(forMs * SETTLED);
    const [resident, own] = [residentBytesOf(...all()) / 2 ** 20, privateBytesOf(...all()) / 2 ** 20];
    return { readyMs, cpuMs, resident, private: own };
  } finally {
    child.kill("SIGTERM");
    await child.exited;
    rmSync(cwd, { recursive: true, force: true });
  }
}

async function answers(port: number, child: Bun.Subprocess): Promise<void> {
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined);
    if (answer?.ok) return;
    if (child.exitCode !== null) throw new Error("the server ended before it answered");
    await Bun.sleep(1);
  }
}
