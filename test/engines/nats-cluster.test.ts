/** The NATS engine over three nats-servers, which keep three copies. */

import { createNatsEngine } from "../../packages/nats/src/engine.ts";
import { realClock } from "../support/engine-node.ts";
import { startNatsCluster } from "../support/nats.ts";
import { natsSettingsFor } from "../support/nats-node.ts";
import { brokerContract } from "./contract.ts";
import { ledgerContract } from "./ledger-contract.ts";
import { registryContract } from "./registry-contract.ts";

const servers = await startNatsCluster();

const alone = () => ({
  engine: createNatsEngine(realClock, natsSettingsFor(servers)),
  pass: (ms: number) => Bun.sleep(ms),
});

brokerContract("nats cluster", alone);
registryContract("nats cluster", alone);
ledgerContract("nats cluster", alone);
