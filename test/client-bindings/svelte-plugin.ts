/** Compiles Svelte's components for Bun's bundler. */

import { join } from "node:path";
import type { BunPlugin } from "bun";
import { compile } from "svelte/compiler";

export const sveltePlugin = (generate: "client" | "server"): BunPlugin => ({
  name: "svelte",
  setup(build) {
    build.onLoad({ filter: /\.svelte$/ }, async ({ path }) => {
      const { js } = compile(await Bun.file(path).text(), { filename: path, generate, dev: generate === "client" });
      return { contents: js.code, loader: "ts" };
    });
    // Svelte decides by conditions of the bundler whether it is in a browser.
    if (generate === "client") build.onResolve({ filter: /^svelte(\/|$)/ }, ({ path }) => resolveForBrowser(path));
  },
});

async function resolveForBrowser(name: string): Promise<{ path: string } | undefined> {
  const folder = join(import.meta.dir, "../../node_modules/svelte");
  const { exports } = await Bun.file(join(folder, "package.json")).json();
  const target = exports[name.replace(/^svelte/, ".")];
  const file = target?.browser ?? target?.default;
  return file === undefined ? undefined : { path: join(folder, file) };
}
