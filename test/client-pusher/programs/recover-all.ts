/** Loaded before the conformance suite of pusher-js: everything in it then runs with `recover` on. */

import Pusher from "pusher-js";
import { recover } from "../../../packages/client/src/pusher/index.ts";

recover(Pusher);
