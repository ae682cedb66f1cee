#!/usr/bin/env node
// Starts Fanfare from Node: finds the Bun that was installed with it, and becomes it where Node can (22.15 and newer). Where it
// cannot, it stays as a second process: it passes signals on, and the server stops when it is gone (src/cli/daemon/signals.ts).

import { spawn } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** What the `bun` package holds until its install script has run is a few hundred bytes of text. */
const SMALLEST_BUN_BYTES = 1_000_000;

const bun = findBun();
if (bun === undefined) {
  console.error(
    "fanfare: the Bun that belongs to it is not installed for this machine: " +
      "run `npm install` again, without --omit=optional and on the machine that is to run it",
  );
  process.exit(1);
}

// A checkout has the sources, the published package what was built of them.
const main = ["../src/cli/main.ts", "../dist/src/cli/main.js"]
  .map((path) => fileURLToPath(new URL(path, import.meta.url)))
  .find((path) => existsSync(path));
// Bun would read `.env` by rules of its own, with another secret wherever there is a dollar sign in it.
const args = ["--no-env-file", main, ...process.argv.slice(2)];
// Windows has no such call.
if (process.execve !== undefined && process.platform !== "win32") process.execve(bun, [bun, ...args], process.env);
const env = { ...process.env, _FANFARE_LAUNCHER: String(process.pid) };
const child = spawn(bun, args, { stdio: "inherit", env });

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));

child.on("error", (error) => {
  console.error(`fanfare: cannot start ${bun}: ${error.message}`);
  process.exit(1);
});
child.on("exit", (code, signal) => {
  process.exit(code ?? 128 + (constants.signals[signal ?? "SIGTERM"] ?? 0));
});

function findBun() {
  const candidates = [];
  const require = createRequire(import.meta.url);
  const home = folderOf(require, "bun");
  if (home !== undefined) candidates.push(join(home, "bin", "bun.exe"));
  // Where install scripts are not run, the binary is still in the package of its platform.
  for (const name of platformPackages()) {
    const folder = folderOf(home === undefined ? require : createRequire(join(home, "package.json")), name);
    if (folder === undefined) continue;
    candidates.push(join(folder, "bin", "bun"), join(folder, "bin", "bun.exe"));
  }
  return candidates.find((path) => existsSync(path) && statSync(path).size > SMALLEST_BUN_BYTES);
}

function folderOf(require, name) {
  try {
    return dirname(require.resolve(`${name}/package.json`));
  } catch {
    return undefined;
  }
}

/** With musl before glibc where the system has it, since npm may have installed both. */
function platformPackages() {
  const platform = { win32: "windows" }[process.platform] ?? process.platform;
  const arch = { arm64: "aarch64" }[process.arch] ?? process.arch;
  const plain = `@oven/bun-${platform}-${arch}`;
  if (platform !== "linux") return [plain];
  const isMusl = process.report?.getReport().header.glibcVersionRuntime === undefined;
  return isMusl ? [`${plain}-musl`, plain] : [plain, `${plain}-musl`];
}
