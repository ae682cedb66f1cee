/** A model's answer on its way through a real server: whole, in order, and ended in one of three ways. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createPublisher, type StreamEvent } from "../../packages/publisher/src/index.ts";
import { connectNative, makeToken, type NativeTestClient } from "../support/native-client.ts";
import { APP, startServer } from "../support/server.ts";
import { startProxy } from "../support/tcp-proxy.ts";

setDefaultTimeout(30_000);

const server = await startServer();
const options = { appId: APP.id, key: APP.key, secret: APP.secret };
const publisher = createPublisher({ ...options, url: server.url });

async function reader(channel: string): Promise<NativeTestClient> {
  const client = await connectNative(server.url, { token: await makeToken({ sub: "reader" }) });
  await client.subscribe(channel);
  return client;
}

/** All events of a stream to its last, of which each is the next. */
async function readAll(client: NativeTestClient, event = "stream"): Promise<StreamEvent[]> {
  const events: StreamEvent[] = [];
  for (;;) {
    const data = (await client.next(event)).data as StreamEvent;
    expect(data.seq).toBe(events.length);
    events.push(data);
    if (data.type !== "start" && data.type !== "delta") return events;
  }
}

function textOf(events: readonly StreamEvent[]): string {
  return events.map((event) => ("text" in event ? event.text : "")).join("");
}

async function* tokens(count: number, pauseMs: number) {
  for (let n = 0; n < count; n++) {
    await Bun.sleep(pauseMs);
    yield `token ${n} ü𝄞 `;
  }
}

const expected = (count: number) => Array.from({ length: count }, (_, n) => `token ${n} ü𝄞 `).join("");

describe("an answer", () => {
  test("arrives whole, in order, in few events", async () => {
    const client = await reader("answer");
    const result = await publisher.stream("answer", tokens(100, 4), { id: "run-1" });
    const events = await readAll(client);
    expect(result).toEqual({ id: "run-1", events: events.length });
    expect(events.map(({ type }) => type)).toEqual(["start", ...Array(events.length - 2).fill("delta"), "end"]);
    expect(textOf(events)).toBe(expected(100));
    expect(events.every(({ id }) => id === "run-1")).toBe(true);
    expect(events.length).toBeLessThan(30);
  });

  test("that is fast is cut by size, and no character in two", async () => {
    const client = await reader("fast");
    const text = "𝄞".repeat(30_000);
    await publisher.stream(
      "fast",
      (async function* () {
        yield "x";
        yield text;
        for (const letter of "abc".repeat(5_000)) yield letter;
      })(),
    );
    const events = await readAll(client);
    expect(textOf(events)).toBe(`x${text}${"abc".repeat(5_000)}`);
    for (const event of events)
      if ("text" in event) expect(event.text.isWellFormed() && event.text.length <= 8_000).toBe(true);
    expect(events.length).toBeLessThan(100);
  });

  test("of parts that are no text keeps them, in order among the text", async () => {
    const client = await reader("parts");
    await publisher.stream(
      "parts",
      (async function* () {
        yield* ["a", "b"];
        yield { type: "tool", name: "search" };
        yield { type: "tool", name: "read" };
        yield "c";
      })(),
      { event: "answer" },
    );
    const contents = (await readAll(client, "answer")).map(({ id, seq, ...content }) => content);
    expect(contents).toEqual([
      { type: "start" },
      { type: "delta", text: "ab" },
      {
        type: "delta",
        parts: [
          { type: "tool", name: "search" },
          { type: "tool", name: "read" },
        ],
      },
      { type: "delta", text: "c" },
      { type: "end" },
    ] as never);
  });

  test("may be taken out of its parts", async () => {
    const client = await reader("chunks");
    const toChunk = (part: { delta?: string }) => part.delta;
    await publisher.stream(
      "chunks",
      (async function* () {
        yield* [{ delta: "one " }, {}, { delta: "two" }];
      })(),
      { toChunk },
    );
    expect(textOf(await readAll(client))).toBe("one two");
  });

  test("that is empty begins and ends", async () => {
    const client = await reader("empty");
    expect((await publisher.stream("empty", (async function* () {})())).events).toBe(2);
    expect((await readAll(client)).map(({ type }) => type)).toEqual(["start", "end"]);
  });

  test("survives a connection that is cut again and again", async () => {
    const proxy = await startProxy(Number(new URL(server.url).port));
    const client = await reader("cut");
    let isOver = false;
    const cutting = (async () => {
      while (!isOver) {
        await Bun.sleep(100 + Math.random() * 200);
        if (Math.random() < 0.5) proxy.swallow("answers");
        await Bun.sleep(20);
        proxy.cut();
        proxy.mend();
      }
    })();
    await createPublisher({ ...options, url: `http://127.0.0.1:${proxy.port}` }).stream("cut", tokens(200, 10));
    isOver = true;
    await cutting;
    expect(textOf(await readAll(client))).toBe(expected(200));
  });
});

