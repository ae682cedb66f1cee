/** An app's back end as people write one: the official server library, the two endpoints that clients ask, and a page. */

import { join } from "node:path";
import PusherLibrary from "pusher";
import type { Server } from "../../packages/server/src/index.ts";
import { atEnd } from "../support/at-end.ts";
import { APP, type AppKeys } from "../support/server.ts";

const MODULES = join(import.meta.dir, "..", "..", "node_modules");

const MASTER_KEY = Buffer.alloc(32, 7).toString("base64");

export interface Backend {
  readonly url: string;
  readonly library: PusherLibrary;
}

/** The library, set up the way its own documentation says. */
export function libraryFor(port: number, app: AppKeys = APP): PusherLibrary {
  return new PusherLibrary({
    appId: app.id,
    key: app.key,
    secret: app.secret,
    host: "127.0.0.1",
    port: String(port),
    useTLS: false,
    encryptionMasterKeyBase64: MASTER_KEY,
  });
}

/**
 * Who asks is named in the address: `/pusher/auth?user=ada`. Channels with `forbidden` in their name are refused; for
 * those with `forged`, the answer is signed by somebody else.
 */
export function startBackend(server: Pick<Server, "port">, app: AppKeys = APP): Backend {
  const library = libraryFor(server.port, app);
  const forger = libraryFor(server.port, { ...app, secret: "somebody else's" });
  const http = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    routes: {
      "/": () => new Response(PAGE, { headers: { "Content-Type": "text/html; charset=utf-8" } }),
      "/pusher.js": () => new Response(Bun.file(join(MODULES, "pusher-js/dist/web/pusher-with-encryption.js"))),
      "/echo.js": () => new Response(Bun.file(join(MODULES, "laravel-echo/dist/echo.iife.js"))),
      "/favicon.ico": () => new Response(null, { status: 204 }),
      "/pusher/auth": (request) => authorize(request, library, forger),
      "/broadcasting/auth": (request) => authorize(request, library, forger),
      "/pusher/user-auth": (request) => authenticate(request, library),
      "/broadcasting/user-auth": (request) => authenticate(request, library),
    },
  });
  atEnd(() => http.stop(true));
  return { url: `http://127.0.0.1:${http.port}`, library };
}

async function authorize(request: Request, library: PusherLibrary, forger: PusherLibrary): Promise<Response> {
  const form = new URLSearchParams(await request.text());
  const channel = form.get("channel_name") ?? "";
  const socketId = form.get("socket_id") ?? "";
  const user = new URL(request.url).searchParams.get("user") ?? "nobody";
  if (channel.includes("forbidden")) return new Response("Forbidden", { status: 403 });
  const signer = channel.includes("forged") ? forger : library;
  if (!channel.startsWith("presence-")) return Response.json(signer.authorizeChannel(socketId, channel));
  const member = { user_id: user, user_info: { name: user.toUpperCase() } };
  return Response.json(signer.authorizeChannel(socketId, channel, member));
}

async function authenticate(request: Request, library: PusherLibrary): Promise<Response> {
  const form = new URLSearchParams(await request.text());
  const { searchParams } = new URL(request.url);
  const watchlist = searchParams.get("watch")?.split(",") ?? [];
  const user = { id: searchParams.get("user") ?? "nobody", user_info: { admin: false }, watchlist };
  return Response.json(library.authenticateUser(form.get("socket_id") ?? "", user));
}

/** What every page of the tests has: `log` hears all of it. */
const PAGE = `<!doctype html><title>A page</title><script src="/pusher.js"></script><script src="/echo.js"></script><script>
const log = [];
let pusher;
function connectTo(key, options) {
  pusher = new Pusher(key, options);
  pusher.connection.bind("state_change", ({ current }) => log.push(["state", current]));
  pusher.connection.bind("error", (error) => log.push(["error", error.data?.code ?? error.error?.data?.code ?? null]));
}
function listen(name) {
  pusher.subscribe(name).bind_global((event, data) => log.push([name, event, data]));
}
</script>`;
