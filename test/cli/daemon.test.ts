/** The server in the background: started, asked, told to reload, restarted and stopped by the command line. */

import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { isAlive } from "../../packages/server/src/cli/daemon/processes.ts";
import type { Status } from "../../packages/server/src/index.ts";
import { eventually } from "../support/eventually.ts";
import { external } from "../support/external.ts";
import { connectPusher, dialPusher, trigger } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { run, start } from "./run.ts";

setDefaultTimeout(30_000);

const PROGRAM = join(import.meta.dir, "../../packages/server/src/cli/main.ts");
const SETTINGS = { host: "127.0.0.1", port: 0, drainTimeoutS: 1, apps: [APP] };
/** Processes of the background, which nobody is the parent of. */
const started = new Set<number>();

afterAll(() => {
  for (const pid of started) if (isAlive(pid)) process.kill(pid, "SIGKILL");
});

function folder(settings: object = SETTINGS): string {
  const cwd = temporaryFolder();
  configure(cwd, settings);
  return cwd;
}

function configure(cwd: string, settings: object): void {
  writeFileSync(join(cwd, "fanfare.config.json"), JSON.stringify(settings));
}

async function daemon(cwd: string, args: readonly string[] = [], stateDir?: string) {
  const { code, stdout, stderr } = await run(["serve", "--daemon", ...args], { cwd });
  if (code !== 0) throw new Error(stderr);
  const status = await statusIn(cwd, stateDir);
  started.add(status.pid);
  return { ...status, stdout };
}

/** Named, so that a configuration that prints things is not read for it. */
async function statusIn(cwd: string, stateDir = ".fanfare"): Promise<Status & { running: boolean }> {
  return JSON.parse((await run(["status", "--json", "--state-dir", stateDir], { cwd })).stdout);
}

function state(cwd: string): string {
  return join(cwd, ".fanfare");
}

