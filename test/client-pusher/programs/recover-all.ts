/** Loaded before the conformance suite of pusher-js: everything in it then runs with `recover` on. */

import Pusher from "pusher-js";
import { recover } from "../../../packages/client/src/pusher/index.ts";

recover(Pusher);

const { createWebSocket } = Pusher.Runtime;
let isSaid = false;
Pusher.Runtime.createWebSocket = (url) => {
  if (!isSaid && url.includes("/~fanfare")) console.error("A connection recovers.");
  isSaid = true;
  return createWebSocket.call(Pusher.Runtime, url);
};
