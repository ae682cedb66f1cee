/**
 * A rolling restart under load: two nodes on Redis behind HAProxy are swapped one after the other while their clients hear a
 * thousand events a second; each client counts what it hears. `npm run bench:restart`; `--tiny` only sees that it runs.
 */

import { createHash, createHmac } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, startStore } from "./cluster/store.ts";
import { cpuUsOf } from "./cpu.ts";
import { fixed, markdown, median, times, whole } from "./table.ts";

const APP = { id: "bench", key: "bench-key", secret: "bench-secret" };
const isTiny = process.argv.includes("--tiny");
const CLIENTS = isTiny ? 60 : 5_000;
const PER_SECOND = isTiny ? 100 : 1_000;
const CHANNELS = isTiny ? 10 : 100;
const BATCH = 10;
const SETTLE_MS = isTiny ? 1_500 : 10_000;
const STEP_MS = 1_000;
const MAIN = fileURLToPath(new URL("../packages/server/src/cli/main.ts", import.meta.url));

/** What one client has heard, and how long it was away each time. */
class Client {
  readonly channel: string;
  readonly heard: number[] = [];
  readonly awayMs: number[] = [];
  readonly codes: number[] = [];
  lost = 0;
  #position: unknown;
  #leftAtMs: number | undefined;

  constructor(channel: string) {
    this.channel = channel;
  }