describe("fanfare serve --daemon (A26, O8)", () => {
  test("ends when the server listens, with its banner, and the server lives on without a terminal", async () => {
    const cwd = folder();
    const { pid, url, stdout, daemon: isDaemon } = await daemon(cwd);
    expect(stdout).toContain(`\n  WebSocket        ${url.replace("http", "ws")}/app/${APP.key}\n`);
    expect(stdout).toContain(`Running in the background as process ${pid}: stop it with \`fanfare stop\`\n`);
    expect(stdout).not.toContain("Ctrl+C");
    expect(isDaemon).toBe(true);
    expect((await fetch(`${url}/ready`)).status).toBe(200);
    // Session and process group are its own, the terminal is none.
    const [, , group, session, terminal] =
      readFileSync(`${external("proc")}/${pid}/stat`, "utf8")
        .split(") ")[1]
        ?.split(" ") ?? [];
    expect([group, session, terminal]).toEqual([String(pid), String(pid), "0"]);
    expect(readFileSync(join(state(cwd), "fanfare.pid"), "utf8")).toBe(`${pid}\n`);
    expect(statSync(join(state(cwd), "control.sock")).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(state(cwd), "fanfare.log"), "utf8")).toContain('"msg":"listening"');
    expect((await run(["stop"], { cwd })).code).toBe(0);
    const left = readdirSync(state(cwd));
    expect(left.filter((name) => /pid|sock/.test(name))).toEqual([]);
    expect(left).toEqual(expect.arrayContaining(["fanfare.log", "fanfare.out"]));
  });

  test("refuses to start twice in one place, and the first goes on", async () => {
    const cwd = folder();
    const { pid, url } = await daemon(cwd);
    const { code, stderr } = await run(["serve", "-d"], { cwd });
    expect([code, stderr]).toEqual([
      1,
      `fanfare: a server is already running here, as process ${pid}: stop it with \`fanfare stop\`, or give this one a folder of its own with --state-dir\n`,
    ]);
    expect((await fetch(`${url}/health`)).status).toBe(200);
    expect((await statusIn(cwd)).pid).toBe(pid);
    // Two at once: one of them gets the place.
    await run(["stop"], { cwd });
    const codes = await Promise.all([1, 2, 3].map(async () => (await run(["serve", "-d"], { cwd })).code));
    started.add((await statusIn(cwd)).pid);
    expect(codes.toSorted()).toEqual([0, 1, 1]);
    await run(["stop"], { cwd });
  });

  test("says why it could not start, with exit code 1, and leaves nothing running", async () => {
    const { port } = new URL((await daemon(folder())).url);
    const cwd = folder({ ...SETTINGS, port: Number(port) });
    const taken = await run(["serve", "-d"], { cwd });
    expect([taken.code, taken.stdout]).toEqual([1, ""]);
    expect(taken.stderr).toBe(
      `fanfare: port ${port} is already in use on 127.0.0.1: stop the other program or choose another with --port\n`,
    );
    expect(existsSync(join(state(cwd), "fanfare.pid"))).toBe(false);
    expect((await run(["status"], { cwd })).code).toBe(3);
    const wrong = await run(["serve", "-d", "--port", "x"], { cwd });
    expect([wrong.code, wrong.stderr]).toEqual([
      1,
      'fanfare: `port` has to be a whole number from 0 to 65535, but is "x" (from --port)\n',
    ]);
  });

  test("is not held up by the pid file of a dead process, nor of one whose number another program has", async () => {
    const cwd = folder();
    const first = await daemon(cwd);
    process.kill(first.pid, "SIGKILL");
    await eventually(() => expect(isAlive(first.pid)).toBe(false));
    expect(existsSync(join(state(cwd), "fanfare.pid"))).toBe(true);
    expect((await run(["status"], { cwd })).code).toBe(3);
    const second = await daemon(cwd);
    expect(second.pid).not.toBe(first.pid);
    await run(["stop"], { cwd });
    const stranger = Bun.spawn(["sleep", "60"]);
    writeFileSync(join(state(cwd), "fanfare.pid"), `${stranger.pid}\n`);
    expect((await run(["stop"], { cwd })).stdout).toBe("no server is running here\n");
    await daemon(cwd);
    await run(["stop"], { cwd });
    expect(stranger.killed).toBe(false);
    expect(isAlive(stranger.pid)).toBe(true);
    stranger.kill();
  });

  test("takes a number that is a younger server's for another's", async () => {
    const [here, there] = [folder(), folder()];
    mkdirSync(state(here));
    const file = join(state(here), "fanfare.pid");
    writeFileSync(file, "");
    const other = await daemon(there);
    // Written, as the times say, an hour before that server began.
    writeFileSync(file, `${other.pid}\n`);
    const anHourAgo = new Date(Date.now() - 3_600_000);
    utimesSync(file, anHourAgo, anHourAgo);
    expect((await run(["stop"], { cwd: here })).stdout).toBe("no server is running here\n");
    await daemon(here);
    await run(["stop"], { cwd: here });
    expect((await statusIn(there)).pid).toBe(other.pid);
  });

  test("says where it cannot write its files", async () => {
    const cwd = folder({ ...SETTINGS, stateDir: "file/below" });
    writeFileSync(join(cwd, "file"), "");
    const { code, stderr } = await run(["serve", "-d"], { cwd });
    expect([code, stderr]).toMatchObject([1, expect.stringContaining("fanfare: cannot write ")]);
  });

  test("works where the path of the socket is longer than a socket's may be", async () => {
    const stateDir = "d".repeat(150);
    const cwd = folder({ ...SETTINGS, stateDir });
    await daemon(cwd, [], stateDir);
    expect((await run(["reload"], { cwd })).code).toBe(0);
    await run(["stop"], { cwd });
  });

  test("keeps its log where log.file says, and its number where pidFile says", async () => {
    const cwd = folder({ ...SETTINGS, pidFile: "run/me.pid", log: { file: "logs/me.log" } });
    const { pid } = await daemon(cwd);
    expect(readFileSync(join(cwd, "run/me.pid"), "utf8")).toBe(`${pid}\n`);
    expect(readFileSync(join(cwd, "logs/me.log"), "utf8")).toContain("listening");
    await run(["stop"], { cwd });
    expect(existsSync(join(cwd, "run/me.pid"))).toBe(false);
  });
});

