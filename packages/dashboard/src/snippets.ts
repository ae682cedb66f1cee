/** Lines of code that connect to this server and publish over it, with its address and an app's key in them. */

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

// ---- clients

export function pusherClient(place: Place, { channel, event }: Target): string {
  return `import Pusher from "pusher-js";

const pusher = new Pusher("${place.appKey}", {
  ${pusherOptions(place)},
  enabledTransports: ["ws", "wss"],
});
const channel = pusher.subscribe("${channel}");
channel.bind("${event}", (data) => console.log(data));`;
}

export function echoClient(place: Place, { channel, event }: Target): string {
  return `import Echo from "laravel-echo";
import Pusher from "pusher-js";

const echo = new Echo({
  broadcaster: "pusher", Pusher,
  key: "${place.appKey}",
  ${pusherOptions(place)},
  enabledTransports: ["ws", "wss"],
});
echo.channel("${channel}")
  .listen(".${event}", (data) => console.log(data));`;
}

function pusherOptions({ host, port, isSecure, path }: Place): string {
  const where = `cluster: "", wsHost: "${host}",${path === "" ? "" : ` wsPath: "${path}",`}`;
  return `${where}\n  ${isSecure ? "wssPort" : "wsPort"}: ${port}, forceTLS: ${isSecure}`;
}

export function fanfareClient(place: Place, { channel, event }: Target, isFirstApp: boolean): string {
  const app = isFirstApp ? "" : `, app: "${place.appKey}"`;
  return `import { createClient } from "@fanfare/client";

const client = createClient({ url: "${address(place, "ws")}"${app} });
const channel = client.channel("${channel}");
channel.on("${event}", (data) => console.log(data));`;
}

export function plainClient(place: Place, { channel }: Target, isFirstApp: boolean): string {
  return `const socket = new WebSocket("${address(place, "ws")}/${isFirstApp ? "" : `?app=${place.appKey}`}");
const data = { channel: "${channel}" };
socket.onopen = () =>
  socket.send(JSON.stringify({ event: "subscribe", data }));
socket.onmessage = ({ data }) => console.log(JSON.parse(data));`;
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

// ---- back ends: the secret comes from their environment

export const SECRET_VARIABLE = "FANFARE_SECRET";

export function laravelPublish({ channel, event }: Target): string {
  return `php artisan tinker --execute='
  Illuminate\\Support\\Facades\\Broadcast::connection()->broadcast(
    ["${channel}"], "${event}", ["text" => "Hello"]);'`;
}

export function phpPublish({ host, port, isSecure, appId, appKey }: Place, { channel, event }: Target): string {
  return `<?php
require "vendor/autoload.php"; // composer require pusher/pusher-php-server

$pusher = new Pusher\\Pusher(
  "${appKey}", getenv("${SECRET_VARIABLE}"), "${appId}",
  ["host" => "${host}", "port" => ${port}, "scheme" => "${isSecure ? "https" : "http"}", "useTLS" => ${isSecure}]);
$pusher->trigger("${channel}", "${event}", ["text" => "Hello"]);`;
}

export function nodePublish(place: Place, { channel, event }: Target): string {
  const { host, port, isSecure, appId, appKey } = place;
  return `import Pusher from "pusher";

const pusher = new Pusher({
  appId: "${appId}", key: "${appKey}",
  secret: process.env.${SECRET_VARIABLE},
  host: "${host}", port: "${port}", useTLS: ${isSecure},
});
await pusher.trigger("${channel}", "${event}", { text: "Hello" });`;
}

export function publisherPublish(place: Place, { channel, event }: Target): string {
  return `import { createPublisher } from "@fanfare/publisher";

const publisher = createPublisher({
  url: "${address(place, "http")}",
  appId: "${place.appId}", key: "${place.appKey}",
  secret: process.env.${SECRET_VARIABLE},
});
await publisher.publish("${channel}", "${event}", { text: "Hello" });`;
}

export function pythonPublish({ host, port, isSecure, appId, appKey }: Place, { channel, event }: Target): string {
  return `import os, pusher  # pip install pusher

client = pusher.Pusher(
    app_id="${appId}", key="${appKey}", secret=os.environ["${SECRET_VARIABLE}"],
    host="${host}", port=${port}, ssl=${isSecure ? "True" : "False"})
client.trigger("${channel}", "${event}", {"text": "Hello"})`;
}

export function goPublish({ host, port, isSecure, appId, appKey }: Place, { channel, event }: Target): string {
  return `package main

import (
	"os"

	"github.com/pusher/pusher-http-go/v5"
)

func main() {
	client := pusher.Client{
		AppID: "${appId}", Key: "${appKey}", Secret: os.Getenv("${SECRET_VARIABLE}"),
		Host: "${host}:${port}", Secure: ${isSecure},
	}
	if err := client.Trigger("${channel}", "${event}", map[string]string{"text": "Hello"}); err != nil {
		panic(err)
	}
}`;
}

export function curlPublish(place: Place, { channel, event }: Target): string {
  const { appId, appKey } = place;
  return `body='{"name":"${event}","channel":"${channel}","data":"{\\"text\\":\\"Hello\\"}"}'
query="auth_key=${appKey}&auth_timestamp=$(date +%s)&auth_version=1.0"
query="$query&body_md5=$(printf %s "$body" | openssl md5 | sed 's/.* //')"
signature=$(printf 'POST\\n/apps/${appId}/events\\n%s' "$query" |
  openssl sha256 -hmac "$${SECRET_VARIABLE}" | sed 's/.* //')
curl -d "$body" -H 'Content-Type: application/json' \\
  "${address(place, "http")}/apps/${appId}/events?$query&auth_signature=$signature"`;
}
