/** The settings of what clients speak over HTTP where a WebSocket does not get through. */

import { boolean, oneOf, seconds, section, withDefault } from "./fields.ts";

export const http = section("HTTP in place of a WebSocket, where a network does not let one through.", {
  pusher: boolean("Answers pusher-js's `xhr_streaming` and `xhr_polling`.").apply(withDefault, true),
  native: boolean("Answers the native protocol over HTTP, below `/rt/`.").apply(withDefault, true),
  keepAliveS: seconds(
    "Silence on a stream after which the server writes a sign of life, in seconds: less than the 60 s after which nginx and most other proxies close a silent response.",
    0.1,
  ).apply(withDefault, 25),
  pollS: seconds("How long a poll waits for something to report, in seconds.", 0.1).apply(withDefault, 25),
  sessionTimeoutS: seconds(
    "How long a connection lives while no request reads from it, in seconds; then its members leave.",
    0.1,
  ).apply(withDefault, 10),
  pin: oneOf(
    "Whether a client is told the address of the node that has its connection, so that its requests need not be passed on: where `nodeUrl` names another host than the client has used, and the same scheme and port.",
    ["auto", "off"],
  ).apply(withDefault, "auto"),
});