describe("fanfare stop (O10)", () => {
  test("waits until the clients have left, tells them to come back, and is done twice as well", async () => {
    const cwd = folder();
    const { pid, url } = await daemon(cwd);
    const client = await connectPusher(url);
    const { code, stdout } = await run(["stop"], { cwd });
    expect([code, stdout]).toMatchObject([
      0,
      expect.stringMatching(new RegExp(`^stopped \\(process ${pid}, [\\d.]+ s\\)\n$`)),
    ]);
    expect(isAlive(pid)).toBe(false);
    expect((await client.socket.closed).code).toBe(4200);
    expect(await run(["stop"], { cwd })).toMatchObject({ code: 0, stdout: "no server is running here\n" });
  });

  test("gives up at its timeout and says so, tells who is left meanwhile, and kills by force", async () => {
    const cwd = folder({ ...SETTINGS, drainDelayS: 60 });
    const { pid, url } = await daemon(cwd);
    const client = await connectPusher(url);
    const waited = await run(["stop", "--timeout", "1.5"], { cwd });
    expect(waited.code).toBe(1);
    expect(waited.stderr).toBe(
      `waiting for 1 connections\nfanfare: process ${pid} is still running after 1.5 s: wait longer with --timeout, or kill it with --force\n`,
    );
    expect((await run(["status"], { cwd })).stdout).toMatch(
      /^stopping\n[\s\S]*Ready +no: The server is shutting down\./,
    );
    const killed = await run(["stop", "--timeout", "0", "--force"], { cwd });
    expect([killed.code, killed.stdout]).toEqual([0, `killed (process ${pid}): it was still running after 0 s\n`]);
    await client.socket.closed;
    expect(isAlive(pid)).toBe(false);
  });

  test("finds a server in the foreground too, and one whose configuration is broken by now", async () => {
    const cwd = folder();
    const server = start(["serve"], { cwd });
    await server.prints(/Press Ctrl\+C to stop/);
    writeFileSync(join(cwd, "fanfare.config.json"), "{");
    const { code, stderr } = await run(["stop"], { cwd });
    expect([code, stderr]).toEqual([
      0,
      "fanfare: the configuration has errors (fanfare config check); looking for the server in .fanfare\n",
    ]);
    expect((await server.ended()).code).toBe(0);
  });
});

describe("fanfare drain", () => {
  test.each([1, 2])(
    "sends on whoever is there and whoever comes, until it is ended; with %d processes",
    async (workers) => {
      const cwd = folder({ ...SETTINGS, workers });
      const { url } = await daemon(cwd);
      const readiness = async () => (await fetch(`${url}/ready`, { headers: { Connection: "close" } })).status;
      const client = await connectPusher(url);
      const { code, stdout } = await run(["drain"], { cwd });
      expect([code, stdout]).toEqual([0, expect.stringMatching(/^draining: \d connections; /)]);
      expect((await client.socket.closed).code).toBe(4200);
      for (let time = 0; time < 3; time++) expect((await (await connectPusher(url)).socket.closed).code).toBe(4200);
      expect(await readiness()).toBe(503);
      expect(await statusIn(cwd)).toMatchObject({ draining: true, stopping: false });
      expect((await run(["drain", "--end"], { cwd })).stdout).toBe("takes clients\n");
      expect(await readiness()).toBe(200);
      const staying = await connectPusher(url);
      await Bun.sleep(1_500);
      await staying.ping();
      // One that drains already is stopped all the same.
      await run(["drain"], { cwd });
      expect((await run(["stop"], { cwd })).stdout).toMatch(/^stopped /);
    },
    120_000,
  );

  test("with nobody to tell says so, and ends with 1", async () => {
    const { code, stderr } = await run(["drain"], { cwd: folder() });
    expect([code, stderr]).toEqual([1, expect.stringContaining("no server is running here")]);
  });
});

