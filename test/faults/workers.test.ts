/** Workers that die, hang and do not start, and a first process that goes: what the others and the clients notice of it. */

import { expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import type { NativeTestClient } from "../support/native-client.ts";
import { spawnCli, startProcess } from "../support/process.ts";
import { signedFetch } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";
import { scaled } from "../support/soak.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import {
  connectTo,
  isAlive,
  oneOnEach,
  pusherElsewhere,
  spawnWorkers,
  startWorkers,
  workerPids,
} from "../support/workers.ts";
import { SERVER } from "./process.ts";

const CHANNEL = "presence-room";

/** Between the starts of a worker that does not come up: the first of them. */
const PAUSES_MS = scaled([500, 1_000, 2_000], [500, 1_000]);
/** How long a worker may be silent. */
const NODE_TIMEOUT_S = scaled(6, 2);

const enter = (client: NativeTestClient, id: string) =>
  client.subscribe(CHANNEL, client.permission(CHANNEL, { user_id: id }));

async function pair(url: string) {
  const [stays, dies] = await oneOnEach(url, 2);
  if (!stays || !dies) throw new Error("Two workers were asked for.");
  return { stays, dies };
}

/** Who is said to have left, until everybody who has to has. */
async function departures(watcher: NativeTestClient, count: number, withinMs = 30_000): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < count) {
    const { data } = await watcher.next("member_removed", withinMs);
    ids.push((data as { user: { id: string } }).user.id);
  }
  // Whatever else would have been said has come by now.
  await Bun.sleep(200);
  for (const { event, data } of await watcher.unread()) {
    if (event === "member_removed") ids.push((data as { user: { id: string } }).user.id);
  }
  return ids.sort();
}

test("a worker that is killed loses its clients, each of its members leaves once, and another takes its place", async () => {
  const server = await startWorkers();
  const { stays, dies } = await pair(server.url);
  await enter(stays.client, "watcher");
  const pusher = await pusherElsewhere(server.url, dies.pid);
  await pusher.subscribe(CHANNEL, { data: { user_id: "both" } });
  await stays.client.subscribe("room");
  await dies.client.subscribe("only-there");
  const lost = [dies.client];
  for (const id of ["a", "b", "c", "both", "c"]) {
    const client = await connectTo(server.url, dies.pid);
    await enter(client, id);
    lost.push(client);
  }
  process.kill(dies.pid, "SIGKILL");
  expect(await departures(stays.client, 3)).toEqual(["a", "b", "c"]);
  for (const client of lost) expect((await client.socket.closed).code).toBe(1006);
  const answer = await signedFetch(server.url, APP, "GET", "/channels");
  expect(Object.keys(((await answer.json()) as { channels: object }).channels).sort()).toEqual([CHANNEL, "room"]);
  await stays.client.ping();
  await pusher.ping();
  // Another is there, clients come back, and hear the others.
  await server.prints(/another takes its place/);
  await eventually(() => expect(workerPids(server.pid)).toHaveLength(2));
  await server.prints(/worker \d listens again/);
  const [pid = 0] = workerPids(server.pid).filter((one) => one !== stays.pid);
  const back = await connectTo(server.url, pid);
  await back.subscribe("room");
  await stays.client.ask("say", { ask: "say", channel: "room", text: "hello" });
  expect((await back.next("said")).data).toBe("hello");
}, 40_000);

test("a worker that keeps dying is started again after longer and longer pauses", async () => {
  const CRASH = join(temporaryFolder(), "crash");
  const server = await startWorkers({}, { env: { CRASH } });
  const { stays, dies } = await pair(server.url);
  writeFileSync(CRASH, "");
  process.kill(dies.pid, "SIGKILL");
  const failures = () =>
    server.stderr
      .split("\n")
      .filter((line) => line.includes("could not be started again"))
      .map((line) => (JSON.parse(line) as { time: number }).time);
  await eventually(() => expect(failures().length).toBeGreaterThanOrEqual(PAUSES_MS.length + 1), { withinMs: 20_000 });
  // And however long a process takes to start.
  const times = failures();
  for (const [n, pauseMs] of PAUSES_MS.entries())
    expect((times[n + 1] ?? 0) - (times[n] ?? 0)).toBeGreaterThanOrEqual(pauseMs - 10);
  expect(server.stderr).toContain("it ended with code 3 before it listened");
  await stays.client.ping();
  rmSync(CRASH);
  await server.prints(/worker \d listens again/, 20_000);
  for (const { client } of await oneOnEach(server.url, 2)) await client.close();
}, 60_000);

