/** What stands between a browser and the server: a small proxy, which may also be slow or broken. */

import type { Server } from "../../packages/server/src/index.ts";
import { atEnd } from "../support/at-end.ts";

/** Answers in the server's place, or lets a call wait; undefined passes it on. */
type Meddle = (pathname: string) => Promise<Response | undefined>;

/** Takes the prefix off, as small proxies do, and says nothing of having been there. */
export function startProxy(
  { url, dashboardUrl }: Server,
  prefix: string,
  meddle: Meddle = async () => undefined,
): Pick<Server, "port" | "dashboardUrl"> {
  const sockets = new WeakMap<object, WebSocket>();
  const proxy = Bun.serve<{ readonly target: string }>({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request, self): Promise<Response | undefined> => {
      const { pathname, search } = new URL(request.url);
      const target = url + pathname.replace(prefix, "") + search;
      if (request.headers.has("upgrade")) {
        return self.upgrade(request, { data: { target } }) ? undefined : new Response(null, { status: 400 });
      }
      const instead = await meddle(pathname);
      if (instead) return instead;
      const answer = await fetch(target, {
        method: request.method,
        headers: request.headers,
        body: (await request.text()) || null,
        redirect: "manual",
      });
      const headers = new Headers(answer.headers);
      // The body is unpacked by now.
      for (const name of ["content-encoding", "content-length"]) headers.delete(name);
      return new Response(answer.body, { status: answer.status, headers });
    },
    websocket: {
      open: (socket) => {
        const beyond = new WebSocket(socket.data.target.replace("http", "ws"));
        sockets.set(socket, beyond);
        beyond.onmessage = ({ data }) => socket.send(String(data));
        beyond.onclose = () => socket.close();
      },
      message: (socket, frame) => sockets.get(socket)?.send(frame),
      close: (socket) => sockets.get(socket)?.close(),
    },
  });
  atEnd(() => proxy.stop(true));
  return { port: proxy.port ?? 0, dashboardUrl };
}
