/** What programs build on: the same as in their own folder, with nothing but the package's exports. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { nativeProtocol } from "../../packages/server/src/protocols/native/codec.ts";
import { pusherProtocol } from "../../packages/server/src/protocols/pusher/codec.ts";
import { recoveringPusherProtocol } from "../../packages/server/src/protocols/pusher/recovery.ts";
import { protocolContract } from "../../packages/server/testing/index.ts";
import { spawnCli } from "../support/process.ts";
import { runner } from "../support/runner.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

setDefaultTimeout(120_000);

const ROOT = join(import.meta.dir, "..", "..");

/** Runs a file of `outside/` with Bun's test runner, and resolves with how many tests passed. */
async function runOutside(name: string, more: Readonly<Record<string, string>> = {}): Promise<number> {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(join(ROOT, "packages", "server"), join(folder, "node_modules", "fanfare"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "outside", private: true, type: "module" }));
  cpSync(join(import.meta.dir, "outside", `${name}.ts`), join(folder, `${name}.test.ts`));
  for (const [to, from] of Object.entries(more)) cpSync(join(ROOT, from), join(folder, to));
  const child = spawnCli(["test", `./${name}.test.ts`], { program: [process.execPath], cwd: folder });
  const { code } = await child.ended(100_000);
  if (code !== 0) throw new Error(child.output);
  return Number(/(\d+) pass/.exec(child.output)?.[1]);
}

test("an engine that a program writes from scratch passes the published contract suite", async () => {
  const passed = await runOutside("engine", { "custom-engine.ts": "examples/custom-engine/engine.ts" });
  expect(passed).toBeGreaterThan(60);
});

test("a program brings an app provider (B9), a statistics sink (B13), a guard, an observer and a protocol", async () => {
  expect(await runOutside("parts")).toBeGreaterThan(10);
});

protocolContract(runner, "pusher", () => pusherProtocol({ jsonDepth: 32 }));
protocolContract(runner, "recovering pusher", () => recoveringPusherProtocol({ jsonDepth: 32 }));
protocolContract(runner, "native", () => nativeProtocol({ jsonDepth: 32 }));