test("a worker that is frozen is ended after `nodeTimeoutS`, and its members leave once (scenario 3)", async () => {
  const server = await startWorkers({ nodeTimeoutS: NODE_TIMEOUT_S });
  const { stays, dies } = await pair(server.url);
  await enter(stays.client, "watcher");
  await enter(dies.client, "frozen");
  process.kill(dies.pid, "SIGSTOP");
  const startMs = performance.now();
  expect(await departures(stays.client, 1, 20_000)).toEqual(["frozen"]);
  expect(performance.now() - startMs).toBeGreaterThan(1_000 * NODE_TIMEOUT_S - 1_000);
  await server.prints(/hangs: silent for/);
  await eventually(() => expect(isAlive(dies.pid)).toBe(false));
  await server.prints(/worker \d listens again/);
}, 60_000);

test("a first process that is stopped for a while blames no worker for it", async () => {
  const server = await startWorkers({ nodeTimeoutS: NODE_TIMEOUT_S });
  const placed = await oneOnEach(server.url, 2);
  process.kill(server.pid, "SIGSTOP");
  await Bun.sleep(1_000 * NODE_TIMEOUT_S + scaled(4_000, 2_000));
  process.kill(server.pid, "SIGCONT");
  await Bun.sleep(scaled(2_500, 1_500));
  for (const { client } of placed) await client.ping();
  for (const { client } of placed) await client.subscribe("room");
  expect(server.stderr).not.toContain("hangs");
}, 40_000);

test("SIGTERM makes all workers drain at once: 4200 for every client, exit code 0, nobody left, no noise", async () => {
  const server = await startWorkers();
  const pids = workerPids(server.pid);
  const placed = await oneOnEach(server.url, 2);
  const pusher = await pusherElsewhere(server.url, placed[0]?.pid ?? 0);
  const ended = server.stop("SIGTERM");
  for (const { client } of placed) expect((await client.socket.closed).code).toBe(4200);
  expect((await pusher.socket.closed).code).toBe(4200);
  expect(await ended).toEqual({ code: 0, signal: null });
  for (const pid of pids) expect(isAlive(pid)).toBe(false);
  expect(server.stdout.match(/^stopping \d$/gm)).toHaveLength(2);
  expect(server.stderr.match(/"stopped"/g)).toHaveLength(3);
  expect(server.stderr).not.toMatch(/"level":(40|50|60)/);
  await startServer({ port: Number(new URL(server.url).port) });
}, 30_000);

test("Ctrl+C, which reaches every process at once, stops the command line's server as SIGTERM does", async () => {
  const server = await startProcess({ program: SERVER, args: ["--workers", "2"] });
  const pids = workerPids(server.pid);
  expect(pids).toHaveLength(2);
  process.kill(-server.pid, "SIGINT");
  expect(await server.ended()).toEqual({ code: 0, signal: null });
  for (const pid of pids) expect(isAlive(pid)).toBe(false);
  expect(server.stdout.match(/Press Ctrl\+C to stop/g)).toHaveLength(1);
  expect(server.stderr).not.toMatch(/"level":(40|50|60)|another takes its place|fanfare:/);
}, 30_000);

test("a worker that is asked to stop by a signal drains, and another takes its place", async () => {
  const server = await startWorkers();
  const { stays, dies } = await pair(server.url);
  process.kill(dies.pid, "SIGTERM");
  expect((await dies.client.socket.closed).code).toBe(4200);
  await server.prints(/worker \d stopped: another takes its place/);
  await server.prints(/worker \d listens again/);
  await stays.client.ping();
  expect(server.stderr).not.toMatch(/"level":50/);
}, 30_000);

