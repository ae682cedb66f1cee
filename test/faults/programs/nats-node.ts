/** A node on a NATS that holds what `node.json` in its folder says, until it is killed. */

import type { NatsSettings } from "../../../packages/nats/src/settings.ts";
import { NatsNode } from "../../support/nats-node.ts";
import { hold } from "./hold.ts";

await hold<NatsSettings>((settings) => new NatsNode(settings));
