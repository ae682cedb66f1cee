/** `@fanfare/client/ai` with a real server, the real publisher and a back end over HTTP: answers are read whole, resumed and stopped. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Client, createClient } from "@fanfare/client";
import { fanfareChat, readStream } from "@fanfare/client/ai";
import { createPublisher } from "@fanfare/publisher";
import { type ChatTransport, readUIMessageStream, type UIMessage, type UIMessageChunk } from "ai";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { APP, startServer } from "../support/server.ts";

setDefaultTimeout(30_000);

const server = await startServer(
  {},
  {
    anonymous: true,
    channels: [
      { match: "kept-*", history: { size: 5_000, ttlS: 600 } },
      { match: "short-*", history: { size: 3, ttlS: 600 } },
    ],
  },
);
const publisher = createPublisher({
  url: `http://127.0.0.1:${server.port}`,
  appId: APP.id,
  key: APP.key,
  secret: APP.secret,
});
const WORDS = Array.from({ length: 40 }, (_, index) => `${index} `);
const WHOLE = WORDS.join("");

const sockets = new Set<WebSocket>();

function open(): Client {
  class Cuttable extends WebSocket {
    constructor(url: string) {
      super(url);
      sockets.add(this);
    }
  }
  const client = createClient({ url: `ws://127.0.0.1:${server.port}`, WebSocket: Cuttable as never });
  atEnd(() => client.close());
  return client;
}

async function* slowly<P>(parts: readonly P[], pauseMs = 20): AsyncGenerator<P> {
  for (const part of parts) {
    await Bun.sleep(pauseMs);
    yield part;
  }
}

async function textOf(stream: AsyncIterable<string>): Promise<string> {
  let text = "";
  for await (const piece of stream) text += piece;
  return text;
}

/** Published directly, as the publisher would. */
async function pushParts(channel: string, id: string, parts: readonly object[]): Promise<void> {
  for (const [seq, part] of parts.entries()) {
    await server.toChannel(channel).push({ event: "stream", data: { id, seq, ...part } });
  }
}

describe("readStream", () => {
  test("reads an answer while it is written, over a cut connection, and another one from its beginning afterwards", async () => {
    const channel = open().channel("kept-read");
    const reading = textOf(readStream(channel, "run-1"));
    await eventually(() => expect(channel.snapshot.state).toBe("attached"));
    const writing = publisher.stream("kept-read", slowly(WORDS), { id: "run-1", flushMs: 1 });
    await Bun.sleep(200);
    for (const socket of sockets) socket.close();
    await writing;
    expect(await reading).toBe(WHOLE);
    expect(await textOf(readStream(open().channel("kept-read"), "run-1"))).toBe(WHOLE);
  });

  test("finds the beginning of an answer that is longer than a page of history", async () => {
    const deltas = Array.from({ length: 2_300 }, (_, index) => ({ type: "delta", text: `${index} ` }));
    await pushParts("kept-long", "run-1", [{ type: "start" }, ...deltas, { type: "end" }]);
    const text = await textOf(readStream(open().channel("kept-long"), "run-1"));
    expect(text).toBe(deltas.map((delta) => delta.text).join(""));
  });

  test.each([
    ["kept-error", [{ type: "start" }, { type: "error" }], "stream_error"],
    ["kept-aborted", [{ type: "start" }, { type: "aborted" }], "stream_aborted"],
    [
      "short-part",
      [{ type: "start" }, { type: "delta", text: "a" }, { type: "delta", text: "b" }, { type: "end" }],
      "stream_incomplete",
    ],
  ])("says of %s why it is not whole", async (name, parts, code) => {
    await pushParts(name, "run-1", parts);
    await expect(textOf(readStream(open().channel(name), "run-1"))).rejects.toMatchObject({ code });
  });

  test("ends with its signal, and leaves the channel", async () => {
    const stop = new AbortController();
    const reading = textOf(readStream(open().channel("kept-left"), "run-1", { signal: stop.signal }));
    await eventually(async () => expect((await server.channel("kept-left").info())?.subscribers).toBe(1));
    await Bun.sleep(50);
    stop.abort(new Error("enough"));
    await expect(reading).rejects.toThrow("enough");
    await eventually(async () => expect((await server.channel("kept-left").info())?.subscribers ?? 0).toBe(0));
  });
});

