/**
 * What an open dashboard costs a loaded server: the same load with nobody watching and with one dashboard that watches
 * some of what there is or everything, turn by turn, in processor time of the server. `npm run bench:dashboard`; `--tiny` only sees that it runs.
 */

import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { liveChannel, type Watch } from "../packages/server/src/admin/live-types.ts";
import { createServer } from "../packages/server/src/index.ts";
import { cpuUsOf } from "./cpu.ts";
import { alternate, fixed, markdown, median, ratio, times, whole } from "./table.ts";

const APP = { id: "bench", key: "bench-key", secret: "bench-secret", anonymous: true, clientEvents: true };
const PER_SECOND = 5_000;
const TICK_MS = 10;
const READERS = 10;
const WATCHED: Readonly<Record<string, readonly Watch[]>> = {
  nobody: [],
  "a dashboard: events and numbers": [{ type: "feed" }, { type: "seconds" }],
  "a dashboard: the busiest channels": [{ type: "channels" }],
  "a dashboard: everything": [{ type: "feed" }, { type: "seconds" }, { type: "channels" }],
};
const isTiny = process.argv.includes("--tiny");
const [rounds, forMs] = isTiny ? [1, 300] : [9, 4_000];

if (process.argv.includes("--server")) await serve();
else await measure();

/** Publishes at that rate for as long as it lives. */
async function serve(): Promise<void> {
  const server = createServer({
    host: "127.0.0.1",
    port: 0,
    log: { level: "silent" },
    apps: [APP],
    dashboard: { password: "bench-password" },
    database: { url: "sqlite::memory:" },
  });
  await server.start();
  console.log(server.url);
  let n = 0;
  setInterval(() => {
    for (let each = 0; each < (PER_SECOND * TICK_MS) / 1_000; each++) {
      void server.toChannel(`room-${n % 50}`).push({ event: "tick", data: { n: n++ } });
    }
  }, TICK_MS);
}

async function measure(): Promise<void> {
  const child = Bun.spawn([process.execPath, fileURLToPath(import.meta.url), "--server"], { stdout: "pipe" });
  try {
    const url = await firstLine(child.stdout);
    for (let n = 0; n < READERS; n++) await listen(`${url.replace("http", "ws")}/?app=${APP.key}`, `room-${n}`);
    let told = 0;
    const share = async (watches: readonly Watch[]) => {
      const dashboard = watches.length > 0 ? await watch(url, watches, () => told++) : undefined;
      // What it costs to come is not what it costs to stay.
      await Bun.sleep(forMs / 4);
      const [cpu, at] = [cpuUsOf(child.pid), performance.now()];
      await Bun.sleep(forMs);
      const used = (cpuUsOf(child.pid) - cpu) / 1_000 / (performance.now() - at);
      dashboard?.close();
      return used * 100;
    };
    const shares = await alternate(rounds, Object.values(WATCHED), share);
    if (told === 0) throw new Error("The dashboard was told nothing.");
    print(shares);
  } finally {
    child.kill();
  }
}

function print(shares: readonly (readonly number[])[]): void {
  const load = `${whole(PER_SECOND)} events a second over 50 channels, ${READERS} readers`;
  const note = `${load}; medians of ${rounds} rounds of ${forMs / 1_000} s each, on ${availableParallelism()} cores.`;
  const [alone = []] = shares;
  const rows = Object.keys(WATCHED).map((who, at) => {
    const its = shares[at] ?? [];
    return [who, fixed(median(its), 1), times(ratio(its, alone))];
  });
  console.log(markdown({ title: "An open dashboard", note, head: ["who watches", "% of a core", "ratio"], rows }));
}

/** Signs in and watches, as the page does. */
async function watch(url: string, [first, ...others]: readonly Watch[], onFrame: () => void): Promise<WebSocket> {
  const headers = { "Content-Type": "application/json", "X-Fanfare-Dashboard": "1", Origin: url };
  const base = `${url}/dashboard/api`;
  const body = JSON.stringify({ name: "admin", password: "bench-password" });
  const session = await fetch(`${base}/session`, { method: "POST", headers, body });
  const cookie = (session.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
  const answer = await fetch(`${base}/ticket`, { method: "POST", headers: { ...headers, cookie }, body: "{}" });
  const { ticket } = (await answer.json()) as { ticket: string };
  const at = `${base.replace("http", "ws")}/live?ticket=${encodeURIComponent(ticket)}`;
  const socket = await listen(at, liveChannel(first ?? { type: "seconds" }));
  for (const other of others)
    socket.send(JSON.stringify({ event: "subscribe", data: { channel: liveChannel(other) } }));
  socket.addEventListener("message", onFrame);
  return socket;
}

function listen(url: string, channel: string): Promise<WebSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<WebSocket>();
  const socket = new WebSocket(url);
  socket.addEventListener("error", () => reject(new Error(`${url} does not let us in.`)));
  socket.addEventListener("open", () => socket.send(JSON.stringify({ event: "subscribe", data: { channel } })));
  socket.addEventListener("message", ({ data }) => {
    if (String(data).startsWith('{"event":"subscribed"')) resolve(socket);
  });
  return promise;
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    if (text.includes("\n")) break;
  }
  return text.split("\n")[0] ?? "";
}
