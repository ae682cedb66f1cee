/** pusher-js over a WebSocket: see pusher-js-connection.ts. */

import { oneServer } from "./pusher-js.ts";
import { connectionContract } from "./pusher-js-connection.ts";

await connectionContract(oneServer("ws"));
