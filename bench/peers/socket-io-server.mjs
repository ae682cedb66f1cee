/** A Socket.IO server as its documentation shows it: `node socket-io-server.mjs PORT [REDIS_PORT]`. */

import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-adapter";
import { Redis } from "ioredis";
import { Server } from "socket.io";

const [port, redisPort] = process.argv.slice(2).map(Number);

const http = createServer((request, response) => {
  let body = "";
  request.setEncoding("utf8");
  request.on("data", (part) => {
    body += part;
  });
  request.on("end", () => {
    const { name, channel, data } = JSON.parse(body);
    io.to(channel).emit(name, data);
    response.setHeader("Content-Type", "application/json");
    response.end("{}");
  });
});

const io = new Server(http, {
  serveClient: false,
  transports: ["websocket"],
  // The readers of the bench answer no pings.
  pingInterval: 3_600_000,
  ...(redisPort > 0 && { adapter: adapterOn(redisPort) }),
});

io.on("connection", (socket) => {
  socket.on("join", (channel) => {
    socket.join(channel);
    socket.emit("joined", channel);
  });
});

http.listen(port, "127.0.0.1");

function adapterOn(port) {
  const publisher = new Redis({ port });
  return createAdapter(publisher, publisher.duplicate());
}
