/** `npm start`, `npx fanfare` and `node packages/server/bin/fanfare.js`: no server is left behind by what started it, and none is lost with it. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { controlPath } from "../../packages/server/src/server/lifecycle/control-socket.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { external } from "../support/external.ts";
import { type CliOptions, type CliProcess, spawnCli } from "../support/process.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const PROC = external("proc");

setDefaultTimeout(120_000);

const ROOT = join(import.meta.dir, "..", "..");
const BIN = join(ROOT, "packages", "server", "bin", "fanfare.js");

const FOLDER = temporaryFolder();
const NO_EXECVE = join(FOLDER, "no-execve.cjs");
writeFileSync(NO_EXECVE, "process.execve = undefined;");
/** A Node that cannot become another program, whichever version this machine has: it stays, and starts the server beside it. */
const STAYING = ["node", "--require", NO_EXECVE] as const;

/** This machine's Node where it can, else one that npm brings. */
async function becomingNode(): Promise<string> {
  if (can("node")) return "node";
  const name = `node-${process.platform}-${process.arch}`;
  const install = [
    "install",
    "--no-save",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--prefix",
    FOLDER,
    `${name}@24`,
  ];
  const { exitCode, stderr } = Bun.spawnSync(["npm", ...install]);
  const binary = join(FOLDER, "node_modules", name, "bin", "node");
  if (exitCode !== 0 || !can(binary)) throw new Error(`a newer Node is needed: npm ${install.join(" ")}\n${stderr}`);
  return binary;
}

function can(node: string): boolean {
  return Bun.spawnSync([node, "-p", "typeof process.execve"]).stdout.toString().trim() === "function";
}

function childrenOf(pid: number): number[] {
  return readFileSync(`${PROC}/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
}

interface Started {
  readonly child: CliProcess;
  readonly url: string;
  /** The server's own process. */
  readonly pid: number;
}

/** Whatever started it, `/health` answers, and its control socket tells which process it is. */
async function start(program: readonly [string, ...string[]], options: CliOptions = {}): Promise<Started> {
  const cwd = options.cwd ?? temporaryFolder();
  const stateDir = join(cwd, "state");
  const child = spawnCli([], { program, cwd, env: { ...FROM_OUTSIDE, ...SETTINGS, FANFARE_STATE_DIR: stateDir } });
  const status = await eventually(
    async () => {
      if (child.hasEnded && !existsSync(controlPath(stateDir))) throw new Error(child.output);
      const answer = await fetch("http://fanfare/status", { unix: controlPath(stateDir) });
      return (await answer.json()) as { readonly pid: number; readonly url: string };
    },
    { withinMs: 60_000, everyMs: 200 },
  );
  atEnd(() => kill(status.pid));
  return { child, url: status.url, pid: status.pid };
}

const SETTINGS = {
  PUSHER_APP_ID: APP.id,
  PUSHER_APP_KEY: APP.key,
  PUSHER_APP_SECRET: APP.secret,
  FANFARE_HOST: "127.0.0.1",
  FANFARE_PORT: "0",
};

/** The tests themselves run under npm: what they start shall not think that it was started by it. */
const FROM_OUTSIDE = Object.fromEntries(
  Object.keys(process.env)
    .filter((name) => name.startsWith("npm_"))
    .map((name) => [name, ""]),
);

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

async function isGone(url: string): Promise<void> {
  await eventually(() => expect(fetch(`${url}/health`)).rejects.toThrow(), { withinMs: 30_000, everyMs: 100 });
}

/** Longer than it takes to notice that a parent is gone, some times over. */
async function staysUp(url: string): Promise<void> {
  for (let second = 0; second < 5; second++) {
    await Bun.sleep(1_000);
    expect((await fetch(`${url}/health`)).status).toBe(200);
  }
}

describe("a server whose launcher is gone", () => {
  test.each(["SIGKILL", "SIGQUIT"] as const)("by %s drains its clients and ends", async (signal) => {
    const { child, url } = await start([...STAYING, BIN, "serve"]);
    const client = await connectPusher(url);
    child.signal(signal);
    expect((await client.socket.closed).code).toBe(4200);
    await isGone(url);
  });

  test.each([
    ["npm start", ["npm", "start", "--prefix", ROOT], "SIGTERM"],
    ["npm start", ["npm", "start", "--prefix", ROOT], "SIGKILL"],
    ["npx fanfare", ["npx", "--prefix", ROOT, "fanfare"], "SIGTERM"],
  ] as const)("%s ends with its npm: %p, %s", async (_name, program, signal) => {
    const { child, url } = await start(program);
    child.signal(signal);
    await isGone(url);
  });

  test("a listener ends with it, too", async () => {
    const { url } = await start([...STAYING, BIN, "serve"]);
    const listening = spawnCli(["listen", "room", "--url", url, "--key", APP.key, "--secret", APP.secret], {
      program: [...STAYING, BIN],
    });
    await listening.prints(/room/);
    const [pid = 0] = childrenOf(listening.pid);
    listening.signal("SIGKILL");
    await eventually(() => expect(existsSync(`${PROC}/${pid}`)).toBe(false), { withinMs: 30_000 });
  });
});

describe("a server goes on", () => {
  test("when the shell that put it in the background ends", async () => {
    const { child, url } = await start(["sh", "-c", `${STAYING.join(" ")} ${BIN} serve >/dev/null 2>&1 & sleep 1`]);
    await child.ended();
    await staysUp(url);
  });

  test("when a service manager that started it is started anew", async () => {
    const { child, url } = await start(["sh", "-c", `${STAYING.join(" ")} ${BIN} serve >/dev/null 2>&1; :`]);
    child.signal("SIGKILL");
    await staysUp(url);
  });

  test("when the script of npm that put it in the background ends", async () => {
    const cwd = temporaryFolder();
    const scripts = { up: `${STAYING.join(" ")} ${BIN} serve >/dev/null 2>&1 & sleep 1` };
    writeFileSync(join(cwd, "package.json"), JSON.stringify({ scripts }));
    const { child, url } = await start(["npm", "run", "up"], { cwd });
    await child.ended();
    await staysUp(url);
  });

  test("when the terminal is gone in which nohup started it", async () => {
    const cwd = temporaryFolder();
    const line = `nohup ${STAYING.join(" ")} ${BIN} serve`;
    const { child, url } = await start(["script", "-qfec", line, "/dev/null"], { cwd });
    child.signal("SIGKILL");
    await eventually(() => expect(readFileSync(join(cwd, "nohup.out"), "utf8")).toContain("reloaded"));
    await staysUp(url);
  });
});

describe("with a Node that can become another program", () => {
  test("the launcher becomes the server: no second process, and signals and exit codes are its own", async () => {
    const { child, url, pid } = await start([await becomingNode(), BIN, "serve"]);
    expect(pid).toBe(child.pid);
    expect(readFileSync(`${PROC}/${pid}/cmdline`, "utf8")).not.toContain("fanfare.js");
    const client = await connectPusher(url);
    child.signal("SIGTERM");
    expect((await client.socket.closed).code).toBe(4200);
    expect(await child.ended()).toEqual({ code: 0, signal: null });
  });

  test("it ends with the npm that started it", async () => {
    const cwd = temporaryFolder();
    writeFileSync(
      join(cwd, "package.json"),
      JSON.stringify({ scripts: { start: `"${await becomingNode()}" "${BIN}" serve` } }),
    );
    const { child, url } = await start(["npm", "start"], { cwd });
    child.signal("SIGTERM");
    await isGone(url);
  });
});
