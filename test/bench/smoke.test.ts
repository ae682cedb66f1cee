/** The bench runs, from end to end and with little to do. How fast anything is, no test can say. */

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { clientFrame, FrameCounter } from "../../bench/frames.ts";
import { dataFor, FRAME_BYTES, frameOf } from "../../bench/message.ts";
import { median, ratio } from "../../bench/table.ts";

type Script = "main.ts" | "cluster.ts" | "dashboard.ts" | "restart.ts";

const bench = (...args: string[]) => run("main.ts", args);

async function run(script: Script, args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const path = join(import.meta.dir, "../../bench", script);
  const child = Bun.spawn([process.execPath, path, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, out, err };
}

describe("the bench", () => {
  test("measures everything there is, and prints numbers only", async () => {
    const { code, out, err } = await bench("--tiny");
    expect(err).toBe("");
    expect(code).toBe(0);
    const titles = [...out.matchAll(/^## (.*)$/gm)].map(([, title]) => title);
    expect(titles).toEqual([
      "Fan-out",
      "Signed HTTP triggers",
      "Client events",
      "Memory per connection",
      "Latency at 20 000 deliveries per second",
    ]);
    expect(out).not.toMatch(/NaN|undefined|Infinity/);
    const rows = out.match(/^\| .*(?:bare Bun|Fanfare).*$/gm) ?? [];
    expect(rows.length).toBe(12 + 2 + 6 + 6 + 6);
    expect(rows.filter((row) => !/\d+(?:\.\d+)? (?:µs|B|ms) +\|/.test(row))).toEqual([]);
  }, 60_000);

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
  test("measures workers, Redis and NATS, and prints numbers only", async () => {
    const { code, out, err } = await run("cluster.ts", ["--tiny"]);
    expect(err).toBe("");
    expect(code).toBe(0);
    const titles = [...out.matchAll(/^## (.*)$/gm)].map(([, title]) => title);
    expect(titles).toEqual([
      "Deliveries to 20 readers",
      "What one publication costs",
      "Nodes that listen",
      "With history",
      "Joins of presence channels",
      "A node dies",
      "Many connections on one machine",
    ]);
    expect(out).not.toMatch(/NaN|undefined|Infinity/);
    expect(out.match(/^\| .*\d (?:µs|ms|B) +\|/gm)?.length).toBe(5 + 8 + 6 + 4 + 4 + 3 + 2);
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
  expect(out).toMatch(/^\| one dashboard, everything \| +\d+\.\d \| +\d+\.\d\d × \|$/m);
}, 60_000);

test("the bench of a rolling restart swaps both nodes, and nobody misses anything", async () => {
  const { code, out, err } = await run("restart.ts", ["--tiny"]);
  expect([code, err]).toEqual([0, ""]);
  expect(out).toMatch(/^\| missed \/ heard twice \/ in another order \/ told of a gap \| +0 \/ 0 \/ 0 \/ 0 \|$/m);
}, 120_000);

describe("what the bench fans out", () => {
  test.each(["pusher", "native"] as const)("is a frame of 123 bytes in the %s protocol's spelling", (spelling) => {
    expect(Buffer.byteLength(frameOf(spelling, dataFor(spelling)))).toBe(FRAME_BYTES);
  });
});

describe("the frame counter", () => {
  const long = "y".repeat(70_000 / 2);
  const stream = Buffer.concat(["", "a", "x".repeat(125), "x".repeat(126), long, "z"].map(serverFrame));

  test.each([1, 2, 3, 7, 64, 1_000, 1_000_000])("counts whole streams in pieces of %d bytes", (piece) => {
    const counter = new FrameCounter();
    for (let at = 0; at < stream.length; at += piece) counter.add(stream.subarray(at, at + piece));
    expect(counter.count).toBe(6);
    expect(counter.others).toBe(0);
  });

  test("does not count a close as a message", () => {
    const counter = new FrameCounter();
    counter.add(new Uint8Array([0x88, 2, 3, 232]));
    expect(counter).toMatchObject({ count: 0, others: 1 });
  });
});

describe("a client's frame", () => {
  test.each([0, 1, 125, 126, 60_000])("of %d bytes is read as what it says", async (length) => {
    const text = "m".repeat(length);
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const server = Bun.serve({
      port: 0,
      fetch: (request, listener) => (listener.upgrade(request) ? undefined : new Response()),
      websocket: { message: (_, message) => resolve(message) },
    });
    const lines = [
      "GET / HTTP/1.1",
      "Host: x",
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
    ];
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port: server.port ?? 0,
      socket: { data: (opened) => void opened.write(clientFrame(text)) },
    });
    socket.write(`${lines.join("\r\n")}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`);
    expect(await promise).toBe(text);
    socket.end();
    await server.stop(true);
  });
});

describe("figures", () => {
  test("of several rounds are their median", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
  });

  test("are compared round by round", () => {
    expect(ratio([2, 30, 5], [1, 10, 5])).toBe(2);
  });
});

function serverFrame(text: string): Uint8Array {
  const payload = Buffer.from(text);
  const head = payload.length < 126 ? [0x81, payload.length] : [0x81, 126, payload.length >> 8, payload.length & 0xff];
  return Buffer.concat([Buffer.from(head), payload]);
}
