/** Checks a server through what stands in front of it: does the health check answer, and does a handshake pass? */

import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { messageOf } from "../../domain/thrown.ts";
import { type Answer, callHealth, isHealth } from "../http.ts";
import { type Finding, findings } from "./finding.ts";
import { checkStreams, type StreamCheck } from "./streams.ts";

const { ok, problem } = findings("proxy");

interface ProxyCheck {
  readonly findings: readonly Finding[];
  readonly date: string | null;
}

const TIMEOUT_MS = 10_000;

/** `url` is http: or https:, without a slash at its end. */
export async function checkProxy(url: string, key: string, streams: StreamCheck): Promise<ProxyCheck> {
  try {
    const answer = await callHealth(url, { timeoutMs: TIMEOUT_MS, redirect: "manual" });
    const health = healthFinding(`GET ${url}/health`, answer);
    // What does not pass a health check on passes nothing on.
    const more = health.level === "ok" ? await checkStreams(url, key, streams) : [];
    const all = [health, await checkHandshake(url, key), ...more];
    return { findings: all, date: answer.headers.get("date") };
  } catch (error) {
    const [why] = messageOf(error).split("\n", 1);
    const change = "see whether the name is right, the port is open and the certificate is good";
    return { findings: [problem(`${url} cannot be reached: ${why}`, change)], date: null };
  }
}

function healthFinding(request: string, answer: Answer): Finding {
  const { status, headers } = answer;
  if (status === 200 && isHealth(answer)) return ok(`${request} answers`);
  if (status >= 300 && status < 400) {
    const change = "use that address; WebSocket clients follow no redirects";
    return problem(`${request} is sent on to ${headers.get("location")}`, change);
  }
  if (status === 404) {
    const change = "see whether the proxy passes this path on, and whether `path` is the prefix it leaves";
    return problem(`${request} is answered 404`, change);
  }
  if (status >= 502 && status <= 504) {
    const change = "see whether Fanfare runs where the proxy looks for it";
    return problem(`${request} is answered ${status} by the proxy`, change);
  }
  const change = "see whether the proxy passes this path on to Fanfare";
  return problem(`${request} is answered ${status}, and not by Fanfare`, change);
}

async function checkHandshake(url: string, key: string): Promise<Finding> {
  const target = new URL(`${url}/app/${encodeURIComponent(key)}?protocol=7&client=fanfare-doctor`);
  const answer = await handshake(target).catch(messageOf);
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(answer)?.[1];
  if (status === undefined) {
    const why = answer.slice(0, 80) || "the connection was closed";
    return problem(`the WebSocket handshake was not answered (${why})`, UPGRADE);
  }
  if (status !== "101") {
    return problem(`the WebSocket handshake was answered ${status} and not 101`, HINTS[status] ?? UPGRADE);
  }
  if (!/^upgrade: *websocket/im.test(answer)) {
    return problem("the answer to the handshake has lost its Upgrade header", UPGRADE);
  }
  if (answer.includes("pusher:")) return ok("a WebSocket handshake passes, and the first message comes through");
  const change = "turn buffering off in the proxy (nginx: proxy_buffering off)";
  return problem("a WebSocket handshake passes, but no message comes through", change);
}

const UPGRADE =
  "let the proxy pass Upgrade and Connection on with HTTP/1.1 (nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; " +
  'proxy_set_header Connection "upgrade";)';

const HINTS: Readonly<Record<string, string>> = {
  403: "this address or the page's origin is refused: see allowIps, denyIps and allowedOrigins, or the proxy's own rules",
  429: "too many connections came from here: try again, or set trustedProxies so that each client has its own address",
  503: "the server is stopping, or the proxy finds none: try again",
};

/** Everything up to the first message, or to the end. */
function handshake(target: URL): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = open(target);
  let text = "";
  const end = () => {
    socket.destroy();
    resolve(text);
  };
  const timer = setTimeout(end, TIMEOUT_MS);
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
    const head = text.indexOf("\r\n\r\n");
    if (head >= 0 && (!text.startsWith("HTTP/1.1 101") || text.includes("pusher:", head))) end();
  });
  socket.on("error", reject);
  socket.on("close", end);
  return promise.finally(() => clearTimeout(timer));
}

function open({ protocol, hostname, port, host, pathname, search }: URL): Socket {
  const name = hostname.replace(/^\[|\]$/g, "");
  const isSecure = protocol === "https:";
  const address = { host: name, port: Number(port) || (isSecure ? 443 : 80) };
  const head = [
    `GET ${pathname}${search} HTTP/1.1`,
    `Host: ${host}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64")}`,
  ];
  const send = () => socket.write(`${head.join("\r\n")}\r\n\r\n`);
  const socket: Socket = isSecure ? connectTls({ ...address, servername: name }, send) : connectPlain(address, send);
  return socket;
}
