/** A site whose pages have the client, as a bundler gives it to browsers. */

import { join } from "node:path";
import { atEnd } from "../support/at-end.ts";
import { makeToken } from "../support/native-client.ts";
import { socketUrl } from "../support/server.ts";

const CLIENT = join(import.meta.dir, "..", "..", "packages", "client", "src");
const ENTRY = join(CLIENT, "site.ts");
const PROGRAM = `export * from "./index.ts"; export * from "./http/index.ts";`;

/** `start` makes a client and listens in one channel; `heard` is what came there, with whether it was told afterwards. */
const PAGE = `<!doctype html><meta charset="utf-8"><title>page</title><script type="module">
  import * as fanfare from "/client.js";
  const { createClient, sessionPositions } = fanfare;
  addEventListener("pageshow", ({ persisted }) => { window.isFromCache = persisted; });
  window.start = (channel, { session, transport, ...options }) => {
    window.heard = []; window.gaps = []; window.states = [];
    window.client = createClient({ backoff: { minMs: 100, maxMs: 500 }, ...options, ...(session && { positions: sessionPositions() }),
      ...(transport && { transports: [fanfare[transport]] }) });
    window.room = client.channel(channel);
    client.subscribe(() => { if (states.at(-1) !== client.snapshot.state) states.push(client.snapshot.state); });
    room.on("message", (data, meta) => heard.push([data, meta.replayed]));
    room.onGap(({ reason }) => gaps.push(reason));
  };
  window.startWorker = (channel, options) => {
    window.heard = [];
    window.worker = new Worker("/worker.js", { type: "module" });
    worker.onmessage = ({ data }) => { if (typeof data === "string") window.workerState = data; else heard.push(data); };
    worker.postMessage([channel, options]);
  };
</script>`;

/** The same where there is no page: it posts its state, and what it hears. */
const WORKER = `
  import { createClient } from "/client.js";
  self.onmessage = ({ data: [channel, options] }) => {
    const room = createClient({ backoff: { minMs: 100, maxMs: 500 }, ...options }).channel(channel);
    room.subscribe(() => postMessage(room.snapshot.state));
    room.on("message", (data, meta) => postMessage([data, meta.replayed]));
  };`;

/** Its address. Ends with the file that asked for it. */
export async function startSite(): Promise<string> {
  const built = await Bun.build({
    ...{ entrypoints: [ENTRY], files: { [ENTRY]: PROGRAM } },
    ...{ target: "browser", conditions: ["bun"] },
  });
  const script = await built.outputs[0]?.text();
  const site = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch({ url }) {
      const { pathname } = new URL(url);
      if (pathname === "/favicon.ico") return new Response(null, { status: 204 });
      const module = { "/client.js": script, "/worker.js": WORKER }[pathname];
      if (module) return new Response(module, { headers: { "Content-Type": "text/javascript" } });
      const html = pathname === "/elsewhere" ? "<!doctype html><title>elsewhere</title>" : PAGE;
      return new Response(html, { headers: { "Content-Type": "text/html" } });
    },
  });
  atEnd(() => site.stop(true));
  return site.url.href;
}

export interface StartOptions {
  /** Of the server, or of what is in front of it. */
  readonly port: number;
  readonly user: string;
  /** Positions are in the session's storage. */
  readonly session?: boolean;
  readonly inWorker?: boolean;
  /** In place of a WebSocket. */
  readonly transport?: "stream" | "poll";
}

/** What makes a page's client, or a worker's, as an expression for the page. */
export async function startExpression(
  channel: string,
  { port, user, session = false, inWorker = false, transport }: StartOptions,
): Promise<string> {
  const token = await makeToken({ sub: user, info: { name: user }, channels: ["*"] });
  const options = { url: socketUrl(`http://127.0.0.1:${port}`), token, session, transport };
  return `${inWorker ? "startWorker" : "start"}(${JSON.stringify(channel)}, ${JSON.stringify(options)})`;
}
