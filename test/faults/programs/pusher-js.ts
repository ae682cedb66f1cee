/** That many real pusher-js clients in a process of their own: how their connections ended, and when they were back. */

import Pusher from "pusher-js";

const [port = "", key = "", count = ""] = process.argv.slice(2);
/** The WebSocket close codes of connections that were up. */
const codes: number[] = [];
const backAtMs: number[] = [];
let connected = 0;

let isOver = false;

for (let n = 0; n < Number(count); n++) {
  const pusher = new Pusher(key, {
    cluster: "",
    wsHost: "127.0.0.1",
    wsPort: Number(port),
    forceTLS: false,
    enabledTransports: ["ws"],
    enableStats: false,
  });
  let isBack = false;
  pusher.connection.bind("connected", () => {
    transportOf(pusher).bind("closed", ({ code }) => {
      if (!isOver) codes.push(code);
    });
    if (isBack) backAtMs.push(Date.now());
    isBack = true;
    if (++connected === Number(count)) console.log("ready");
  });
  if (n % 25 === 24) await Bun.sleep(20);
}

process.on("SIGTERM", () => {
  isOver = true;
  console.log(`told ${JSON.stringify({ codes, backAtMs })}`);
  process.exit(0);
});

interface Transport {
  bind(event: "closed", listener: (ending: { readonly code: number }) => void): void;
}

/** pusher-js itself tells nobody the number that its socket was closed with. */
function transportOf({ connection }: Pusher): Transport {
  return (connection as unknown as { connection: { transport: Transport } }).connection.transport;
}
