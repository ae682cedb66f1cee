/** pusher-js over a WebSocket: see pusher-js-users.ts. */

import { oneServer } from "./pusher-js.ts";
import { usersContract } from "./pusher-js-users.ts";

await usersContract(oneServer("ws"));
