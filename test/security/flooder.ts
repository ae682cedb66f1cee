/** A program of its own that sends frames of one kind as fast as they are taken, and says how that ended: URL, path, kind. */

import { once } from "node:events";
import { connect } from "node:net";
import { OPCODE, RawSocket, rawFrame } from "../support/raw-socket.ts";

const [url = "", path = "", kind = ""] = process.argv.slice(2);

const text = (frame: object | string) =>
  rawFrame(OPCODE.text, typeof frame === "string" ? frame : JSON.stringify(frame));
const data = { channel: "h-1" };

const KINDS: Readonly<Record<string, readonly Buffer[]>> = {
  ping: [text({ event: "pusher:ping", data: {} })],
  "native ping": [text({ event: "ping" })],
  "WebSocket ping": [rawFrame(OPCODE.ping)],
  subscribe: [text({ event: "pusher:subscribe", data }), text({ event: "pusher:unsubscribe", data })],
  "native subscribe": [text({ event: "subscribe", data }), text({ event: "unsubscribe", data })],
  garbage: [text("}{")],
  recover: [text({ event: "subscribe", data: { ...data, recover: true } }), text({ event: "unsubscribe", data })],
};

const unit = Buffer.concat(KINDS[kind] ?? []);
const chunk = Buffer.concat(Array.from({ length: Math.ceil(65_536 / unit.length) }, () => unit));

const { hostname, port } = new URL(url);
const tcp = connect({ host: hostname, port: Number(port) });
await once(tcp, "connect");
const socket = new RawSocket(tcp);
await socket.handshake(path);
console.log("flooding");
const code = socket.ending(300_000);
while (!socket.isClosed) {
  // Kept, the answers would fill the memory; the last may be the farewell.
  socket.frames.splice(0, socket.frames.length - 20);
  if (tcp.write(chunk)) await Bun.sleep(0);
  else await Promise.race([once(tcp, "drain"), socket.closed]);
}
console.log(`ended ${await code}`);
process.exit(0);
