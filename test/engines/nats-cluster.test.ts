/** The NATS engine over three nats-servers, which keep three copies. */

import { createNatsEngine } from "../../packages/nats/src/engine.ts";
import { realClock } from "../../packages/server/testing/engine-node.ts";
import { engineContract } from "../../packages/server/testing/index.ts";
import { startNatsCluster } from "../support/nats.ts";
import { natsSettingsFor } from "../support/nats-node.ts";
import { runner } from "../support/runner.ts";

const servers = await startNatsCluster();

const alone = () => ({
  engine: createNatsEngine(realClock, natsSettingsFor(servers)),
  pass: (ms: number) => Bun.sleep(ms),
});

engineContract(runner, "nats cluster", alone);
