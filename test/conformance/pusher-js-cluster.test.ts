/** The suite of pusher-js over its HTTP transports where each request comes to another node: whole in the soak, a part of it otherwise. */

import { describe } from "bun:test";
import { soaking } from "../support/soak.ts";
import { type ClusterEngine, clusterOf, workersOf } from "./clusters.ts";
import type { PusherTransport } from "./pusher-js.ts";
import { channelsContract } from "./pusher-js-channels.ts";
import { connectionContract } from "./pusher-js-connection.ts";
import { usersContract } from "./pusher-js-users.ts";

const ALL: readonly (readonly [ClusterEngine | "workers", PusherTransport])[] = [
  ["redis", "xhr_streaming"],
  ["nats", "xhr_polling"],
  ["redis", "xhr_polling"],
  ["nats", "xhr_streaming"],
  ["workers", "xhr_streaming"],
  ["workers", "xhr_polling"],
];

describe.each(soaking ? ALL : ALL.slice(0, 2))("%s, %s:", async (engine, transport) => {
  const world = engine === "workers" ? workersOf(transport) : clusterOf(engine, transport);
  await channelsContract(world);
  await usersContract(world);
  if (soaking) await connectionContract(world);
});
