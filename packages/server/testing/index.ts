/**
 * `fanfare/testing`: the tests that every implementation of a port passes, for any test runner that runs under Bun.
 *
 *     import { afterEach, beforeEach, describe, expect, test } from "bun:test";
 *     import { engineContract } from "fanfare/testing";
 *
 *     const runner = { afterEach, beforeEach, describe, expect, test };
 *     engineContract(runner, "mine", () => ({ engine: myEngine(), pass: (ms) => Bun.sleep(ms) }));
 */

import { brokerContract } from "./broker-contract.ts";
import type { MakeEngine } from "./engine-under-test.ts";
import { ledgerContract } from "./ledger-contract.ts";
import { registryContract } from "./registry-contract.ts";
import type { TestRunner } from "./runner.ts";

/** Broker, registry and ledger: what a single node can show of an engine. */
export function engineContract(runner: TestRunner, name: string, makeEngine: MakeEngine): void {
  brokerContract(runner, name, makeEngine);
  registryContract(runner, name, makeEngine);
  ledgerContract(runner, name, makeEngine);
}

export { appProviderContract, type ProviderUnderTest } from "./app-provider-contract.ts";
export { brokerContract } from "./broker-contract.ts";
export { EngineNode } from "./engine-node.ts";
export { type EngineUnderTest, engineHost, type MakeEngine } from "./engine-under-test.ts";
export { ledgerContract } from "./ledger-contract.ts";
export { type Outage, outageContract, type PublishWait } from "./outage-contract.ts";
export { protocolContract } from "./protocol-contract.ts";
export { registryContract } from "./registry-contract.ts";
export type { Expectation, TestRunner } from "./runner.ts";
export { type SilentConnection, silentConnectionContract } from "./silent-connection-contract.ts";
