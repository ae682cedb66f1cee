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

/** What a line of code does, and the page counts. */
export type Hit = "cursor" | "note" | "member" | "recovered" | "send" | "public";

export interface Snippet {
  readonly title: string;
  readonly code: string;
  /** The lines that count, by what stands in them. */
  readonly hits: Readonly<Record<string, Hit>>;
}

export function snippets(place: Place): readonly Snippet[] {
  return [
    {
      title: "Fanfare client",
      code: fanfareClient(place),
      hits: {
        'at.on("': "cursor",
        'room.on("': "note",
        "room.onJoin": "member",
        "if (room.": "recovered",
        "at.publish": "send",
      },
    },
    { title: "pusher-js", code: pusherClient(place), hits: { 'bind("note"': "public" } },
    { title: "Laravel Echo", code: echoClient(place), hits: { 'listen(".note"': "public" } },
    { title: "WebSocket", code: nativeClient(place), hits: { onmessage: "public" } },
    { title: "Back end", code: backEnd(place), hits: { "pusher.trigger": "public" } },
    { title: "Shell", code: shell(place), hits: { "fanfare publish": "public" } },
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

function fanfareClient(place: Place): string {
  return `import { createClient } from "@fanfare/client";

const url = "${address(place, "http")}";
const token = async () => (await (await fetch(
  url + "/demo/token")).json()).token;
const client = createClient({ url, token });
const room = client.channel("presence-workshop");
const at = client.channel("private-workshop-cursors");

at.on("client-cursor", console.log);
room.on("note", console.log);
room.onJoin(console.log);
room.subscribe(() => {
  if (room.snapshot.recovered) console.log("whole");
});

at.publish("client-cursor", { x: 1, y: 0 });`;
}

function pusherClient(place: Place): string {
  return `import Pusher from "pusher-js";

const pusher = new Pusher("${place.appKey}", {
  ${pusherOptions(place)},
  enabledTransports: ["ws", "wss"],
});
const channel = pusher.subscribe("workshop");
channel.bind("note", (note) => console.log(note));`;
}

function echoClient(place: Place): string {
  return `import Echo from "laravel-echo";
import Pusher from "pusher-js";

const echo = new Echo({
  broadcaster: "pusher", Pusher,
  key: "${place.appKey}",
  ${pusherOptions(place)},
  enabledTransports: ["ws", "wss"],
});
echo.channel("workshop")
  .listen(".note", (note) => console.log(note));`;
}

function pusherOptions({ host, port, isSecure, path }: Place): string {
  const prefix = path === "" ? "" : `wsPath: "${path}", `;
  const secure = isSecure ? `wssPort: ${port}, forceTLS: true` : `wsPort: ${port}, forceTLS: false`;
  return `cluster: "", wsHost: "${host}", ${prefix}\n  ${secure}`.replaceAll(" \n", "\n");
}

function nativeClient(place: Place): string {
  return `const socket = new WebSocket("${address(place, "ws")}/");
const data = { channel: "workshop" };
socket.onopen = () =>
  socket.send(JSON.stringify({ event: "subscribe", data }));
socket.onmessage = ({ data }) => console.log(JSON.parse(data));`;
}

function backEnd({ host, port, isSecure, appId, appKey }: Place): string {
  return `import Pusher from "pusher";

const pusher = new Pusher({
  appId: "${appId}", key: "${appKey}",
  secret: process.env.SECRET,
  host: "${host}", port: "${port}", useTLS: ${isSecure},
});
await pusher.trigger("workshop", "note", { text: "Hello, board" });`;
}

function shell(place: Place): string {
  const url = address(place, "http");
  const target = url === "http://localhost:9501" ? "" : ` --url ${url}`;
  return `# in the folder where the server was started
npx fanfare publish workshop note '{"text":"Hello, board"}'${target}
npx fanfare listen workshop${target}`;
}

function address({ host, port, isSecure, path }: Place, scheme: "ws" | "http"): string {
  const usual = isSecure ? 443 : 80;
  return `${scheme}${isSecure ? "s" : ""}://${host}${port === usual ? "" : `:${port}`}${path}`;
}
