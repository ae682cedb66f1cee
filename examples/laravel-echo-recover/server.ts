/** Broadcasts numbers as Laravel would, and holds the line to the page, so that it can be cut. */

import { connect, createServer as createLine, type Socket } from "node:net";
import { createServer } from "fanfare";
import page from "./index.html";

const fanfare = createServer({
  port: Number(process.env.FANFARE_PORT ?? 9501),
  apps: [
    {
      id: "shop",
      key: "shop-key",
      secret: process.env.APP_SECRET ?? crypto.randomUUID(),
      channels: [{ match: "numbers", history: { size: 500, ttlS: 120 } }],
    },
  ],
});
await fanfare.start();

let number = 0;
setInterval(() => {
  fanfare.toChannel("numbers").push({ event: "App\\Events\\Counted", data: { number: ++number } });
}, 200);

const sockets = new Set<Socket>();
let isCut = false;
const line = createLine((near) => {
  if (isCut) {
    near.destroy();
    return;
  }
  const far = connect(fanfare.port, "127.0.0.1");
  for (const [from, to] of [
    [near, far],
    [far, near],
  ] as const) {
    sockets.add(from);
    from.pipe(to);
    from.on("error", () => {});
    from.on("close", () => {
      sockets.delete(from);
      to.destroy();
    });
  }
});
await new Promise<void>((resolve) => line.listen(0, resolve));

const web = Bun.serve({
  port: process.env.PORT ?? 8080,
  routes: {
    "/": page,
    "/line": () => Response.json(line.address()),
    "/number": () => Response.json(number),
    "/cut": () => {
      isCut = true;
      for (const socket of sockets) socket.destroy();
      return new Response(null, { status: 204 });
    },
    "/mend": () => {
      isCut = false;
      return new Response(null, { status: 204 });
    },
  },
});
console.log(`Open ${web.url}`);
