/** Fanfare as one file, made once for all tests here: alone in a folder without Node or Bun, and on every engine. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { buildExecutable, targetHere } from "../../scripts/executable/build.ts";
import { startAgent } from "../cli/mcp-agent.ts";
import { eventually } from "../support/eventually.ts";
import { startNats } from "../support/nats.ts";
import { startPostgres } from "../support/postgres.ts";
import { runCli, startProcess } from "../support/process.ts";
import { connectPusher, signedFetch } from "../support/pusher-client.ts";
import { startRedis } from "../support/redis.ts";
import { APP } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { DEPLOY } from "./proxy.ts";

setDefaultTimeout(120_000);

const ROOT = dirname(DEPLOY);
const EXECUTABLE = join(temporaryFolder(), "fanfare");
await buildExecutable(targetHere(), EXECUTABLE);

/** Nothing else is found there. */
const ALONE = { program: [EXECUTABLE] as const, env: { PATH: "/nowhere" } };

describe("the executable, alone in a folder,", () => {
  test("serves the first page and the dashboard, says how it is, and stops when told", async () => {
    const cwd = temporaryFolder();
    const server = await startProcess({ ...ALONE, cwd, config: null });
    const [, dashboard = ""] = await server.prints(/Dashboard +(http\S+)/);
    for (const address of [server.url, dashboard]) {
      const html = await (await fetch(address)).text();
      expect(html).toContain("<title>");
      expect(html).not.toMatch(/\{\{\w+\}\}/);
    }
    const status = await runCli(["status"], { ...ALONE, cwd });
    expect([status.code, status.stdout]).toEqual([0, expect.stringContaining(server.url)]);
    expect((await runCli(["stop"], { ...ALONE, cwd })).code).toBe(0);
    expect((await server.ended()).code).toBe(0);
    expect((await runCli(["status"], { ...ALONE, cwd })).code).toBe(3);
  });

  test("reads a configuration in TypeScript that imports fanfare, anew when it changes, and starts workers", async () => {
    const cwd = temporaryFolder();
    const write = (limit: number) =>
      writeFileSync(
        join(cwd, "fanfare.config.ts"),
        `import { defineConfig } from "fanfare";
        const app = ${JSON.stringify(APP)};
        export default defineConfig({ workers: 2, apps: [{ ...app, limits: { connections: ${limit} as number } }] });`,
      );
    write(100);
    const server = await startProcess({ ...ALONE, cwd, config: null });
    await eventually(async () => {
      const { stdout } = await runCli(["status", "--json"], { ...ALONE, cwd });
      expect(JSON.parse(stdout)).toMatchObject({ workers: 2 });
    });
    const clients = await Promise.all(Array.from({ length: 8 }, () => connectPusher(server.url)));
    for (const client of clients) await client.subscribe("room");
    expect((await signedFetch(server.url, APP, "POST", "/events", { body: eventFor("room") })).status).toBe(200);
    for (const client of clients) expect(await client.next("e")).toMatchObject({ data: "{}" });
    write(200);
    const reloaded = await runCli(["reload"], { ...ALONE, cwd });
    expect([reloaded.code, reloaded.stdout]).toEqual([0, expect.stringContaining(APP.id)]);
  });

  test("runs tasks in threads, from a module and from a function's text", async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "double.ts"), "export default (n: number): number => n * 2;");
    writeFileSync(
      join(cwd, "fanfare.config.ts"),
      `import { createServer } from "fanfare";
      const server = createServer({ port: 0, apps: [${JSON.stringify(APP)}] });
      const results = [
        await server.task((n: number) => n + 1, 41),
        await server.task(new URL("./double.ts", import.meta.url), 21),
      ];
      console.log("results", results.join());
      await server.stop();
      export default {};`,
    );
    const { code, stdout } = await runCli(["config", "check"], { ...ALONE, cwd });
    expect([code, stdout]).toEqual([0, expect.stringContaining("results 42,42\n")]);
  });

  test.each([
    ["redis", async () => ({ engine: "redis", redis: { url: `redis://127.0.0.1:${(await startRedis()).port}` } })],
    ["nats", async () => ({ engine: "nats", nats: { servers: [(await startNats()).address] } })],
  ] as const)("is one server with another on %s", async (_engine, prepare) => {
    const config = await prepare();
    const start = () => startProcess({ ...ALONE, config: config as object });
    const [a, b] = await Promise.all([start(), start()]);
    const client = await connectPusher(a.url);
    await client.subscribe("room");
    await eventually(async () => {
      const answer = await signedFetch(b.url, APP, "GET", "/channels/room");
      expect(await answer.json()).toMatchObject({ occupied: true });
    });
    expect((await signedFetch(b.url, APP, "POST", "/events", { body: eventFor("room") })).status).toBe(200);
    expect(await client.next("e")).toMatchObject({ channel: "room", data: "{}" });
  });

  test("gives a coding agent its tools, and has the documentation in it", async () => {
    const cwd = temporaryFolder();
    const server = await startProcess({ ...ALONE, cwd });
    const { ask } = await startAgent({ ...ALONE, cwd });
    expect((await ask("health")).value).toMatchObject({
      engine: { reachable: true },
      dashboard: `${server.url}/dashboard/`,
    });
    expect((await ask("read_docs", { page: "mcp.md" })).text).toBe(await Bun.file(join(ROOT, "docs/mcp.md")).text());
  });

  test("keeps its apps in PostgreSQL", async () => {
    const cwd = temporaryFolder();
    const env = { ...ALONE.env, FANFARE_DATABASE_URL: (await startPostgres()).url };
    const run = async (...args: string[]) => {
      const { code, stdout, stderr } = await runCli(args, { ...ALONE, env, cwd });
      expect([code, stderr]).toEqual([0, ""]);
      return stdout;
    };
    await run("migrate");
    await run("apps", "add", "--id", "shop");
    expect(await run("apps", "list")).toContain("shop");
  });
});

describe("deploy/Dockerfile", () => {
  const instructions = readFileSync(join(DEPLOY, "Dockerfile"), "utf8")
    .replaceAll(/^#.*\n/gm, "")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [, name = "", text = ""] = /^([A-Z]+) (.+)$/.exec(line) ?? [];
      return { name, text };
    });

  test("has instructions only, in two stages, and makes the executable (A51)", () => {
    const known = "FROM WORKDIR COPY RUN USER ENV EXPOSE HEALTHCHECK ENTRYPOINT CMD VOLUME ARG".split(" ");
    expect(instructions.map(({ name }) => name).filter((name) => !known.includes(name))).toEqual([]);
    expect(instructions.filter(({ name }) => name === "FROM").length).toBe(2);
    expect(instructions.map(({ text }) => text)).toContain("npm ci && npm run build:binary -- --outfile /out/fanfare");
  });

  test("copies files that the ignore file lets in, and nothing that a checkout keeps for itself", () => {
    const ignore = readFileSync(join(DEPLOY, "Dockerfile.dockerignore"), "utf8").split("\n");
    const copied = instructions.filter(({ name, text }) => name === "COPY" && !text.startsWith("--from="));
    const sources = copied.flatMap(({ text }) => text.split(" ").slice(0, -1));
    expect(sources).toContain("package-lock.json");
    for (const source of sources) {
      expect([source, existsSync(join(ROOT, source))]).toEqual([source, true]);
      expect(ignore).toContain(`!${source}`);
    }
    expect(ignore).toContain("**/.fanfare");
    expect(ignore).toContain("**/node_modules");
  });
});

function eventFor(channel: string) {
  return { name: "e", channel, data: "{}" };
}
