/**
 * The best that `Bun.serve` lets a handler do for the same work: each step by the cheapest call there is, nothing checked but what
 * keeps strangers out, and only requests and frames of the form that the bench sends are understood.
 */

import type { ServerWebSocket } from "bun";
import type { Work } from "./baseline.ts";
import { APP } from "./credentials.ts";
import { CHANNEL, dataFor, EVENT } from "./message.ts";

const data = dataFor("pusher");
const HEAD = `{"event":"${EVENT}","channel":"${CHANNEL}","data":`;

export const optimal: Work = {
  publish: (server) => server.publish(CHANNEL, `${HEAD}${JSON.stringify(JSON.stringify(data))}}`),
  relay,
  trigger: (server, request) => request.text().then((body) => answer(server, request.url, body)),
};

/** The data stand last, and go out as the text that they are. */
function relay(ws: ServerWebSocket<{ readonly topic: string }>, frame: string | Buffer): void {
  const text = frame as string;
  const at = text.indexOf(DATA) + DATA.length;
  ws.publish(ws.data.topic, `${text.slice(0, at)}${JSON.stringify(text.slice(at, -1))}}`);
}

const DATA = '"data":';

/** The parameters are in order, and the signature is the last of them, as every library of Pusher's sends them. */
function answer(server: Parameters<Work["trigger"]>[0], url: string, body: string): Response {
  const from = url.indexOf("?") + 1;
  const end = url.lastIndexOf(SIGNATURE);
  const digest = url.indexOf(DIGEST, from) + DIGEST.length;
  const isIntact = url.startsWith(Bun.MD5.hash(body, "hex"), digest);
  const signed = `POST\n${PATH}\n${url.slice(from, end)}`;
  const signature = new Bun.CryptoHasher("sha256", APP.secret).update(signed).digest("hex");
  if (!isIntact || url.slice(end + SIGNATURE.length) !== signature) return new Response(null, { status: 401 });
  const { name, channel, data } = JSON.parse(body);
  server.publish(channel, `{"event":"${name}","channel":"${channel}","data":${JSON.stringify(data)}}`);
  return Response.json({});
}

const PATH = `/apps/${APP.id}/events`;
const DIGEST = "&body_md5=";
const SIGNATURE = "&auth_signature=";
