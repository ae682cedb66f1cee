/** The client over HTTP: what holds over a WebSocket holds over a stream and over polls, and over a line that breaks. */

import { poll, stream } from "@fanfare/client/http";
import { EVERY_ENGINE, startPair } from "../support/cluster.ts";
import { soaking } from "../support/soak.ts";
import { clientContract } from "./client-contract.ts";

const ENGINES = soaking ? EVERY_ENGINE : (["memory"] as const);

for (const engine of ENGINES) {
  const [one, other] = await startPair(engine);
  for (const transport of [stream, poll])
    clientContract({
      name: `HTTP (${transport.name}), the engine being ${engine}`,
      urls: [one.url, other.url],
      options: { transports: [transport] },
    });
}
