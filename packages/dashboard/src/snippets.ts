/** Lines of code that connect to this server, with its address and an app's key in them. What back ends run is in back-end-snippets.ts. */

export interface Place {
  readonly host: string;
  readonly port: number;
  readonly isSecure: boolean;
  /** The path in front of everything, without a slash at its end; empty where there is none. */
  readonly path: string;
  readonly appId: string;
  readonly appKey: string;
}

/** Where an event goes in the code. */
export interface Target {
  readonly channel: string;
  readonly event: string;
}

export function placeOf(url: URL, path: string, appId: string, appKey: string): Place {
  const isSecure = url.protocol === "https:";
  return {
    host: url.hostname,
    port: url.port === "" ? (isSecure ? 443 : 80) : Number(url.port),
    isSecure,
    path,
    appId,
    appKey,
  };
}

export function address({ host, port, isSecure, path }: Place, scheme: "ws" | "http"): string {
  const usual = isSecure ? 443 : 80;
  return `${scheme}${isSecure ? "s" : ""}://${host}${port === usual ? "" : `:${port}`}${path}`;
}

/** Where a page asks its back end whether it may listen: the route that the back ends' code answers. */
export const BACK_END = { port: 3000, route: "/pusher/auth" };
export const AUTH_URL = `http://localhost:${BACK_END.port}${BACK_END.route}`;

export const PRIVATE = "private-";

export function isPrivate({ channel }: Target): boolean {
  return channel.startsWith(PRIVATE);
}

export function pusherClient(place: Place, target: Target): string {
  const { channel, event } = target;
  const [asks, refused] = isPrivate(target)
    ? [`\n  channelAuthorization: { endpoint: "${AUTH_URL}" },`, `\n${REFUSED}`]
    : ["", ""];
  return `import Pusher from "pusher-js";

const pusher = new Pusher("${place.appKey}", {
  ${pusherOptions(place)},
  enabledTransports: ["ws", "wss"],${asks}
});
const channel = pusher.subscribe("${channel}");
channel.bind("${event}", (data) => console.log(data));${refused}`;
}

const REFUSED = `channel.bind("pusher:subscription_error", console.error);`;

/** For a private channel it asks Laravel's own route, on the page's server. */
export function echoClient(place: Place, target: Target): string {
  const { channel, event } = target;
  const opened = isPrivate(target) ? `private("${channel.slice(PRIVATE.length)}")` : `channel("${channel}")`;
  return `import Echo from "laravel-echo";
import Pusher from "pusher-js";

const echo = new Echo({
  broadcaster: "pusher", Pusher,
  key: "${place.appKey}",
  ${pusherOptions(place)},
  enabledTransports: ["ws", "wss"],
});
echo.${opened}
  .listen(".${event}", (data) => console.log(data));`;
}

function pusherOptions({ host, port, isSecure, path }: Place): string {
  const where = `cluster: "", wsHost: "${host}",${path === "" ? "" : ` wsPath: "${path}",`}`;
  return `${where}\n  ${isSecure ? "wssPort" : "wsPort"}: ${port}, forceTLS: ${isSecure}`;
}

export function fanfareClient(place: Place, target: Target, isFirstApp: boolean): string {
  const { channel, event } = target;
  const app = isFirstApp ? "" : `, app: "${place.appKey}"`;
  const asks = isPrivate(target) ? `,\n  authorize: ${ASK},\n` : " ";
  return `import { createClient } from "@fanfare/client";

const client = createClient({${asks === " " ? " " : "\n  "}url: "${address(place, "ws")}"${app}${asks}});
const channel = client.channel("${channel}");
channel.on("${event}", (data) => console.log(data));`;
}

const ASK = `async (channel_name, socket_id) => {
    const body = new URLSearchParams({ channel_name, socket_id });
    const answer = await fetch("${AUTH_URL}", { method: "POST", body });
    if (!answer.ok) throw new Error(\`refused: \${answer.status}\`);
    return answer.json();
  }`;

export function plainClient(place: Place, target: Target, isFirstApp: boolean): string {
  const { channel } = target;
  if (isPrivate(target)) return plainPrivateClient(place, channel, isFirstApp);
  return `const socket = new WebSocket("${address(place, "ws")}/${isFirstApp ? "" : `?app=${place.appKey}`}");
const data = { channel: "${channel}" };
socket.onopen = () =>
  socket.send(JSON.stringify({ event: "subscribe", data }));
socket.onmessage = ({ data }) => console.log(JSON.parse(data));`;
}

function plainPrivateClient(place: Place, channel: string, isFirstApp: boolean): string {
  return `const channel = "${channel}";
const socket = new WebSocket("${address(place, "ws")}/${isFirstApp ? "" : `?app=${place.appKey}`}");
socket.onmessage = async ({ data: text }) => {
  const { event, data } = JSON.parse(text);
  console.log(event, data);
  if (event !== "welcome") return;
  const body = new URLSearchParams({ channel_name: channel, socket_id: data.id });
  const answer = await fetch("${AUTH_URL}", { method: "POST", body });
  if (!answer.ok) return console.error(\`refused: \${answer.status}\`);
  const permission = await answer.json();
  socket.send(JSON.stringify({ event: "subscribe", data: { channel, ...permission } }));
};`;
}

export function laravelEnvironment({ host, port, isSecure, appId, appKey }: Place, secret: string | undefined): string {
  const line =
    secret === undefined ? "# the app's secret, from step 1:\nPUSHER_APP_SECRET=" : `PUSHER_APP_SECRET=${secret}`;
  return `BROADCAST_CONNECTION=pusher
PUSHER_APP_ID=${appId}
PUSHER_APP_KEY=${appKey}
${line}
PUSHER_HOST=${host}
PUSHER_PORT=${port}
PUSHER_SCHEME=${isSecure ? "https" : "http"}
PUSHER_APP_CLUSTER=mt1

VITE_PUSHER_APP_KEY="\${PUSHER_APP_KEY}"
VITE_PUSHER_HOST="\${PUSHER_HOST}"
VITE_PUSHER_PORT="\${PUSHER_PORT}"
VITE_PUSHER_SCHEME="\${PUSHER_SCHEME}"`;
}
