/** A back end in plain Node: says who may enter which channel, and pushes over HTTP with the official `pusher` library. */

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import Pusher from "pusher";

const host = process.env.PUSHER_HOST ?? "localhost";
const port = process.env.PUSHER_PORT ?? "9501";
const { PUSHER_APP_ID: appId = "", PUSHER_APP_KEY: key = "", PUSHER_APP_SECRET: secret = "" } = process.env;
const pusher = new Pusher({ appId, key, secret, host, port, useTLS: false });

const pusherJs = readFileSync(createRequire(import.meta.url).resolve("pusher-js/dist/web/pusher.min.js"));
const page = readFileSync(new URL("./index.html", import.meta.url), "utf8")
  .replace("APP_KEY", key)
  .replace("APP_HOST", host)
  .replace("APP_PORT", port);

const server = createServer(async (request, response) => {
  try {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
    if (request.method === "POST" && pathname === "/pusher/auth") {
      return authorize(response, searchParams.get("user"), new URLSearchParams(await read(request)));
    }
    if (request.method === "POST" && pathname === "/orders") {
      const { customer, ...order } = JSON.parse(await read(request));
      await pusher.trigger(`private-customer-${customer}`, "order-paid", order);
      return answer(response, 201, order);
    }
    if (pathname === "/pusher.js") return response.setHeader("Content-Type", "text/javascript").end(pusherJs);
    if (pathname === "/") return response.setHeader("Content-Type", "text/html; charset=utf-8").end(page);
    answer(response, 404, { error: "There is nothing here." });
  } catch (error) {
    console.error(error);
    answer(response, 500, { error: "Something went wrong." });
  }
});

/** In a real application the session says who it is. Customers may hear of their own orders only. */
function authorize(response, user, form) {
  const channel = form.get("channel_name");
  if (!user || channel !== `private-customer-${user}`) return answer(response, 403, { error: "Not your channel." });
  answer(response, 200, pusher.authorizeChannel(form.get("socket_id"), channel));
}

function answer(response, status, body) {
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
}

async function read(request) {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) {
    text += chunk;
    if (text.length > 100_000) throw new Error("The body is too large.");
  }
  return text;
}

server.listen(Number(process.env.PORT ?? 8080), () => {
  console.log(`Open http://localhost:${server.address().port}/?user=ada`);
});
