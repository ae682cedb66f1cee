/** `fanfare cluster up`: real processes, real ports, and nothing left of them. */

import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { isAlive } from "../../packages/server/src/cli/daemon/processes.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative } from "../support/native-client.ts";
import { freePort } from "../support/ports.ts";
import { type CliProcess, runCli, spawnCli } from "../support/process.ts";
import { startRedis } from "../support/redis.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const PATIENCE_MS = 60_000;
const TEST_MS = 150_000;

interface Node {
  readonly url: string;
  readonly pid: number;
}

/** Waits until it says where they all are. */
async function nodesOf(cluster: CliProcess, count: number): Promise<readonly Node[]> {
  await cluster.prints(/Ctrl\+C stops all of them/, PATIENCE_MS);
  const found = [...cluster.stdout.matchAll(/^node (\d+) {2}(http:\S+) {2}\(process (\d+)\)$/gm)];
  const nodes = found
    .toSorted(([, one], [, other]) => Number(one) - Number(other))
    .map(([, , url = "", pid]) => ({ url, pid: Number(pid) }));
  expect(nodes).toHaveLength(count);
  return nodes;
}

/** The first of so many free ports in a row. */
async function freePorts(count: number): Promise<number> {
  while (true) {
    const first = await freePort();
    const taken = await Promise.all(
      Array.from({ length: count }, async (_, index) => {
        try {
          Bun.listen({ hostname: "0.0.0.0", port: first + index, socket: { data() {} } }).stop(true);
          return false;
        } catch {
          return true;
        }
      }),
    );
    if (!taken.includes(true)) return first;
  }
}

describe("fanfare cluster up (S19)", () => {
  test(
    "starts nodes on consecutive ports that are one server, starts one again that dies, and stops all of them",
    async () => {
      const cwd = temporaryFolder();
      const port = await freePorts(3);
      const cluster = spawnCli(["cluster", "up", "--nodes", "3", "--port", String(port)], { cwd });
      const nodes = await nodesOf(cluster, 3);
      expect(nodes.map(({ url }) => url)).toEqual([0, 1, 2].map((index) => `http://127.0.0.1:${port + index}`));
      const clients = await Promise.all(nodes.map(({ url }) => connectNative(url)));
      const [first, , last] = clients;
      for (const client of clients) await client.subscribe("presence-none").catch(() => client.subscribe("room"));
      const { key } = await Bun.file(join(cwd, ".fanfare", "demo-app.json")).json();
      const list = await (await fetch(`${nodes[2]?.url}/nodes?app=${key}&strategy=least_connections`)).json();
      expect(list.nodes).toHaveLength(3);
      const { stdout } = await runCli(["publish", "room", "said", "hello", "--url", nodes[0]?.url ?? ""], { cwd });
      expect(stdout).not.toBe("");
      for (const client of clients) expect((await client.next("said")).data).toBe("hello");
      const status = await runCli(["status", "--json", "--state-dir", join(cwd, ".fanfare", "cluster", "node-1")], {
        cwd,
      });
      expect(JSON.parse(status.stdout).nodes).toHaveLength(3);

      process.kill(nodes[1]?.pid ?? 0, "SIGKILL");
      await cluster.prints(/node 2 ended \(SIGKILL\); it starts again in 0\.5 s/, PATIENCE_MS);
      await eventually(async () => expect((await fetch(`${nodes[1]?.url}/ready`)).status).toBe(200), {
        withinMs: PATIENCE_MS,
        everyMs: 200,
      });
      await first?.ping();

      const ended = await cluster.stop("SIGINT", PATIENCE_MS);
      expect(ended.code).toBe(0);
      expect((await last?.socket.closed)?.code).toBe(4200);
      for (const { pid, url } of nodes) {
        expect(isAlive(pid)).toBe(false);
        await expect(fetch(`${url}/health`)).rejects.toThrow();
      }
      expect(existsSync(join(cwd, ".fanfare", "cluster", "redis"))).toBe(false);
    },
    TEST_MS,
  );

  test(
    "uses the Redis it is given; its nodes stop when the command is killed",
    async () => {
      const redis = await startRedis();
      const port = await freePorts(2);
      const url = `redis://127.0.0.1:${redis.port}`;
      const args = ["cluster", "up", "--nodes", "2", "--port", String(port), "--redis-url", url];
      const cluster = spawnCli(args);
      const nodes = await nodesOf(cluster, 2);
      expect(String(await redis.cli("KEYS", "*"))).toContain("fanfare");
      await cluster.kill();
      await eventually(() => expect(nodes.filter(({ pid }) => isAlive(pid))).toEqual([]), {
        withinMs: PATIENCE_MS,
        everyMs: 100,
      });
    },
    TEST_MS,
  );

  test(
    "says what is wrong, and leaves nothing running",
    async () => {
      const port = await freePorts(2);
      const taken = Bun.serve({ port: port + 1, fetch: () => new Response("mine", { status: 404 }) });
      const cluster = spawnCli(["cluster", "up", "--nodes", "2", "--port", String(port)]);
      const { code } = await cluster.ended(PATIENCE_MS);
      await taken.stop(true);
      expect(code).toBe(1);
      expect(cluster.stderr).toContain(`port ${port + 1} is already in use`);
      expect(cluster.stderr).toContain("fanfare: node 2 does not start");
      await expect(fetch(`http://127.0.0.1:${port}/health`)).rejects.toThrow();
    },
    TEST_MS,
  );

  test.each([
    [["--nodes", "0"], "--nodes is a whole number from 1 to 64"],
    [["--nodes", "many"], "--nodes is a whole number from 1 to 64"],
    [["--port", "65535"], "3 nodes need as many ports"],
    [["--redis-url", "localhost"], "--redis-url is an address that begins with redis://"],
  ])("refuses %p with one line", async (args, why) => {
    const { code, stderr } = await runCli(["cluster", "up", ...args]);
    expect([code, stderr.split("\n").length]).toEqual([1, 2]);
    expect(stderr).toContain(`fanfare: ${why}`);
  });

  test("says what to install where there is no Redis", async () => {
    const bun = process.execPath;
    const main = join(import.meta.dir, "../../packages/server/src/cli/main.ts");
    const { code, stderr } = await runCli(["cluster", "up"], { program: [bun, main], env: { PATH: "/nowhere" } });
    expect(code).toBe(1);
    expect(stderr).toContain("neither redis-server nor valkey-server is installed");
  });
});
