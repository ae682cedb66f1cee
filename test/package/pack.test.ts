/** The package as people get it: packed, installed into an empty folder, run with nothing but Node and npm. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { appendFileSync, copyFileSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { startAgent } from "../cli/mcp-agent.ts";
import { copyOfCheckout } from "../support/packing.ts";
import { spawnCli, startProcess } from "../support/process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const ROOT = join(import.meta.dir, "..", "..");
const INSTALL_MS = 120_000;
const NATS_TARBALL = "fanfare-nats-0.1.0.tgz";
/** What npm has on this machine already it need not ask for again. */
const QUIET = ["--prefer-offline", "--no-audit", "--no-fund"];

setDefaultTimeout(60_000);

const packed = temporaryFolder();
const installed = temporaryFolder();
const env = { PATH: pathWithoutBun() };

await npm(["pack", "--silent", "--workspace", "packages/server", "--pack-destination", packed], copyOfCheckout());
const [tarball = ""] = readdirSync(packed);
writeFileSync(join(installed, "package.json"), JSON.stringify({ name: "somebody", private: true, type: "module" }));
await npm(["install", ...QUIET, join(packed, tarball)], installed);

describe("the packed package", () => {
  test("holds what runs and what documents it, and nothing else", () => {
    const folder = join(installed, "node_modules", "fanfare");
    expect(readdirSync(folder).sort()).toEqual(
      ["CHANGELOG.md", "LICENSE", "README.md", "bin", "dist", "docs", "package.json"].sort(),
    );
    expect(readdirSync(join(folder, "dist")).sort()).toEqual(["chunks", "dashboard", "src", "testing", "types"]);
  });

  test("serves the dashboard that it was packed with, and builds none", async () => {
    const page = join(installed, "node_modules", "fanfare", "dist", "dashboard", "index.html");
    appendFileSync(page, "<!-- packed -->");
    const program = [join(installed, "node_modules", ".bin", "fanfare")] as const;
    const server = await startProcess({ program, cwd: installed, env });
    const html = await (await fetch(`${server.url}/dashboard/`)).text();
    expect(html).toEndWith("<!-- packed -->");
    const names = Array.from(html.matchAll(/(?:src|href)="([^"]+)"/g), ([, name = ""]) => name);
    expect(names).toHaveLength(3);
    for (const name of names) expect((await fetch(`${server.url}/dashboard/${name}`)).status).toBe(200);
    await server.stop("SIGTERM");
  });

  test("serves on a machine with only Node and npm, and stops when told to", async () => {
    const server = await startProcess({ program: ["npx", "fanfare"], cwd: installed, env });
    const { status } = await fetch(`${server.url}/health`);
    expect(status).toBe(200);
    // npx passes a signal on to the shell it starts, which does not; so this is sent as a terminal sends it.
    process.kill(-server.pid, "SIGTERM");
    await server.ended();
    await expect(fetch(`${server.url}/health`)).rejects.toThrow();
  });

  test("ends with exit code 0 when the installed command is stopped", async () => {
    const program = [join(installed, "node_modules", ".bin", "fanfare")] as const;
    const server = await startProcess({ program, cwd: installed, env });
    expect(await server.stop("SIGTERM")).toEqual({ code: 0, signal: null });
  });

  test(
    "also starts where install scripts did not run",
    async () => {
      const folder = temporaryFolder();
      for (const file of ["package.json", "package-lock.json"]) copyFileSync(join(installed, file), join(folder, file));
      await npm(["ci", "--ignore-scripts", ...QUIET], folder);
      const program = [join(folder, "node_modules", ".bin", "fanfare")] as const;
      const server = await startProcess({ program, cwd: folder, env });
      expect(await server.stop("SIGTERM")).toEqual({ code: 0, signal: null });
    },
    INSTALL_MS,
  );

  test("gives a coding agent its tools by npx, with the documentation that it was packed with", async () => {
    const { client, ask } = await startAgent({ program: ["npx", "fanfare"], cwd: installed, env });
    expect((await client.listTools()).tools.length).toBeGreaterThan(10);
    expect((await ask("health")).text).toStartWith("No server is running here");
    const page = Bun.file(join(installed, "node_modules", "fanfare", "docs", "mcp.md"));
    expect((await ask("read_docs", { page: "mcp.md" })).text).toBe(await page.text());
  });

  test("is imported by a Bun program", async () => {
    const program = `
      import { createServer } from "fanfare";
      const app = { id: "a", key: "k", secret: "s" };
      const server = createServer({ host: "127.0.0.1", port: 0, apps: [app], log: { level: "silent" } });
      await server.start();
      console.log("health", (await fetch(server.url + "/health")).status);
      await server.stop();
    `;
    writeFileSync(join(installed, "program.ts"), program);
    const child = spawnCli(["program.ts"], { program: [process.execPath], cwd: installed });
    expect(await child.ended()).toEqual({ code: 0, signal: null });
    expect(child.stdout).toBe("health 200\n");
  });

  test.each([
    ["import", 'import { createServer } from "fanfare"; createServer();', "program.mjs"],
    ["require", 'const { createServer } = require("fanfare"); createServer();', "program.cjs"],
  ])("says what to do where Node does %s it", async (_how, program, name) => {
    writeFileSync(join(installed, name), program);
    const child = spawnCli([name], { program: ["node"], cwd: installed, env });
    expect((await child.ended()).code).toBe(1);
    expect(child.stderr).toContain("fanfare runs under Bun, which it brings along: start this program with `npx bun");
    expect(child.stderr).not.toMatch(/SyntaxError|ERR_/);
  });

  test("gives Node the names that it gives Bun, so that an import comes as far as that sentence", async () => {
    const text = await Bun.file(join(ROOT, "packages", "server", "bin", "needs-bun.cjs")).text();
    const names = Array.from(text.matchAll(/exports\.(\w+)/g), ([, name]) => name);
    expect(names.sort()).toEqual(Object.keys(await import("../../packages/server/src/index.ts")).sort());
  });

  test("needs nothing that does not run on the Node that it names", async () => {
    const { engines } = await Bun.file(join(ROOT, "packages", "server", "package.json")).json();
    const { packages } = await Bun.file(join(ROOT, "package-lock.json")).json();
    const [, oldest = ""] = /^>=(\d+)$/.exec(engines.node) ?? [];
    const refusing = Object.entries(packages as Record<string, { readonly engines?: { readonly node?: string } }>)
      // Only tests use the AI SDK, in Bun and in browsers.
      .filter(([name]) => !/node_modules\/(?:ai|@ai-sdk\/[\w-]+)$/.test(name))
      .filter(([, { engines: wanted }]) => !Bun.semver.satisfies(`${oldest}.19.0`, wanted?.node ?? "*"))
      .map(([name, { engines: wanted }]) => `${name}: ${wanted?.node}`);
    expect(refusing).toEqual([]);
  });

  test("has types that a strict program compiles against", async () => {
    const program = `
      import { createServer, type ConfigInput, type EngineFactory } from "fanfare";
      import { engineContract } from "fanfare/testing";
      const options: ConfigInput = { port: 0 };
      const server = createServer(options);
      const url: string = server.url;
      // @ts-expect-error: the port is a number
      createServer({ port: "none" });
      const engine: EngineFactory = () => { throw new Error("not made"); };
      createServer({ engine, apps: { byKey: () => undefined, byId: async () => ({ id: "a", key: "k", secret: "s" }) } });
      export const suite = engineContract;
      export { url };
    `;
    writeFileSync(join(installed, "typed.ts"), program);
    const tsc = join(ROOT, "node_modules", ".bin", "tsc");
    const flags = ["--noEmit", "--strict", "--module", "nodenext", "--target", "esnext"];
    const child = spawnCli([...flags, "typed.ts"], { program: [tsc], cwd: installed });
    await child.ended();
    expect(child.output).toBe("");
  });
  test(
    "says how to get the NATS engine, and runs on it once its package is there",
    async () => {
      const program = [join(installed, "node_modules", ".bin", "fanfare")] as const;
      const args = ["--engine", "nats", "--nats-servers", '["127.0.0.1:1"]'];
      const missing = spawnCli(["serve", "--port", "0", ...args], { program, cwd: installed, env });
      expect((await missing.ended()).code).toBe(1);
      expect(missing.stderr.trim()).toBe(
        'fanfare: engine "nats" needs the package @fanfare/nats, which is not installed: npm install @fanfare/nats',
      );
      await npm(["pack", "--silent", "--workspace", "packages/nats", "--pack-destination", packed], ROOT);
      await npm(["install", "--no-audit", "--no-fund", join(packed, NATS_TARBALL)], installed);
      const server = await startProcess({ program, cwd: installed, env, args });
      // It runs, and there is no NATS at that address.
      expect((await fetch(`${server.url}/ready`)).status).toBe(503);
      expect(await server.stop("SIGTERM")).toEqual({ code: 0, signal: null });
    },
    INSTALL_MS,
  );
});

async function npm(args: readonly string[], cwd: string): Promise<void> {
  const child = spawnCli(args, { program: ["npm"], cwd, env });
  const { code } = await child.ended(INSTALL_MS);
  if (code !== 0) throw new Error(`npm ${args.join(" ")} ended with ${code}:\n${child.output}`);
}

/** `npm test` puts this checkout's Bun on the path; people who install the package have none there. */
function pathWithoutBun(): string {
  const folder = join(temporaryFolder(), "bin");
  mkdirSync(folder);
  for (const name of ["node", "npm", "npx"]) {
    const found = Bun.which(name);
    if (found === null) throw new Error(`${name} is not on the path`);
    symlinkSync(found, join(folder, name));
  }
  const folders = (process.env.PATH ?? "").split(delimiter).filter((it) => Bun.which("bun", { PATH: it }) === null);
  return [folder, ...folders.filter((it) => it !== dirname(process.execPath))].join(delimiter);
}