/** A back end that answers each question with the same parts, and the requests that it got. */
function startBackEnd(channel: string, parts: readonly (string | object)[], refusal?: Response) {
  const running = new Map<string, AbortController>();
  const requests: string[] = [];
  const web = Bun.serve({
    port: 0,
    async fetch(request) {
      const query = new URL(request.url).searchParams;
      requests.push(request.method);
      if (request.method === "DELETE") {
        const stop = running.get(query.get("streamId") ?? "");
        stop?.abort();
        return new Response(null, { status: stop ? 204 : 404 });
      }
      const { streamId, messages, id } = await request.json();
      expect([id, messages.length]).toEqual(["chat", 1]);
      if (refusal) return refusal;
      const stop = new AbortController();
      running.set(streamId, stop);
      publisher.stream(channel, slowly(parts), { id: streamId, signal: stop.signal }).catch(() => {});
      return new Response(null, { status: 202 });
    },
  });
  atEnd(() => web.stop(true));
  const transport = (client = open()) => fanfareChat({ client, channel: () => channel, api: `${web.url}api` });
  return { transport, requests };
}

const QUESTION: UIMessage = { id: "q", role: "user", parts: [{ type: "text", text: "?" }] };

function question(abortSignal?: AbortSignal) {
  return {
    trigger: "submit-message" as const,
    chatId: "chat",
    messageId: undefined,
    messages: [QUESTION],
    abortSignal,
  };
}

async function lastMessage(stream: ReadableStream<UIMessageChunk> | null): Promise<UIMessage | undefined> {
  let last: UIMessage | undefined;
  if (stream) for await (const message of readUIMessageStream({ stream })) last = message;
  return last;
}

async function typesOf(stream: ReadableStream<UIMessageChunk>): Promise<string[]> {
  const types: string[] = [];
  for await (const { type } of stream) types.push(type);
  return types;
}

/** As soon as there is something to resume. */
async function resume(transport: ChatTransport<UIMessage>, abortSignal?: AbortSignal) {
  return await eventually(async () => {
    const stream = await transport.reconnectToStream({ chatId: "chat", ...(abortSignal && { abortSignal }) });
    if (!stream) throw new Error("There is nothing to resume.");
    return stream;
  });
}

const textIn = (message: UIMessage | undefined) =>
  message?.parts.map((part) => (part.type === "text" ? part.text : "")).join("");

describe("fanfareChat", () => {
  test("answers, and gives the same message to whoever resumes meanwhile, and nothing afterwards", async () => {
    const { transport } = startBackEnd("kept-chat", WORDS);
    const none = await transport().reconnectToStream({ chatId: "chat" });
    expect(none).toBeNull();
    const first = lastMessage(await transport().sendMessages(question()));
    const resumed = await resume(transport());
    const [one, other] = await Promise.all([first, lastMessage(resumed)]);
    expect(textIn(one)).toBe(WHOLE);
    expect(other).toEqual(one as UIMessage);
    expect(await transport().reconnectToStream({ chatId: "chat" })).toBeNull();
  });

  test("passes the chunks of the AI SDK on as they are", async () => {
    const chunks: UIMessageChunk[] = [
      { type: "start", messageId: "m" },
      { type: "tool-input-available", toolCallId: "t", toolName: "weather", input: { city: "Ulm" } },
      { type: "tool-output-available", toolCallId: "t", output: "rain" },
      { type: "text-start", id: "1" },
      { type: "text-delta", id: "1", delta: "It rains." },
      { type: "text-end", id: "1" },
      { type: "finish" },
    ];
    const { transport } = startBackEnd("kept-tools", chunks);
    const message = await lastMessage(await transport().sendMessages(question()));
    expect(message).toMatchObject({
      id: "m",
      parts: [{ type: "tool-weather", output: "rain" }, { text: "It rains." }],
    });
  });

  test("a stop reaches the back end, also from one who resumed; a stop of the look for an answer does not", async () => {
    const { transport, requests } = startBackEnd("kept-stop", Array.from({ length: 1_000 }, String));
    const [stop, look, other] = [new AbortController(), new AbortController(), new AbortController()];
    const answer = await transport().sendMessages(question(stop.signal));
    const looking = transport().reconnectToStream({ chatId: "chat", abortSignal: look.signal });
    look.abort();
    await looking.catch(() => null);
    const resumed = await resume(transport(), other.signal);
    expect(requests).toEqual(["POST"]);
    other.abort();
    await expect(typesOf(resumed)).rejects.toThrow("abort");
    await eventually(() => expect(requests).toEqual(["POST", "DELETE"]));
    expect((await typesOf(answer)).at(-1)).toBe("abort");
    stop.abort();
    await Bun.sleep(50);
    expect(requests).toEqual(["POST", "DELETE"]);
  });

  test("a question that the back end refuses fails with its words", async () => {
    const { transport } = startBackEnd("kept-refused", [], new Response("Not today", { status: 403 }));
    await expect(typesOf(await transport().sendMessages(question()))).rejects.toThrow("Not today");
  });

  test("works without history, where there is nothing to resume", async () => {
    const { transport } = startBackEnd("plain", WORDS);
    expect(textIn(await lastMessage(await transport().sendMessages(question())))).toBe(WHOLE);
    expect(await transport().reconnectToStream({ chatId: "chat" })).toBeNull();
  });
});