describe("a stream ends", () => {
  test("with `error` where its source fails, and rejects with the failure", async () => {
    const client = await reader("failing");
    const failure = new Error("The model's secret.");
    const stream = publisher.stream(
      "failing",
      (async function* () {
        yield "half";
        throw failure;
      })(),
    );
    expect(await stream.catch((error) => error)).toBe(failure);
    const events = await readAll(client);
    expect(events.at(-1)?.type).toBe("error");
    expect(textOf(events)).toBe("half");
    expect(JSON.stringify(events)).not.toContain("secret");
  });

  test("with `aborted` once it is stopped, while its source says nothing, which is ended too", async () => {
    const client = await reader("stopped");
    const stop = new AbortController();
    let isEnded = false;
    const source = {
      [Symbol.asyncIterator]: () => ({
        parts: ["half"],
        async next(): Promise<IteratorResult<string>> {
          const value = this.parts.shift();
          return value === undefined ? new Promise<never>(() => {}) : { done: false, value };
        },
        async return() {
          isEnded = true;
          return { done: true as const, value: undefined };
        },
      }),
    };
    const stream = publisher.stream("stopped", source, { signal: stop.signal, flushMs: 5_000 });
    setTimeout(() => stop.abort(), 100);
    expect(await stream.catch((error) => error)).toBe(stop.signal.reason);
    const events = await readAll(client);
    expect(events.at(-1)?.type).toBe("aborted");
    expect(textOf(events)).toBe("half");
    expect(isEnded).toBe(true);
  });

  test("with `error` where the server refuses an event, and ends its source", async () => {
    const client = await reader("refused");
    let isEnded = false;
    const stream = publisher.stream(
      "refused",
      (async function* () {
        try {
          yield { file: "x".repeat(200_000) };
          yield* tokens(1_000, 10);
        } finally {
          isEnded = true;
        }
      })(),
    );
    expect(await stream.catch((error) => error)).toMatchObject({ code: "data_too_large", status: 413 });
    expect((await client.next("stream")).data).toMatchObject({ type: "start" });
    expect((await client.next("stream")).data).toMatchObject({ type: "error" });
    await Bun.sleep(50);
    expect(isEnded).toBe(true);
  });

  test("before it begins where it was stopped already, or its id is too long", async () => {
    const signal = AbortSignal.abort();
    await expect(publisher.stream("c", tokens(1, 1), { signal })).rejects.toBe(signal.reason);
    await expect(publisher.stream("c", tokens(1, 1), { id: "x".repeat(101) })).rejects.toMatchObject({
      code: "data_invalid",
    });
  });
});

test("a model that thinks for long is not taken for dead: `start` comes again", async () => {
  const client = await reader("thinking");
  const stream = publisher.stream(
    "thinking",
    (async function* () {
      await Bun.sleep(12_000);
      yield "done";
    })(),
  );
  await stream;
  expect((await readAll(client)).map(({ type }) => type)).toEqual(["start", "start", "delta", "end"]);
});
