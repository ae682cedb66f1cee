/** The smallest server that listens where Fanfare does: what Bun itself takes until it answers, and holds when nobody is there. */

Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.env.FANFARE_PORT),
  fetch: (request, server) => (server.upgrade(request) ? undefined : new Response("ok")),
  websocket: { message: (ws, frame) => void ws.publish("all", frame) },
});
