/** Run in a folder outside the tree: an engine on public types, and the contract suite that is published. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { engineContract } from "fanfare/testing";
// @ts-expect-error: it lies beside this file where it is run
import { customEngine } from "./custom-engine.ts";

const SETTINGS = { publishWaitMs: 1_000, publishWaitBytes: 1_000_000, nodeTimeoutMs: 6_000, warn: () => {} };

engineContract({ afterEach, beforeEach, describe, expect, test }, "custom", () => {
  let passedMs = 0;
  const clock = { wallMs: () => Date.now() + passedMs, monotonicMs: () => performance.now() + passedMs };
  const pass = (ms: number) => {
    passedMs += ms;
  };
  return { engine: customEngine({ clock, ...SETTINGS }), pass };
});