test("no worker outlives the first process: clients are told to come back, and the port is free at once", async () => {
  const server = await startWorkers();
  const pids = workerPids(server.pid);
  const placed = await oneOnEach(server.url, 2);
  process.kill(server.pid, "SIGKILL");
  for (const { client } of placed) expect((await client.socket.closed).code).toBe(4200);
  await eventually(() => expect(pids.filter(isAlive)).toEqual([]), { withinMs: 20_000 });
  const port = Number(new URL(server.url).port);
  const next = await startWorkers({ port });
  expect(new URL(next.url).port).toBe(String(port));
}, 30_000);

test("a port that is taken is one line, whoever has it: another server with workers, too", async () => {
  const server = await startWorkers();
  const port = new URL(server.url).port;
  const other = spawnCli(["serve", "--host", "127.0.0.1", "--port", port, "--workers", "2"]);
  expect((await other.ended(20_000)).code).toBe(1);
  expect(other.stderr).toBe(
    `fanfare: port ${port} is already in use on 127.0.0.1: stop the other program or choose another with --port\n`,
  );
  expect(other.stdout).toBe("");
}, 30_000);

test("what keeps every worker from starting is said once, and no process is left", async () => {
  const folder = temporaryFolder();
  const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  for (const file of [cert, key]) writeFileSync(file, "no certificate");
  const server = spawnCli(["serve", "--host", "127.0.0.1", "--port", "0", "--workers", "2"], {
    cwd: folder,
    env: { FANFARE_TLS_CERT_FILE: cert, FANFARE_TLS_KEY_FILE: key },
  });
  expect((await server.ended(20_000)).code).toBe(1);
  expect(server.stderr.match(/^fanfare: .*$/gm)).toHaveLength(1);
  expect(server.stdout).toBe("");
}, 30_000);

test("a program whose workers end before they listen does not start, and is told so", async () => {
  const CRASH = join(temporaryFolder(), "crash");
  writeFileSync(CRASH, "");
  const program = spawnWorkers({}, { env: { CRASH } });
  atEnd(() => program.kill());
  expect((await program.ended(30_000)).code).toBe(1);
  expect(program.stderr).toMatch(/Worker \d does not start: it ended with code 3 before it listened/);
}, 40_000);

test("workers that cannot be swapped stay, and lose nobody", async () => {
  const CRASH = join(temporaryFolder(), "crash");
  const server = await startWorkers({}, { env: { CRASH } });
  const pids = workerPids(server.pid);
  const placed = await oneOnEach(server.url, 2);
  writeFileSync(CRASH, "");
  server.signal("SIGWINCH");
  await server.prints(/^not swapped: it ended with code 3 before it listened$/m);
  for (const { client } of placed) await client.ping();
  expect(workerPids(server.pid)).toEqual(pids);
  rmSync(CRASH);
  server.signal("SIGWINCH");
  await server.prints(/^swapped$/m, 20_000);
  expect(workerPids(server.pid).filter((pid) => pids.includes(pid))).toEqual([]);
}, 40_000);

test("two servers with several workers in one program are refused, before they start each other for ever", async () => {
  const folder = temporaryFolder();
  const index = JSON.stringify(join(import.meta.dir, "..", "..", "packages", "server", "src", "index.ts"));
  writeFileSync(
    join(folder, "two.ts"),
    `import { createServer } from ${index};
     const settings = { host: "127.0.0.1", port: 0, workers: 2, log: { level: "silent" } } as const;
     const one = createServer(settings);
     const two = createServer(settings);
     await one.start();
     const error = one.isPrimary && await two.start().catch((reason) => reason);
     if (one.isPrimary) { console.log(error.message); await one.stop(); }`,
  );
  const program = spawnCli([join(folder, "two.ts")], { program: [process.execPath], cwd: folder });
  expect(await program.ended(30_000)).toEqual({ code: 0, signal: null });
  expect(program.stdout).toBe("A program can have one server with several workers: give the others `workers: 1`.\n");
}, 40_000);
