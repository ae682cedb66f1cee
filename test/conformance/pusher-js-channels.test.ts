/** pusher-js over a WebSocket: see pusher-js-channels.ts. */

import { oneServer } from "./pusher-js.ts";
import { channelsContract } from "./pusher-js-channels.ts";

await channelsContract(oneServer("ws"));
