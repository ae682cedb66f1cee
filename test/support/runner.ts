/** Bun's test runner, as the contract suites take it. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { TestRunner } from "../../packages/server/testing/index.ts";

export const runner: TestRunner = { afterEach, beforeEach, describe, expect, test };
