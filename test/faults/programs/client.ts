/**
 * Many Pusher clients in a process of their own, so that they can be stopped, or killed at once, without the test's own
 * clients. Prints `ready` when all have subscribed, then one line for each that is closed: `closed CODE`.
 *
 *   bun client.ts URL KEY SECRET COUNT CHANNEL    an empty CHANNEL for clients that never subscribe; in a presence
 *                                                 channel each of them is a user of its own
 */

import { createHmac } from "node:crypto";

const [url = "", key = "", secret = "", count = "1", channel = ""] = process.argv.slice(2);
const AT_ONCE = 200;

let remaining = Number(count);
let opened = 0;

function next(): void {
  if (remaining-- > 0) open();
}

function open(): void {
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/app/${key}?protocol=7&client=js&version=8.6.0`);
  socket.onmessage = ({ data }) => {
    const text = String(data);
    if (text.startsWith('{"event":"pusher:ping"')) return socket.send('{"event":"pusher:pong","data":{}}');
    if (text.startsWith('{"event":"pusher:connection_established"')) {
      if (channel === "") return settled();
      const { socket_id } = JSON.parse((JSON.parse(text) as { data: string }).data) as { socket_id: string };
      return socket.send(JSON.stringify({ event: "pusher:subscribe", data: { channel, ...permission(socket_id) } }));
    }
    if (text.startsWith('{"event":"pusher_internal:subscription_succeeded"')) settled();
  };
  socket.onclose = ({ code }) => console.log(`closed ${code}`);
}

function permission(socketId: string): object {
  if (!channel.startsWith("presence-")) return {};
  const data = JSON.stringify({ user_id: socketId });
  const signature = createHmac("sha256", secret).update(`${socketId}:${channel}:${data}`).digest("hex");
  return { auth: `${key}:${signature}`, channel_data: data };
}

function settled(): void {
  opened++;
  if (opened === Number(count)) console.log("ready");
  next();
}

for (let n = 0; n < AT_ONCE; n++) next();
