/**
 * Bare `Bun.serve` doing the same work by hand: one topic per channel, the same frames, nothing checked and nothing
 * known about anybody. What Fanfare costs is what it takes beyond this.
 */

import { createHash, createHmac } from "node:crypto";
import type { Server, ServerWebSocket } from "bun";
import { contend } from "./contender.ts";
import { APP, OUTBOUND_BYTES } from "./credentials.ts";
import { CHANNEL, dataFor, frameOf } from "./message.ts";

interface Data {
  readonly id: number;
  readonly topic: string;
}

let server: Server<Data> | undefined;
let ids = 0;
const spelling = "pusher";
const { text } = dataFor(spelling);

const [, , option, given] = process.argv;
if (option === "--port") server = serve(Number(given));
else {
  contend({
    start: () => {
      server = serve(0);
      return server.port ?? 0;
    },
    publish: () => server?.publish(CHANNEL, frameOf(spelling, { text })),
  });
}

function serve(port: number): Server<Data> {
  return Bun.serve<Data>({
    hostname: "127.0.0.1",
    port,
    fetch(request, listener) {
      const url = new URL(request.url);
      if (request.method === "POST") return trigger(request, url);
      const data = { id: ++ids, topic: url.searchParams.get("topic") ?? CHANNEL };
      return listener.upgrade(request, { data }) ? undefined : new Response(null, { status: 400 });
    },
    websocket: {
      perMessageDeflate: false,
      idleTimeout: 0,
      sendPings: false,
      backpressureLimit: OUTBOUND_BYTES,
      closeOnBackpressureLimit: true,
      open: (ws) => void ws.subscribe(ws.data.topic),
      message: relay,
    },
  });
}

/** A client's event goes to the others of its topic. */
function relay(ws: ServerWebSocket<Data>, frame: string | Buffer): void {
  const { event, data } = JSON.parse(String(frame)) as { event: string; data: unknown };
  ws.publish(ws.data.topic, JSON.stringify({ event, channel: ws.data.topic, data: JSON.stringify(data) }));
}

/** Verifies a signed request and publishes what it says, as an app's author would by hand. */
async function trigger(request: Request, url: URL): Promise<Response> {
  const body = await request.text();
  const query = url.searchParams;
  const isIntact = createHash("md5").update(body).digest("hex") === query.get("body_md5");
  const pairs = [...query].filter(([key]) => key !== "auth_signature").sort();
  const signed = `POST\n${url.pathname}\n${pairs.map(([key, value]) => `${key}=${value}`).join("&")}`;
  const signature = createHmac("sha256", APP.secret).update(signed).digest("hex");
  if (!isIntact || signature !== query.get("auth_signature")) return new Response(null, { status: 401 });
  const { name, channel, data } = JSON.parse(body);
  server?.publish(channel, JSON.stringify({ event: name, channel, data }));
  return Response.json({});
}
