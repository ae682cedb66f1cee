/** The bench runs, from end to end and with little to do. How fast anything is, no test can say. */

import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { APP } from "../../bench/credentials.ts";
import { external } from "../support/external.ts";
import { scaled } from "../support/soak.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

// What the benches start, and where they read the processor time of processes.
external("redis-server");
external("nats-server");
external("proc");

type Script = "main.ts" | "cluster.ts" | "dashboard.ts" | "peers.ts" | "profile.ts" | "restart.ts";

const bench = (...args: string[]) => run("main.ts", args);

async function run(script: Script, args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const path = join(import.meta.dir, "../../bench", script);
  const child = Bun.spawn([process.execPath, path, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, out, err };
}

describe("the bench", () => {
  /** What each section is headed, and how many rows its table has. All of them take minutes on a busy machine. */
  const ALL = {
    fanout: ["Fan-out", 16],
    transports: ["Transports", 7],
    http: ["Signed HTTP triggers", 12],
    client: ["Client events", 8],
    connections: ["Connections", 3],
    memory: ["Memory per connection", 6],
    latency: ["Latency at 20 000 deliveries per second", 6],
    held: ["Held writes", 21],
    recovery: ["Recovery", 8],
    history: ["History", 2],
    start: ["Start", 4],
    rest: ["At rest", 7],
  } as const;
  const { fanout, recovery } = ALL;
  const PICKED = scaled<Partial<typeof ALL>>(ALL, { fanout, recovery });

  test(`measures and prints numbers only: ${Object.keys(PICKED).join(", ")}`, async () => {
    const { code, out, err } = await bench("--tiny", ...Object.keys(PICKED).flatMap((name) => ["--only", name]));
    expect(err).toBe("");
    expect(code).toBe(0);
    const titles = [...out.matchAll(/^## (.*)$/gm)].map(([, title]) => title);
    expect(titles).toEqual(Object.values(PICKED).map(([title]) => title));
    expect(out).not.toMatch(/NaN|undefined|Infinity/);
    const rows = out.match(/^\| .*$(?!\n\|-)/gm) ?? [];
    expect(rows.length).toBe(Object.values(PICKED).reduce((sum, [, count]) => sum + count, 0));
    expect(rows.filter((row) => !/\d+(?:\.\d+)? (?:µs|B|ms|ms\/s) +\|/.test(row))).toEqual([]);
  }, 600_000);

  test("measures only what it is asked for", async () => {
    const { code, out } = await bench("--tiny", "--only", "http");
    expect(code).toBe(0);
    expect([...out.matchAll(/^## (.*)$/gm)].map(([, title]) => title)).toEqual(["Signed HTTP triggers"]);
  }, 30_000);

  test("says how it is used when it is asked for something else", async () => {
    const { code, out, err } = await bench("--only", "coffee");
    expect(code).toBe(1);
    expect(out).toBe("");
    expect(err).toStartWith("Usage: ");
  });
});

describe("the bench of several processes", () => {
  /** What each section is headed, and how many lines of numbers it has. */
  const SECTIONS = {
    deliveries: ["Deliveries to 20 readers", 5],
    ...scaled(
      {
        joins: ["Joins of presence channels", 4],
        reap: ["A node dies", 3],
        cost: ["What one publication costs", 8],
        listeners: ["Nodes that listen", 6],
        history: ["With history", 4],
        forwarding: ["Sessions of another node", 10],
        connections: ["Many connections on one machine", 2],
      } as const,
      {},
    ),
  } as const satisfies Record<string, readonly [string, number]>;

  test(`measures workers, Redis and NATS, and prints numbers only: ${Object.keys(SECTIONS).join(", ")}`, async () => {
    const only = Object.keys(SECTIONS).flatMap((name) => ["--only", name]);
    const { code, out, err } = await run("cluster.ts", ["--tiny", ...only]);
    expect(err).toBe("");
    expect(code).toBe(0);
    const titles = [...out.matchAll(/^## (.*)$/gm)].map(([, title]) => title);
    expect(titles).toEqual(Object.values(SECTIONS).map(([title]) => title));
    expect(out).not.toMatch(/NaN|undefined|Infinity/);
    expect(out.match(/^\| .*\d (?:µs|ms|B) +\|/gm)?.length).toBe(
      Object.values(SECTIONS).reduce((sum, [, lines]) => sum + lines, 0),
    );
  }, 120_000);

  test("takes any number of connections (A3)", async () => {
    const { code, out } = await run("cluster.ts", ["--tiny", "--only", "connections", "--connections", "130"]);
    expect(code).toBe(0);
    expect(out).toMatch(/^\| 2 workers \| +130 \|/m);
  }, 60_000);

  test.each([
    ["--connections", "many"],
    ["--connections", "0"],
    ["--only", "coffee"],
  ])("does not take %s %s", async (option, value) => {
    const { code, out, err } = await run("cluster.ts", [option, value]);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toStartWith("Usage: npm run bench:cluster ");
  });
});

test("the bench of the dashboard signs in, watches, and prints numbers only", async () => {
  const { code, out, err } = await run("dashboard.ts", ["--tiny"]);
  expect([code, err]).toEqual([0, ""]);
  expect(out).toMatch(/^\| a dashboard: everything +\| +\d+\.\d \| +\d+\.\d\d × \|$/m);
}, 60_000);

describe("the profile of a section of the bench", () => {
  test("says in numbers only what each part of the server takes, and finds the functions", async () => {
    const { code, out, err } = await run("profile.ts", ["client", "--only", "pusher, 10", "--for", "200"]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).not.toMatch(/NaN|undefined|Infinity/);
    for (const part of ["hub", "protocols", "Bun and the kernel"])
      expect(out).toMatch(new RegExp(`^\\| ${part} +\\| +\\d+\\.\\d\\d \\(\\d+ %\\) \\|$`, "m"));
    expect(out).toMatch(/^\| all +\| +\d+\.\d\d µs \|$/m);
    expect(out).toMatch(/^\| \S+ \(hub\/[\w/-]+\.ts:\d+\) +\| +\d+\.\d{3} \|$/m);
  }, 60_000);

  test("looks into the Redis engine by itself, beside Bun's client", async () => {
    const { code, out, err } = await run("profile.ts", ["redis", "--only", "join and leave", "--for", "100"]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).not.toMatch(/NaN|undefined|Infinity/);
    for (const row of ["engines/redis", "Bun and the kernel"])
      expect(out).toMatch(new RegExp(`^\\| ${row} +\\| +\\d+\\.\\d\\d \\(\\d+ %\\) \\|$`, "m"));
    expect(out).toMatch(/^\| Bun's client +\| +\d+\.\d\d µs \|$/m);
  }, 60_000);

  test.each(["coffee", "client http", "client --for ever", ""])("does not take: %s", async (line) => {
    const { code, out, err } = await run("profile.ts", line.split(" ").filter(Boolean));
    expect([code, out]).toEqual([1, ""]);
    expect(err).toStartWith("Usage: npm run bench:profile -- client|fanout|http|connections|redis ");
  });
});

test("the bench of a rolling restart swaps both nodes, and nobody misses anything", async () => {
  const { code, out, err } = await run("restart.ts", ["--tiny"]);
  expect([code, err]).toEqual([0, ""]);
  expect(out).toMatch(/^\| missed \/ heard twice \/ in another order \/ told of a gap \| +0 \/ 0 \/ 0 \/ 0 \|$/m);
}, 120_000);

test("the bench of the peers measures Fanfare beside Socket.IO and a server that it is given, and prints numbers only", async () => {
  const entry = join(import.meta.dir, "../../packages/server/src/cli/main.ts");
  const config = join(temporaryFolder(), "fanfare.config.json");
  writeFileSync(config, JSON.stringify({ host: "127.0.0.1", log: { level: "error" }, apps: [APP] }));
  // Fanfare once more, as a server of the Pusher protocol that is started by a command.
  const given = `${process.execPath} ${entry} serve --config ${config} --port {port}`;
  const sections = scaled(["triggers", "latency", "rest", "nodes"], ["triggers"]);
  const only = sections.flatMap((name) => ["--only", name]);
  const { code, out, err } = await run("peers.ts", ["--tiny", ...only, "--reverb", given]);
  expect([code, err]).toEqual([0, ""]);
  expect(out).not.toMatch(/NaN|undefined|Infinity/);
  expect(out.match(/^## /gm)).toHaveLength(sections.length);
  for (const name of ["bare Bun", "Fanfare", "Socket.IO", "Laravel Reverb"])
    expect(out).toMatch(new RegExp(`^\\| ${name} +\\| +\\d+ µs.* \\d+ µs`, "m"));
}, 180_000);

test("the bench of the peers says which server does not start", async () => {
  const { code, err } = await run("peers.ts", ["--tiny", "--only", "triggers", "--soketi", "false"]);
  expect(code).not.toBe(0);
  expect(err).toContain("soketi does not start: false");
}, 60_000);
