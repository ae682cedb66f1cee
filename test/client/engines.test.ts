/** The client on every engine: one process, workers, and nodes on Redis and on NATS. */

import { EVERY_ENGINE, startPair } from "../support/cluster.ts";
import { clientContract } from "./client-contract.ts";

for (const engine of EVERY_ENGINE) {
  const [one, other] = await startPair(engine);
  clientContract({ name: `a WebSocket, the engine being ${engine}`, urls: [one.url, other.url] });
}
