/**
 * Bare `Bun.serve` doing the same work by hand: one topic per channel, the same frames, nothing checked and nothing
 * known about anybody. What Fanfare costs is what it takes beyond this. `optimal` does it as cheaply as it can be done.
 */

import { createHash, createHmac } from "node:crypto";
import type { Server, ServerWebSocket } from "bun";
import { contend } from "./contender.ts";
import { APP, OUTBOUND_BYTES } from "./credentials.ts";
import { CHANNEL, dataFor, frameOf } from "./message.ts";
import { optimal } from "./optimal.ts";

interface Data {
  readonly id: number;
  readonly topic: string;
}

export interface Work {
  publish(server: Server<Data>): unknown;
  /** A client's event goes to the others of its topic. */
  relay(ws: ServerWebSocket<Data>, frame: string | Buffer): void;
  /** Verifies a signed request and publishes what it says. */
  trigger(server: Server<Data>, request: Request): Promise<Response>;
}

/** Bun asks by itself 8 s before this: after as much silence as Fanfare waits for. */
const PINGING = { sendPings: true, idleTimeout: 30 + 8 };
const SILENT = { sendPings: false, idleTimeout: 0 };

/** As an app's author would write it. */
const naive: Work = {
  publish: (server) => server.publish(CHANNEL, frameOf(spelling, { text })),
  relay(ws, frame) {
    const { event, data } = JSON.parse(String(frame)) as { event: string; data: unknown };
    ws.publish(ws.data.topic, JSON.stringify({ event, channel: ws.data.topic, data: JSON.stringify(data) }));
  },
  async trigger(server, request) {
    const body = await request.text();
    const url = new URL(request.url);
    const query = url.searchParams;
    const isIntact = createHash("md5").update(body).digest("hex") === query.get("body_md5");
    const pairs = [...query].filter(([key]) => key !== "auth_signature").sort();
    const signed = `POST\n${url.pathname}\n${pairs.map(([key, value]) => `${key}=${value}`).join("&")}`;
    const signature = createHmac("sha256", APP.secret).update(signed).digest("hex");
    if (!isIntact || signature !== query.get("auth_signature")) return new Response(null, { status: 401 });
    const { name, channel, data } = JSON.parse(body);
    server.publish(channel, JSON.stringify({ event: name, channel, data }));
    return Response.json({});
  },
};

let ids = 0;
const spelling = "pusher";
const { text } = dataFor(spelling);

const [, , option, given] = process.argv;
if (option === "--port") serve(Number(given), naive, SILENT);
else {
  const work = option === "optimal" ? optimal : naive;
  let server: Server<Data>;
  contend({
    start: () => {
      server = serve(0, work, option === "pinging" ? PINGING : SILENT);
      return server.port ?? 0;
    },
    publish: () => work.publish(server),
  });
}

function serve(port: number, work: Work, pings: typeof PINGING): Server<Data> {
  return Bun.serve<Data>({
    hostname: "127.0.0.1",
    port,
    fetch(request, server) {
      if (request.method === "POST") return work.trigger(server, request);
      const data = { id: ++ids, topic: new URL(request.url).searchParams.get("topic") ?? CHANNEL };
      return server.upgrade(request, { data }) ? undefined : new Response(null, { status: 400 });
    },
    websocket: {
      perMessageDeflate: false,
      ...pings,
      backpressureLimit: OUTBOUND_BYTES,
      closeOnBackpressureLimit: true,
      open: (ws) => void ws.subscribe(ws.data.topic),
      message: work.relay,
    },
  });
}
