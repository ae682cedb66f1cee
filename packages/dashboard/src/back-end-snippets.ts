/** Programs of back ends: they say who may listen to a private channel, and publish. The secret comes from their environment. */

import { address, BACK_END, type Place, PRIVATE, type Target } from "./snippets.ts";

export const SECRET_VARIABLE = "FANFARE_SECRET";

const { port: PORT, route: ROUTE } = BACK_END;

// ---- who may listen: nothing but what each language brings along

export function nodePermit({ appKey }: Place, { channel }: Target): string {
  return `import { createHmac } from "node:crypto";
import { createServer } from "node:http";

/** Yours to say: who asks, by the session of the request, and what they may hear. */
const mayListen = (request, channel) => channel === "${channel}";

createServer((request, response) => {
  let body = "";
  request.on("data", (chunk) => {
    if ((body += chunk).length > 10_000) request.destroy();
  });
  request.on("end", () => {
    const form = new URLSearchParams(body);
    const [id, channel] = [form.get("socket_id"), form.get("channel_name")];
    const isAsked = request.url === "${ROUTE}" && /^\\d+\\.\\d+$/.test(id);
    // For a page of another address than this.
    response.setHeader("Access-Control-Allow-Origin", "*");
    if (!isAsked || !mayListen(request, channel))
      return response.writeHead(403).end();
    const signature = createHmac("sha256", process.env.${SECRET_VARIABLE})
      .update(\`\${id}:\${channel}\`).digest("hex");
    response.end(JSON.stringify({ auth: \`${appKey}:\${signature}\` }));
  });
}).listen(${PORT});`;
}

export function expressPermit({ appKey }: Place, { channel }: Target): string {
  return `import { createHmac } from "node:crypto";
import express from "express";

/** Yours to say: who asks, by the session of the request, and what they may hear. */
const mayListen = (request, channel) => channel === "${channel}";

const app = express();
app.use(express.urlencoded({ extended: false }));
app.post("${ROUTE}", (request, response) => {
  const { socket_id: id, channel_name: channel } = request.body;
  // For a page of another address than this.
  response.set("Access-Control-Allow-Origin", "*");
  if (!/^\\d+\\.\\d+$/.test(id) || !mayListen(request, channel))
    return response.sendStatus(403);
  const signature = createHmac("sha256", process.env.${SECRET_VARIABLE})
    .update(\`\${id}:\${channel}\`).digest("hex");
  response.json({ auth: \`${appKey}:\${signature}\` });
});
app.listen(${PORT});`;
}

/** Of routes/channels.php; the route itself is Laravel's. */
export function laravelPermit({ channel }: Target): string {
  return `use Illuminate\\Support\\Facades\\Broadcast;

// Yours to say: whether this user may listen. Who is not logged in is not asked about.
Broadcast::channel("${channel.slice(PRIVATE.length)}", fn ($user) => true);`;
}

export function phpPermit({ appKey }: Place, { channel }: Target): string {
  return `<?php
$id = $_POST["socket_id"] ?? "";
$channel = $_POST["channel_name"] ?? "";

// Yours to say: who asks, by $_SESSION, and what they may hear.
$mayListen = $channel === "${channel}";

// For a page of another address than this.
header("Access-Control-Allow-Origin: *");
if (!$mayListen || !preg_match('/^\\d+\\.\\d+\\z/', $id)) {
  http_response_code(403);
  exit;
}
$signature = hash_hmac("sha256", "$id:$channel", getenv("${SECRET_VARIABLE}"));
header("Content-Type: application/json");
echo json_encode(["auth" => "${appKey}:$signature"]);`;
}

export function pythonPermit({ appKey }: Place, { channel }: Target): string {
  return `import hashlib, hmac, json, os, re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

def may_listen(request, channel):
    """Yours to say: who asks, by the request's session, and what they hear."""
    return channel == "${channel}"

class BackEnd(BaseHTTPRequestHandler):
    def do_POST(self):
        length = min(int(self.headers.get("Content-Length", 0)), 10_000)
        form = parse_qs(self.rfile.read(length).decode())
        id = form.get("socket_id", [""])[0]
        channel = form.get("channel_name", [""])[0]
        is_allowed = (self.path == "${ROUTE}"
                      and re.fullmatch("[0-9]+[.][0-9]+", id)
                      and may_listen(self, channel))
        self.send_response(200 if is_allowed else 403)
        # For a page of another address than this.
        self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()
        if is_allowed:
            secret = os.environ["${SECRET_VARIABLE}"].encode()
            signed = hmac.new(secret, f"{id}:{channel}".encode(), hashlib.sha256)
            auth = {"auth": f"${appKey}:{signed.hexdigest()}"}
            self.wfile.write(json.dumps(auth).encode())

ThreadingHTTPServer(("", ${PORT}), BackEnd).serve_forever()`;
}

export function goPermit({ appKey }: Place, { channel }: Target): string {
  return `package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"log"
	"net/http"
	"os"
	"regexp"
)

var socketID = regexp.MustCompile("^[0-9]+[.][0-9]+$")

// Yours to say: who asks, by the session of the request, and what they may hear.
func mayListen(request *http.Request, channel string) bool {
	return channel == "${channel}"
}

func authorize(response http.ResponseWriter, request *http.Request) {
	id := request.PostFormValue("socket_id")
	channel := request.PostFormValue("channel_name")
	// For a page of another address than this.
	response.Header().Set("Access-Control-Allow-Origin", "*")
	if !socketID.MatchString(id) || !mayListen(request, channel) {
		response.WriteHeader(http.StatusForbidden)
		return
	}
	signature := hmac.New(sha256.New, []byte(os.Getenv("${SECRET_VARIABLE}")))
	fmt.Fprintf(signature, "%s:%s", id, channel)
	fmt.Fprintf(response, "{\\"auth\\":\\"${appKey}:%x\\"}", signature.Sum(nil))
}

func main() {
	http.HandleFunc("${ROUTE}", authorize)
	log.Fatal(http.ListenAndServe(":${PORT}", nil))
}`;
}

// ---- publishing

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