describe("fanfare rebalance", () => {
  test.each([1, 2])(
    "says how evenly the nodes are filled; with %d processes",
    async (workers) => {
      const cwd = folder({ ...SETTINGS, workers });
      const { url } = await daemon(cwd);
      await connectPusher(url);
      const { code, stdout } = await run(["rebalance"], { cwd });
      expect([code, stdout]).toEqual([0, expect.stringMatching(/^even already: 1 connections? on [12] nodes?\n$/)]);
      const { stdout: json } = await run(["rebalance", "--json"], { cwd });
      expect(JSON.parse(json)).toMatchObject({ missing: 0, connections: 1, movable: 0, surplus: 0, isEven: true });
      await run(["stop"], { cwd });
    },
    60_000,
  );
});

describe("fanfare reload (O9)", () => {
  test("takes what changed in the file, and names what needs a restart", async () => {
    const cwd = folder();
    const { url } = await daemon(cwd);
    const client = await connectPusher(url);
    await client.subscribe("c");
    const fresh = { id: "fresh", key: "fresh-key", secret: "s" };
    configure(cwd, { ...SETTINGS, apps: [APP, fresh], path: "/ws", denyIps: ["192.0.2.0/24"] });
    const { code, stdout } = await run(["reload"], { cwd });
    expect([code, stdout]).toEqual([
      0,
      "reloaded\n  apps added          fresh\n  in effect           denyIps\n  needs a restart     path\n",
    ]);
    await connectPusher(url, { app: fresh });
    await trigger(url, APP, { name: "e", data: "still here", channel: "c" });
    expect((await client.nextIn("c")).data).toBe("still here");
    await run(["stop"], { cwd });
  });

  test("with an error in the file prints it, changes nothing, and ends with 1", async () => {
    const cwd = folder();
    const { url, pid } = await daemon(cwd);
    const client = await connectPusher(url);
    configure(cwd, { ...SETTINGS, apps: [], activityTimeoutS: "x" });
    const { code, stdout, stderr } = await run(["reload", "--state-dir", ".fanfare"], { cwd });
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^fanfare: `activityTimeoutS` has to be a number of seconds .*fanfare\.config\.json\)\n$/);
    await client.ping();
    process.kill(pid, "SIGHUP");
    await eventually(() => {
      expect(readFileSync(join(state(cwd), "fanfare.log"), "utf8")).toContain("not reloaded, everything is as it was");
    });
    await client.ping();
    await run(["stop"], { cwd });
  });

  test("reads TypeScript, what it imports, and .env anew, and survives a configuration that ends its process", async () => {
    const cwd = temporaryFolder();
    const write = (name: string, text: string) => writeFileSync(join(cwd, name), text);
    write("fanfare.config.ts", 'import { apps } from "./apps.ts";\nconsole.log("{}");\nexport default { apps };\n');
    write("apps.ts", `export const apps = [${JSON.stringify(APP)}];\n`);
    write(".env", "FANFARE_ACTIVITY_TIMEOUT_S=50\n");
    const { url } = await daemon(cwd, ["--port", "0", "--host", "127.0.0.1"]);
    const client = await connectPusher(url);
    expect(client.activityTimeoutS).toBe(50);
    write("apps.ts", `export const apps = [${JSON.stringify(APP)}, { id: "b", key: "b", secret: "b" }];\n`);
    write(".env", "FANFARE_ACTIVITY_TIMEOUT_S=40\n");
    expect((await run(["reload", "--state-dir", ".fanfare"], { cwd })).stdout).toBe(
      "reloaded\n  apps added          b\n  in effect           activityTimeoutS\n",
    );
    expect((await connectPusher(url)).activityTimeoutS).toBe(40);
    write("apps.ts", "export const apps = [];\nprocess.exit(7);\n");
    const { code, stderr } = await run(["reload", "--state-dir", ".fanfare"], { cwd });
    expect([code, stderr]).toEqual([1, "fanfare: the configuration could not be read: its reader ended with 7\n"]);
    await client.ping();
    await run(["stop", "--state-dir", ".fanfare"], { cwd });
  });

  test("by SIGHUP does the same", async () => {
    const cwd = folder();
    const { url, pid } = await daemon(cwd);
    const other = { id: "other", key: "other-key", secret: "s" };
    configure(cwd, { ...SETTINGS, apps: [other] });
    const client = await connectPusher(url);
    process.kill(pid, "SIGHUP");
    expect((await client.socket.closed).code).toBe(4001);
    await connectPusher(url, { app: other });
    expect((await (await dialPusher(url)).closed).code).toBe(4001);
    await run(["stop"], { cwd });
  });

  test("reaches every worker, and swaps them where it is told to", async () => {
    const cwd = folder({ ...SETTINGS, workers: 2 });
    const before = await daemon(cwd);
    const clients = await Promise.all(Array.from({ length: 6 }, () => connectPusher(before.url)));
    await eventually(async () => expect((await statusIn(cwd)).connections).toBe(6));
    const fresh = { id: "fresh", key: "fresh-key", secret: "s" };
    configure(cwd, { ...SETTINGS, workers: 2, apps: [APP, fresh] });
    expect((await run(["reload"], { cwd })).stdout).toBe("reloaded\n  apps added          fresh\n");
    for (let n = 0; n < 6; n++) await connectPusher(before.url, { app: fresh });
    await Promise.all(clients.map((client) => client.ping()));
    expect((await run(["reload", "--workers"], { cwd })).stdout).toBe("reloaded\n  nothing was changed\n");
    for (const client of clients) expect((await client.socket.closed).code).toBe(4200);
    const after = await statusIn(cwd);
    expect([after.pid, after.nodes.length]).toEqual([before.pid, 2]);
    const ids = before.nodes.map(({ id }) => id);
    expect(after.nodes.filter(({ id }) => ids.includes(id))).toEqual([]);
    expect((await run(["stop"], { cwd })).code).toBe(0);
  });

  test("of nothing says that nothing runs", async () => {
    const { code, stderr } = await run(["reload"], { cwd: folder() });
    expect([code, stderr]).toMatchObject([
      1,
      expect.stringMatching(/^fanfare: no server is running here \(nothing answers/),
    ]);
  });
});

