/** Back ends that are slow, down, or lie: what clients are told, and how the back end is spared. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createServer } from "node:net";
import { CircuitBreaker } from "../../packages/server/src/backend/circuit-breaker.ts";
import { atEnd } from "../support/at-end.ts";
import { startBackEnd } from "../support/back-end.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fakes.ts";
import { connectNative, dialNative } from "../support/native-client.ts";
import { APP, type AppInput, startServer } from "../support/server.ts";

setDefaultTimeout(60_000);

type Hooks = NonNullable<AppInput["hooks"]>;

const ANY = { anonymous: true, channels: [{ match: "*", clientPublish: "any" }] } as const;
const LIES: readonly [string, () => Response | Promise<Response>][] = [
  ["a page", () => new Response("<html>Welcome</html>", { headers: { "Content-Type": "text/html" } })],
  ["nothing at all", () => new Response("")],
  ["more than it may", () => new Response(JSON.stringify({ member: { id: "x".repeat(70_000) } }))],
  ["an endless answer", () => new Response(new ReadableStream({ pull: (it) => it.enqueue(new Uint8Array(16_384)) }))],
  ["JSON of a thousand levels", () => new Response("[".repeat(1_000) + "]".repeat(1_000))],
  ["a misspelt refusal", () => Response.json({ refused: { message: "no" } })],
  ["a redirect to what allows it", () => new Response(null, { status: 302, headers: { Location: "/other" } })],
  ["an error", () => new Response("Whoops", { status: 500 })],
  ["no answer in time", () => new Promise(() => {})],
];

/** Closes each connection as soon as it is asked anything. */
async function resettingBackEnd(): Promise<string> {
  const listener = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.resetAndDestroy());
  });
  atEnd(() => void listener.close());
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${Object(listener.address()).port}/`;
}

describe("a back end that answers with", () => {
  test.each(LIES)("%s lets nobody in, and the client learns nothing of it", async (_, subscribe) => {
    const backEnd = startBackEnd({ subscribe });
    const server = await startServer({}, { ...ANY, hooks: { url: backEnd.url, timeoutS: 0.5, subscribe: true } });
    const client = await connectNative(server.url);
    const refused = await client.ask("subscribe", { channel: "private-a" });
    const message = "The app's back end cannot be asked now; try again later.";
    expect(refused).toMatchObject({ event: "error", code: "backend_unavailable", message });
    expect(refused.retryAfterMs).toBeWithin(2_000, 10_001);
    expect(backEnd.questions).toHaveLength(1);
  });
});

test('with "allow" it goes on without the back end: in by the token, into channels, published as it is', async () => {
  const whenDown = "allow" as const;
  const url = await resettingBackEnd();
  const hooks: Hooks = { url, connect: { whenDown }, subscribe: { whenDown }, publish: { whenDown } };
  const server = await startServer({}, { ...ANY, hooks });
  const client = await connectNative(server.url);
  await client.subscribe("private-a");
  expect(await client.ask("publish", { channel: "private-a", data: 1 })).toMatchObject({ event: "published" });
});

test("a client is told to come back later, each after another time", async () => {
  const server = await startServer({}, { ...ANY, hooks: { url: await resettingBackEnd(), connect: true } });
  const waits = await Promise.all(
    Array.from({ length: 5 }, async () => {
      const closing = await (await dialNative(server.url)).next("closing");
      expect(closing).toMatchObject({ code: "backend_unavailable", reconnect: "later" });
      return closing.afterMs;
    }),
  );
  expect(new Set(waits).size).toBeGreaterThan(1);
});

test("after twenty failures nothing is asked for a while, then one question; open connections stay", async () => {
  let isDown = true;
  const backEnd = startBackEnd({ call: () => (isDown ? 500 : { result: "up" }) });
  const limits = { clientEventsPerSecond: 1_000 };
  const server = await startServer({}, { ...ANY, limits, hooks: { url: backEnd.url, call: true } });
  const client = await connectNative(server.url);
  for (let n = 0; n < 20; n++) expect((await client.ask("x")).code).toBe("backend_unavailable");
  expect(backEnd.questions).toHaveLength(20);
  for (let n = 0; n < 5; n++) expect((await client.ask("x")).code).toBe("backend_unavailable");
  expect(backEnd.questions.length).toBeLessThan(23);
  isDown = false;
  await eventually(async () => expect(await client.ask("x")).toMatchObject({ data: "up" }));
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  expect(metrics).toContain('fanfare_hook_breakers_opened_total{app="app",hook="call"} 1');
  expect(metrics).toMatch(/fanfare_hooks_total\{app="app",hook="call",outcome="unasked"\} [1-9]/);
});

test("a breaker opens for longer each time, and lets one question through at a time", () => {
  const clock = new FakeClock();
  const breaker = new CircuitBreaker(clock, () => 0.5);
  const pass = () => breaker.enter() ?? expect.unreachable();
  for (let n = 1; n <= 20; n++) expect(breaker.failed(pass())).toBe(n === 20);
  for (const pauseMs of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
    clock.pass(pauseMs - 1);
    expect(breaker.enter()).toBeUndefined();
    clock.pass(1);
    const probe = pass();
    expect([probe.isProbe, breaker.enter()]).toEqual([true, undefined]);
    breaker.failed(probe);
  }
  clock.pass(30_000);
  const probe = pass();
  breaker.cancelled(probe);
  expect(breaker.answered(pass())).toBe(true);
  // Half of fifty within ten seconds, never twenty in a row.
  for (let n = 1; n <= 25; n++) {
    breaker.answered(pass());
    expect(breaker.failed(pass())).toBe(n === 25);
  }
});

test("no more requests than allowed are under way, others wait for their turn, and more than may wait are not asked", async () => {
  const gate = Promise.withResolvers<void>();
  let atOnce = 0;
  let most = 0;
  const backEnd = startBackEnd({
    call: async () => {
      most = Math.max(most, ++atOnce);
      await gate.promise;
      atOnce--;
      return { result: 1 };
    },
  });
  const app: AppInput = { ...APP, anonymous: true, hooks: { url: backEnd.url, timeoutS: 30, call: true } };
  const server = await startServer({ hooks: { concurrency: 3, waiting: 2 }, apps: [app] });
  const clients = await Promise.all(Array.from({ length: 6 }, () => connectNative(server.url)));
  const answers = clients.map((client) => client.ask("x"));
  expect((await Promise.race(answers)).code).toBe("backend_unavailable");
  await eventually(() => expect(most).toBe(3));
  gate.resolve();
  const events = (await Promise.all(answers)).map(({ event }) => event);
  expect(events.toSorted()).toEqual(["error", ...Array.from({ length: 5 }, () => "result")]);
  expect([most, backEnd.questions.length]).toEqual([3, 5]);
});

test("an idle connection that the back end closed costs nobody an answer", async () => {
  let closesNext = false;
  let requests = 0;
  const listener = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", () => {
      requests++;
      if (closesNext) {
        closesNext = false;
        socket.resetAndDestroy();
        return;
      }
      socket.write('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"result":1}');
    });
  });
  atEnd(() => void listener.close());
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${Object(listener.address()).port}/`;
  const server = await startServer({}, { ...ANY, hooks: { url, call: true } });
  const client = await connectNative(server.url);
  expect(await client.ask("x")).toMatchObject({ event: "result" });
  closesNext = true;
  expect(await client.ask("x")).toMatchObject({ event: "result" });
  expect(requests).toBe(3);
});
