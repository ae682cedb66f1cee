/** A chat with a language model. Its answer is published while it is written, so it does not depend on the page that asked. */

import { createPublisher } from "@fanfare/publisher";
import { convertToModelMessages, streamText, type UIMessage } from "ai";
import { createServer } from "fanfare";
import page from "./index.html";

const app = { id: "ai", key: "ai-key", secret: process.env.APP_SECRET ?? crypto.randomUUID() };
const fanfare = createServer({
  port: Number(process.env.FANFARE_PORT ?? 9501),
  // Who knows a chat's id may read it. In a real application the channels are private, and history is what a reload continues from.
  apps: [{ ...app, anonymous: true, channels: [{ match: "chat-*", history: { size: 5_000, ttlS: 3_600 } }] }],
});
await fanfare.start();
const publisher = createPublisher({ url: `http://localhost:${fanfare.port}`, appId: app.id, ...app });

const chats = new Map<string, UIMessage[]>();
const running = new Map<string, AbortController>();

/** `AI_MODEL=openai/gpt-5-mini` with `AI_GATEWAY_API_KEY` for a real one. */
async function* model(messages: UIMessage[], abortSignal: AbortSignal): AsyncGenerator<string> {
  if (process.env.AI_MODEL) {
    const prompt = await convertToModelMessages(messages);
    return yield* streamText({ model: process.env.AI_MODEL, messages: prompt, abortSignal }).textStream;
  }
  yield "I can count: ";
  for (let i = 1; i <= 100; i++) {
    await Bun.sleep(Number(process.env.PAUSE_MS ?? 50));
    yield i < 100 ? `${i}, ` : "100.";
  }
}

async function answer(id: string, streamId: string, messages: UIMessage[]): Promise<void> {
  const stop = new AbortController();
  running.set(streamId, stop);
  const text = { type: "text" as const, text: "" };
  chats.set(id, [...messages, { id: streamId, role: "assistant", parts: [text] }]);
  async function* parts() {
    for await (const part of model(messages, stop.signal)) {
      text.text += part;
      yield part;
    }
  }
  try {
    await publisher.stream(`chat-${id}`, parts(), { id: streamId, signal: stop.signal });
  } catch (error) {
    if (!stop.signal.aborted) console.error(error);
  } finally {
    running.delete(streamId);
  }
}

const web = Bun.serve({
  port: process.env.PORT ?? 8080,
  routes: {
    "/": page,
    "/socket": (request) => new Response(`ws://${new URL(request.url).hostname}:${fanfare.port}`),
    "/api/chat": {
      GET: (request) => Response.json(chats.get(new URL(request.url).searchParams.get("id") ?? "") ?? []),
      POST: async (request) => {
        const { id, streamId, messages } = await request.json();
        void answer(id, streamId, messages);
        return new Response(null, { status: 202 });
      },
      DELETE: (request) => {
        const stop = running.get(new URL(request.url).searchParams.get("streamId") ?? "");
        stop?.abort();
        return new Response(null, { status: stop ? 204 : 404 });
      },
    },
  },
});
console.log(`Open ${web.url}`);