describe("fanfare restart", () => {
  test("starts the server again with its arguments, in its folder, from wherever it is asked (B39)", async () => {
    const cwd = folder();
    const before = await daemon(cwd, ["--activity-timeout-s", "33"]);
    const { code, stdout } = await run(["restart", "--state-dir", state(cwd)], { cwd: temporaryFolder() });
    const after = await statusIn(cwd);
    started.add(after.pid);
    expect(code).toBe(0);
    expect(stdout).toContain(`stopped (process ${before.pid},`);
    expect(after.pid).not.toBe(before.pid);
    expect((await connectPusher(after.url)).activityTimeoutS).toBe(33);
    expect(isAlive(before.pid)).toBe(false);
    await run(["stop"], { cwd });
  });

  test("stops nothing where the new configuration would keep it from starting", async () => {
    const cwd = folder();
    const { pid, url } = await daemon(cwd);
    configure(cwd, { ...SETTINGS, port: "x" });
    const { code, stderr } = await run(["restart", "--state-dir", ".fanfare"], { cwd });
    expect([code, stderr]).toMatchObject([1, expect.stringContaining("`port` has to be a whole number")]);
    expect(isAlive(pid)).toBe(true);
    expect((await fetch(`${url}/health`)).status).toBe(200);
    await run(["stop", "--state-dir", ".fanfare"], { cwd });
  });

  test("starts one where none runs, and leaves one in the foreground to whoever started it", async () => {
    const cwd = folder();
    expect((await run(["restart"], { cwd })).code).toBe(0);
    const { pid } = await statusIn(cwd);
    started.add(pid);
    await run(["stop"], { cwd });
    const server = start(["serve"], { cwd });
    await server.prints(/Press Ctrl\+C to stop/);
    const { code, stderr } = await run(["restart"], { cwd });
    expect([code, stderr]).toMatchObject([1, expect.stringContaining("was not started with --daemon")]);
    await server.stop();
  });
});

