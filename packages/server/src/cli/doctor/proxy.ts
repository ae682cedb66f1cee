/** Checks a server through whatever stands in front of it: does the health check answer, and does a handshake pass? */

import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { type Finding, findings } from "./finding.ts";
import { isHealth } from "./port.ts";

const { ok, problem } = findings("proxy");

export interface ProxyCheck {
  readonly findings: readonly Finding[];
  readonly date: string | null;
}

const TIMEOUT_MS = 10_000;

/** `url` is http: or https:, without a slash at its end. */
export async function checkProxy(url: string, key: string): Promise<ProxyCheck> {
  const health = await askHealth(url);
  if (health.isUnreachable) return { findings: [health.finding], date: null };
  return { findings: [health.finding, await checkHandshake(url, key)], date: health.date };
}

async function askHealth(url: string) {
  try {
    const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: "manual" });
    return {
      finding: healthFinding(url, response, await response.text()),
      date: response.headers.get("date"),
      isUnreachable: false,
    };
  } catch (error) {
    const why = error instanceof Error ? error.message.split("\n", 1)[0] : String(error);
    const change = "see whether the name is right, the port is open and the certificate is good";
    return { finding: problem(`${url} cannot be reached: ${why}`, change), date: null, isUnreachable: true };
  }
}

function healthFinding(url: string, { status, headers }: Response, text: string): Finding {
  const called = `GET ${url}/health`;
  if (status === 200 && isHealth(text)) return ok(`${called} answers`);
  if (status >= 300 && status < 400) {
    return problem(
      `${called} is sent on to ${headers.get("location")}`,
      "use that address; WebSocket clients follow no redirects",
    );
  }
  if (status === 404) {
    return problem(
      `${called} is answered 404`,
      "see whether the proxy passes this path on, and whether `path` is the prefix it leaves",
    );
  }
  if (status >= 502 && status <= 504) {
    return problem(
      `${called} is answered ${status} by the proxy`,
      "see whether Fanfare runs where the proxy looks for it",
    );
  }
  return problem(
    `${called} is answered ${status}, and not by Fanfare`,
    "see whether the proxy passes this path on to Fanfare",
  );
}

async function checkHandshake(url: string, key: string): Promise<Finding> {
  const target = new URL(`${url}/app/${encodeURIComponent(key)}?protocol=7&client=fanfare-doctor`);
  const answer = await handshake(target).catch((error: unknown) =>
    String(error instanceof Error ? error.message : error),
  );
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(answer)?.[1];
  if (status === undefined) {
    return problem(
      `the WebSocket handshake was not answered (${answer.slice(0, 80) || "the connection was closed"})`,
      UPGRADE,
    );
  }
  if (status !== "101") return problem(`the WebSocket handshake was answered ${status} and not 101`, hintFor(status));
  if (!/^upgrade: *websocket/im.test(answer))
    return problem("the answer to the handshake has lost its Upgrade header", UPGRADE);
  if (answer.includes("pusher:")) return ok("a WebSocket handshake passes, and the first message comes through");
  return problem(
    "a WebSocket handshake passes, but no message comes through",
    "turn buffering off in the proxy (nginx: proxy_buffering off)",
  );
}

const UPGRADE =
  "let the proxy pass Upgrade and Connection on with HTTP/1.1 (nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; " +
  'proxy_set_header Connection "upgrade";)';

function hintFor(status: string): string {
  if (status === "429")
    return "too many connections came from here: try again, or set trustedProxies so that clients are told apart";
  if (status === "403")
    return "this address or the page's origin is refused: see allowIps, denyIps and allowedOrigins, or the proxy's own rules";
  if (status === "503") return "the server is stopping, or the proxy finds none: try again";
  return UPGRADE;
}

/** Everything up to the first message, or to the end. */
function handshake(target: URL): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = open(target);
  let text = "";
  const end = () => {
    socket.destroy();
    resolve(text);
  };
  const late = setTimeout(end, TIMEOUT_MS);
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
    const head = text.indexOf("\r\n\r\n");
    if (head >= 0 && (!text.startsWith("HTTP/1.1 101") || text.includes("pusher:", head))) end();
  });
  socket.on("error", reject);
  socket.on("close", end);
  return promise.finally(() => clearTimeout(late));
}

function open({ protocol, hostname, port, host, pathname, search }: URL): Socket {
  const name = hostname.replace(/^\[|\]$/g, "");
  const isSecure = protocol === "https:";
  const place = { host: name, port: Number(port) || (isSecure ? 443 : 80) };
  const head = [
    `GET ${pathname}${search} HTTP/1.1`,
    `Host: ${host}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64")}`,
  ];
  const say = () => socket.write(`${head.join("\r\n")}\r\n\r\n`);
  const socket: Socket = isSecure ? connectTls({ ...place, servername: name }, say) : connectPlain(place, say);
  return socket;
}
