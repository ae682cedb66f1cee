/** The lines of code that make it work elsewhere, with this server's own address and key in them. */

export interface Place {
  readonly host: string;
  readonly port: number;
  readonly isSecure: boolean;
  /** The path in front of everything, without a slash at its end; empty where there is none. */
  readonly path: string;
  readonly appId: string;
  readonly appKey: string;
}

export interface Snippet {
  readonly title: string;
  readonly code: string;
}

export function clientSnippets(place: Place): readonly Snippet[] {
  return [
    { title: "WebSocket", code: nativeClient(place) },
    { title: "@fanfare/client", code: fanfareClient(place) },
    { title: "pusher-js", code: pusherClient(place) },
    { title: "Laravel Echo", code: echoClient(place) },
  ];
}

export function serverSnippets(place: Place): readonly Snippet[] {
  return [
    { title: "HTTP", code: httpServer(place) },
    { title: "Command line", code: commandLine(place) },
    { title: "Embedded", code: embedded(place) },
  ];
}

export function placeOf(url: URL, appId: string, appKey: string): Place {
  const isSecure = url.protocol === "https:";
  return {
    host: url.hostname,
    port: url.port === "" ? (isSecure ? 443 : 80) : Number(url.port),
    isSecure,
    path: url.pathname.replace(/\/[^/]*$/, ""),
    appId,
    appKey,
  };
}

function nativeClient(place: Place): string {
  return `const socket = new WebSocket("${address(place, "ws")}/");
const hello = { event: "subscribe", data: { channel: "lobby" } };
socket.onopen = () => socket.send(JSON.stringify(hello));
socket.onmessage = ({ data }) => console.log(JSON.parse(data));`;
}

function fanfareClient(place: Place): string {
  return `import { createClient } from "@fanfare/client";
const client = createClient({ url: "${address(place, "ws")}" });
const lobby = client.channel("lobby");
lobby.on("message", (data) => console.log(data));`;
}

function pusherClient(place: Place): string {
  return `import Pusher from "pusher-js";
const pusher = new Pusher("${place.appKey}", {
  ${pusherOptions(place)},
  enabledTransports: ["ws", "wss"],
});
pusher.subscribe("lobby").bind("message", (data) => console.log(data));`;
}

function echoClient(place: Place): string {
  return `import Echo from "laravel-echo";
import Pusher from "pusher-js";
const echo = new Echo({
  broadcaster: "pusher", Pusher, enabledTransports: ["ws", "wss"],
  key: "${place.appKey}",
  ${pusherOptions(place)},
});
echo.channel("lobby").listen(".message", (data) => console.log(data));`;
}

function pusherOptions({ host, port, isSecure, path }: Place): string {
  const prefix = path === "" ? "" : `wsPath: "${path}", `;
  const secure = isSecure ? `wssPort: ${port}, forceTLS: true` : `wsPort: ${port}, forceTLS: false`;
  return `cluster: "", wsHost: "${host}", ${prefix}${secure}`;
}

function httpServer({ host, port, isSecure, appId, appKey }: Place): string {
  return `import Pusher from "pusher";
const pusher = new Pusher({
  appId: "${appId}", host: "${host}", port: "${port}", useTLS: ${isSecure},
  key: "${appKey}",
  secret: process.env.SECRET,
});
await pusher.trigger("lobby", "message", { text: "Hello, lobby" });`;
}

function commandLine(place: Place): string {
  const url = address(place, "http");
  const target = url === "http://localhost:9501" ? "" : ` --url ${url}`;
  return `# in the folder where the server was started
npx fanfare publish lobby message '{"text":"Hello, lobby"}'${target}
npx fanfare listen lobby${target}`;
}

function embedded({ port }: Place): string {
  return `import { createServer } from "fanfare";
const server = createServer({ port: ${port} });
await server.start();
const lobby = server.toChannel("lobby");
await lobby.push({ event: "message", data: { text: "Hello, lobby" } });`;
}

function address({ host, port, isSecure, path }: Place, scheme: "ws" | "http"): string {
  const usual = isSecure ? 443 : 80;
  return `${scheme}${isSecure ? "s" : ""}://${host}${port === usual ? "" : `:${port}`}${path}`;
}