describe("fanfare status", () => {
  test("says how the server is, for people and for programs, and nothing of its arguments", async () => {
    const cwd = folder({ ...SETTINGS, apps: [] });
    const secret = JSON.stringify([APP]);
    const { pid, url } = await daemon(cwd, ["--apps", secret]);
    await connectPusher(url);
    const { code, stdout } = await run(["status"], { cwd });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^running\n/);
    for (const line of [`Process       ${pid}`, `Address       ${url}`, "Connections   1", "Ready         yes"]) {
      expect(stdout).toContain(`  ${line}\n`);
    }
    expect(stdout).toMatch(/: 1 connections, lag \S+ ms, [\d.]+ MiB/);
    const json = await run(["status", "--json"], { cwd });
    expect(JSON.parse(json.stdout)).toMatchObject({ running: true, pid, connections: 1, draining: false, unready: [] });
    expect(json.stdout).not.toContain(APP.secret);
    await run(["stop"], { cwd });
  });

  test("ends with 3 where none runs", async () => {
    const cwd = folder();
    expect(await run(["status"], { cwd })).toMatchObject({ code: 3, stdout: "not running\n" });
    expect(JSON.parse((await run(["status", "--json"], { cwd })).stdout)).toEqual({ running: false });
  });
});

describe("a server that cannot have its control socket", () => {
  test("serves all the same and says so: where another has it, and where it may not be made", async () => {
    const cwd = folder();
    const first = await daemon(cwd);
    const second = start(["serve"], { cwd });
    await second.prints(new RegExp(`no control socket.*belongs to the server that runs as process ${first.pid}`));
    await second.prints(/Press Ctrl\+C to stop/);
    expect((await statusIn(cwd)).pid).toBe(first.pid);
    await second.stop();
    expect((await statusIn(cwd)).pid).toBe(first.pid);
    await run(["stop"], { cwd });
    rmSync(state(cwd), { recursive: true });
    writeFileSync(state(cwd), "not a folder");
    const third = start(["serve"], { cwd });
    await third.prints(/no control socket/);
    await third.prints(/Press Ctrl\+C to stop/);
    expect((await third.stop()).code).toBe(0);
  });

  test("is told apart from none by a user who may not ask it", async () => {
    const cwd = folder();
    chmodSync(cwd, 0o755);
    const { pid } = await daemon(cwd, ["--state-dir", "state"], "state");
    chmodSync(join(cwd, "state"), 0o755);
    const command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", process.execPath, PROGRAM] as const;
    const asked = await run(["status"], { cwd, program: [...command], env: { FANFARE_STATE_DIR: "state" } });
    const isRoot = process.getuid?.() === 0;
    expect(isRoot ? asked.stderr : "may not be opened by this user").toContain("may not be opened by this user");
    expect(isAlive(pid)).toBe(true);
    await run(["stop", "--state-dir", "state"], { cwd });
  });
});

test("serve --debug logs what --log-level debug logs (B39)", async () => {
  const cwd = folder();
  const server = start(["serve", "--debug"], { cwd, env: { FANFARE_LOG_FORMAT: "json" } });
  const [, url = ""] = await server.prints(/(http:\/\/127\.0\.0\.1:\d+)/);
  await connectPusher(url);
  await server.prints(/"level":20/);
  await server.stop();
});

describe("a server in the foreground of a terminal", () => {
  test.each([
    ["stops when the terminal is gone", "", 3],
    ["reloads then and goes on, where it was started with nohup", "nohup ", 0],
  ] as const)("%s", async (_says, prefix, code) => {
    const cwd = folder();
    const line = `${prefix}${process.execPath} ${PROGRAM} serve`;
    const terminal = start(["-qfec", line, "/dev/null"], { cwd, program: ["script"] });
    const { pid } = await eventually(
      async () => {
        const status = await statusIn(cwd);
        expect(status.running).toBe(true);
        return status;
      },
      { withinMs: 15_000, everyMs: 100 },
    );
    started.add(pid);
    terminal.signal("SIGKILL");
    if (code === 3) await eventually(() => expect(isAlive(pid)).toBe(false), { withinMs: 10_000 });
    else await eventually(() => expect(readFileSync(join(cwd, "nohup.out"), "utf8")).toContain("reloaded"));
    expect((await run(["status"], { cwd })).code).toBe(code);
    await run(["stop"], { cwd });
  });
});
