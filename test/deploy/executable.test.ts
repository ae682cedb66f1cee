/** Fanfare as one file, made once for all tests here: alone in a folder without Node or Bun, on every engine, and as the image's content. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { buildExecutable, targetHere } from "../../scripts/executable/build.ts";
import { startAgent } from "../cli/mcp-agent.ts";
import { eventually } from "../support/eventually.ts";
import { startNats } from "../support/nats.ts";
import { startPostgres } from "../support/postgres.ts";
import { type CliProcess, runCli, spawnCli, startProcess } from "../support/process.ts";
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
const APP_ENV = { PUSHER_APP_ID: APP.id, PUSHER_APP_KEY: APP.key, PUSHER_APP_SECRET: APP.secret };
const DASHBOARD_ENV = { FANFARE_DASHBOARD_PASSWORD: "a password of the dashboard" };

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

/** No image is built here, so its last stage is laid out in a folder, and run there, where this user may. */
describe("deploy/Dockerfile", () => {
  const instructions = readFileSync(join(DEPLOY, "Dockerfile"), "utf8")
    .replaceAll(/^#.*\n/gm, "")
    .replaceAll(/\\\n\s*/g, "")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [, name = "", text = ""] = /^([A-Z]+) (.+)$/.exec(line) ?? [];
      return { name, text };
    });
  const last = instructions.slice(instructions.findLastIndex(({ name }) => name === "FROM"));
  const textOf = (name: string) => last.find((one) => one.name === name)?.text ?? "";
  const [, port = ""] = /^PORT=(\d+)$/.exec(textOf("ARG")) ?? [];
  const env = Object.fromEntries(
    Array.from(
      textOf("ENV")
        .replace("$PORT", port)
        .matchAll(/(\w+)=(\S+)/g),
      ([, key, value]) => [key, value],
    ),
  );
  const [, healthCommand = "[]"] = /CMD (\[.+\])$/.exec(textOf("HEALTHCHECK")) ?? [];
  const wordsOf = (text: string) => JSON.parse(text) as string[];

  test("has instructions only, in two stages, and ends as a user that is not root (A51)", () => {
    const known = "FROM WORKDIR COPY RUN USER ENV EXPOSE HEALTHCHECK ENTRYPOINT CMD VOLUME ARG".split(" ");
    expect(instructions.map(({ name }) => name).filter((name) => !known.includes(name))).toEqual([]);
    expect(instructions.filter(({ name }) => name === "FROM").length).toBe(2);
    expect(textOf("USER")).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    expect([port, textOf("EXPOSE")]).toEqual(["9501", "$PORT"]);
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

  test("makes the executable, and its image runs it with nothing but the C library: healthy by its own check, until SIGTERM", async () => {
    expect(instructions.map(({ text }) => text)).toContain("npm ci && npm run build:binary -- --outfile /out/fanfare");
    const image = await layOut();
    const state = env.FANFARE_STATE_DIR ?? "";
    const settings = { ...env, ...APP_ENV, ...DASHBOARD_ENV, FANFARE_HOST: "127.0.0.1", FANFARE_PORT: "0" };
    const [program = "", ...entry] = wordsOf(textOf("ENTRYPOINT"));
    const inside = (words: readonly string[], more: object) =>
      spawnCli(words.slice(1), {
        program: image.enter(words[0] ?? ""),
        cwd: image.folder,
        env: { ...more, FANFARE_STATE_DIR: image.path(state) },
      });
    const child = inside([program, ...entry, ...wordsOf(textOf("CMD"))], settings);
    await isServing(child);
    // It may write to its volume, and has nothing to complain of.
    expect(readdirSync(join(image.folder, state))).toContain("fanfare.db");
    expect(levelsIn(child.output).filter((level) => level >= WARN)).toEqual([]);
    expect((await inside(wordsOf(healthCommand), {}).ended()).code).toBe(0);
    expect(await child.stop("SIGTERM")).toEqual({ code: 0, signal: null });
    expect((await inside(wordsOf(healthCommand), {}).ended()).code).not.toBe(0);
  });

  test("has a volume for what the server remembers, which belongs to its user", () => {
    const folder = textOf("VOLUME");
    expect(env.FANFARE_STATE_DIR).toBe(folder);
    const owned = last.filter(({ name, text }) => name === "COPY" && text.endsWith(` ${folder}`));
    expect(owned.map(({ text }) => text)).toEqual([`--from=build --chown=${textOf("USER")} /state ${folder}`]);
  });

  /** Where this is root on Linux, it is entered as a container is: as another root folder, and as the image's user. */
  async function layOut() {
    const folder = temporaryFolder();
    chmodSync(folder, 0o755);
    for (const { name, text } of last) {
      const [source = "", target = ""] = text.split(" ").filter((word) => !word.startsWith("--"));
      if (name !== "COPY") continue;
      mkdirSync(dirname(join(folder, target)), { recursive: true });
      if (source === "/out/fanfare") cpSync(EXECUTABLE, join(folder, target));
      else mkdirSync(join(folder, target));
    }
    const state = join(folder, env.FANFARE_STATE_DIR ?? "");
    chmodSync(state, 0o777);
    if (!mayMount()) {
      return {
        folder,
        path: (path: string) => join(folder, path),
        enter: (path: string) => [join(folder, path)] as const,
      };
    }
    const libraries = Bun.spawnSync(["ldd", EXECUTABLE]).stdout.toString();
    for (const [path] of libraries.matchAll(/\/\S+/g)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      cpSync(path, join(folder, path), { dereference: true });
    }
    for (const name of ["tmp", "proc", "dev"]) mkdirSync(join(folder, name), { mode: 0o755 });
    const become = `mount --bind /proc proc && mount --bind /dev dev && exec chroot --userspec=${textOf("USER")} . "$@"`;
    const enter = (path: string) => ["unshare", "--mount", "sh", "-c", become, "sh", path] as const;
    return { folder, path: (path: string) => path, enter };
  }
});

function mayMount(): boolean {
  return (
    process.platform === "linux" && process.getuid?.() === 0 && Bun.spawnSync(["unshare", "--mount", "true"]).success
  );
}

const WARN = 40;

/** Of the lines of the log. */
function levelsIn(output: string): number[] {
  return output.split("\n").flatMap((line) => (line.startsWith("{") ? [Number(JSON.parse(line).level)] : []));
}

function eventFor(channel: string) {
  return { name: "e", channel, data: "{}" };
}

/** Resolves when it says where it listens, and answers there. */
async function isServing(child: CliProcess): Promise<void> {
  const [, port] = await child.prints(/Port\s+(\d+)/);
  await eventually(async () => expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200));
}