  /** Comes, and comes again, until it is told to stay away. Resolves when it is subscribed for the first time. */
  come(url: string, isOver: () => boolean, delayMs = 0): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const again = (afterMs: number) => {
      if (!isOver()) setTimeout(() => void this.come(url, isOver, afterMs).then(resolve), afterMs);
    };
    const socket = new WebSocket(`${url.replace("http", "ws")}/?app=${APP.key}`);
    let afterMs = 200 + delayMs;
    const data = { channel: this.channel, ...(this.#position !== undefined && { position: this.#position }) };
    socket.onopen = () => socket.send(JSON.stringify({ event: "subscribe", data }));
    socket.onmessage = ({ data: text }) => {
      const frame = JSON.parse(String(text));
      if (frame.position !== undefined) this.#position = frame.position;
      if (frame.event === "tick") this.heard.push(frame.data);
      else if (frame.event === "gap" || frame.recovered === false) this.lost++;
      else if (frame.event === "closing") afterMs = frame.afterMs ?? 0;
      if (frame.event !== "subscribed") return;
      if (this.#leftAtMs !== undefined) this.awayMs.push(performance.now() - this.#leftAtMs);
      this.#leftAtMs = undefined;
      resolve();
    };
    socket.onclose = ({ code }) => {
      this.#leftAtMs ??= performance.now();
      this.codes.push(code);
      again(afterMs);
    };
    return promise;
  }
}

await measure();

async function measure(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "fanfare-restart-"));
  const [front, ...ports] = [freePort(), freePort(), freePort()] as const;
  // First, since nothing has to be ended yet where there is no HAProxy.
  const proxy = startProxy(folder, front, ports);
  const store = await startStore("redis");
  const cluster = { engine: "redis", redis: { port: store.port } };
  const settings = { ...cluster, apps: [{ ...APP, anonymous: true }], drainDelayS: 1, drainTimeoutS: 10 };
  const channels = [{ match: "kept-*", history: { size: 2_000, ttlS: 120 } }];
  const limits = { channelsPerTrigger: 100, batchSize: BATCH };
  const file = join(folder, "fanfare.config.json");
  writeFileSync(file, JSON.stringify({ ...settings, log: { level: "error" }, defaults: { channels, limits } }));
  const nodes = ports.map((port) => startNode(folder, file, port));
  try {
    await Promise.all([...ports, front].map(isUp));
    await run(`http://127.0.0.1:${front}`, nodes, (n) => startNode(folder, file, ports[n] ?? 0), ports);
  } finally {
    proxy.kill("SIGKILL");
    for (const node of nodes) node.kill("SIGKILL");
    await store.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

type Node = ReturnType<typeof startNode>;

async function run(url: string, nodes: Node[], start: (n: number) => Node, ports: readonly number[]): Promise<void> {
  let isOver = false;
  const clients = Array.from({ length: CLIENTS }, (_, n) => new Client(`kept-${n % CHANNELS}`));
  for (let at = 0; at < clients.length; at += 100) {
    await Promise.all(clients.slice(at, at + 100).map((client) => client.come(url, () => isOver)));
  }
  const accepted = Array.from({ length: CHANNELS }, (): number[] => []);
  const publishing = publish(url, accepted, () => isOver);
  const usual = await shares(nodes, SETTLE_MS);
  const peaks = nodes.map(() => 0);
  const watching = watch(nodes, peaks, () => isOver);
  for (const [n, port] of ports.entries()) {
    nodes[n]?.kill("SIGTERM");
    await nodes[n]?.exited;
    nodes[n] = start(n);
    await isUp(port);
    await Bun.sleep(SETTLE_MS / 2);
  }
  isOver = true;
  const refused = await publishing;
  await watching;
  await Bun.sleep(2_000);
  report(clients, accepted, refused, usual, peaks);
}

/** Ten a request, as fast as that takes; the answer 200 makes them count. How many requests were answered otherwise. */
async function publish(url: string, accepted: number[][], isOver: () => boolean): Promise<number> {
  let refused = 0;
  let n = 0;
  const sending = new Set<Promise<void>>();
  const pauseMs = (BATCH / PER_SECOND) * 1_000;
  for (let dueMs = performance.now(); !isOver(); dueMs += pauseMs) {
    const numbers = Array.from({ length: BATCH }, () => n++);
    const sent = send(url, numbers).then((status) => {
      if (status !== 200) refused++;
      else for (const one of numbers) accepted[one % CHANNELS]?.push(one);
    });
    sending.add(sent);
    void sent.finally(() => sending.delete(sent));
    await Bun.sleep(Math.max(0, dueMs + pauseMs - performance.now()));
  }
  await Promise.all(sending);
  return refused;
}

async function send(url: string, numbers: readonly number[]): Promise<number> {
  const batch = numbers.map((n) => ({ name: "tick", channel: `kept-${n % CHANNELS}`, data: String(n) }));
  const body = JSON.stringify({ batch });
  const md5 = createHash("md5").update(body).digest("hex");
  const at = Math.floor(Date.now() / 1000);
  const query = `auth_key=${APP.key}&auth_timestamp=${at}&auth_version=1.0&body_md5=${md5}`;
  const path = `/apps/${APP.id}/batch_events`;
  const signature = createHmac("sha256", APP.secret).update(`POST\n${path}\n${query}`).digest("hex");
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch(`${url}${path}?${query}&auth_signature=${signature}`, { method: "POST", headers, body });
  await answer.arrayBuffer();
  return answer.status;
}

/** Of a core, of each node, the median of the seconds. */
async function shares(nodes: readonly Node[], forMs: number): Promise<number[]> {
  const seconds = nodes.map((): number[] => []);
  for (let spent = 0; spent < forMs; spent += STEP_MS) {
    for (const [n, share] of (await second(nodes)).entries()) seconds[n]?.push(share);
  }
  return seconds.map((of) => median(of));
}

async function watch(nodes: readonly Node[], peaks: number[], isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    for (const [n, share] of (await second(nodes)).entries()) peaks[n] = Math.max(peaks[n] ?? 0, share);
  }
}

async function second(nodes: readonly Node[]): Promise<number[]> {
  const pids = nodes.map(({ pid }) => pid);
  const before = pids.map((pid) => cpuUsOf(pid));
  const atMs = performance.now();
  await Bun.sleep(STEP_MS);
  // A node that is another by now began at nothing.
  return nodes.map(
    ({ pid }, n) => (cpuUsOf(pid) - (pid === pids[n] ? (before[n] ?? 0) : 0)) / 1_000 / (performance.now() - atMs),
  );
}

function report(
  clients: readonly Client[],
  accepted: readonly number[][],
  refused: number,
  usual: number[],
  peaks: number[],
): void {
  const wanted = accepted.map((numbers) => new Set(numbers));
  const flaws = { missed: 0, twice: 0, disordered: 0, lost: 0 };
  for (const [n, { heard, lost }] of clients.entries()) {
    const seen = new Set(heard);
    flaws.missed += [...(wanted[n % CHANNELS] ?? [])].filter((one) => !seen.has(one)).length;
    flaws.twice += heard.length - seen.size;
    flaws.disordered += heard.join() === clients[n % CHANNELS]?.heard.join() ? 0 : 1;
    flaws.lost += lost;
  }
  const away = clients.flatMap(({ awayMs }) => awayMs).sort((a, b) => a - b);
  const codes = new Set(clients.flatMap((client) => client.codes));
  const rows = [
    [
      "publications accepted / requests refused",
      `${whole(wanted.reduce((sum, { size }) => sum + size, 0))} / ${refused}`,
    ],
    ["deliveries", whole(clients.reduce((sum, { heard }) => sum + heard.length, 0))],
    ["missed / heard twice / in another order / told of a gap", Object.values(flaws).join(" / ")],
    ["reconnects, by close code", `${away.length}, ${[...codes].join(", ")}`],
    [
      "away, median / longest",
      `${fixed(median(away) / 1_000, 2)} / ${fixed((away.at(-1) ?? Number.NaN) / 1_000, 2)} s`,
    ],
    ["usual share of a core of each node", usual.map((share) => fixed(share, 2)).join(", ")],
    [
      "busiest second of each node",
      peaks.map((share, n) => `${fixed(share, 2)} (${times(share / (usual[n] ?? 1))})`).join(", "),
    ],
  ];
  const note = `${whole(CLIENTS)} clients in ${CHANNELS} channels with history, ${whole(PER_SECOND)} publications a second, two nodes on Redis behind HAProxy.`;
  console.log(markdown({ title: "A rolling restart", note, head: ["", "measured"], rows }));
}

function startNode(folder: string, file: string, port: number) {
  const args = [
    "serve",
    "--host",
    "127.0.0.1",
    "--port",
    String(port),
    "--config",
    file,
    "--state-dir",
    join(folder, String(port)),
  ];
  return Bun.spawn([process.execPath, MAIN, ...args], { cwd: folder, stdout: "ignore", stderr: "inherit" });
}

function startProxy(folder: string, front: number, ports: readonly number[]) {
  const lines = [
    "global",
    "  maxconn 9900",
    "defaults",
    "  mode http",
    "  timeout connect 5s",
    ...["client", "server", "tunnel"].map((which) => `  timeout ${which} 1h`),
    "listen fanfare",
    `  bind 127.0.0.1:${front}`,
    "  balance leastconn",
    "  option httpchk GET /ready",
    "  option redispatch",
    "  retries 3",
    "  retry-on conn-failure empty-response 503",
    ...ports.map((port, n) => `  server node${n} 127.0.0.1:${port} check inter 500ms rise 1 fall 1`),
  ];
  const file = join(folder, "haproxy.cfg");
  writeFileSync(file, `${lines.join("\n")}\n`);
  return Bun.spawn(["haproxy", "-q", "-db", "-f", file], { stdout: "ignore", stderr: "inherit" });
}

async function isUp(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const status = await fetch(`http://127.0.0.1:${port}/ready`).then(
      ({ status: is }) => is,
      () => 0,
    );
    if (status === 200) return;
    await Bun.sleep(100);
  }
  throw new Error(`Nothing is ready at port ${port}.`);
}
