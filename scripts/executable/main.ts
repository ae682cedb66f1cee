/**
 * The first file of the single executable: it takes the place of `bun FILE`, since the sources start themselves again that way, as a
 * worker or to read the configuration anew; and it gives `fanfare` to the files of whoever configures it.
 */

import { plugin } from "bun";
import { main } from "../../packages/server/src/cli/main.ts";

const MODULES: Readonly<Record<string, () => Promise<object>>> = {
  fanfare: () => import("../../packages/server/src/index.ts"),
  "fanfare/engine": () => import("../../packages/server/src/engine.ts"),
  "@fanfare/nats": () => import("../../packages/nats/src/index.ts"),
  "@fanfare/schema": () => import("../../packages/schema/src/index.ts"),
};

plugin({
  name: "fanfare",
  setup(build) {
    for (const [name, load] of Object.entries(MODULES))
      build.module(name, async () => ({ exports: { ...(await load()) }, loader: "object" }));
  },
});

if (fileToRun(process.argv) === "read-config") await import("../../packages/server/src/cli/daemon/read-config.ts");
else process.exit(await main(process.argv.slice(2)));

/** Removes from the arguments what is said to Bun: `--no-env-file FILE`, or, from the first process to a worker, `FILE`. */
function fileToRun(argv: string[]): string {
  if (argv[2] === "--no-env-file") argv.splice(2, 1);
  const named = argv[2] ?? "";
  if (!named.startsWith(import.meta.dir)) return "";
  argv.splice(2, 1);
  return named.slice(import.meta.dir.length + 1);
}
