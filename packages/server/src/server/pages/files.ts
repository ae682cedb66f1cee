/** The pages as files: those that the package was built with, or else built from their sources, which takes a moment. */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Asset } from "../../admin/admin-app.ts";

export type FirstPage = "demo" | "start";

const BUILT = fileURLToPath(new URL("dist/dashboard", import.meta.resolve("#package.json")));
/** In the folder of built files: which sources they were made of. */
const STAMP = "sources.txt";

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
};

/** By name relative to the page. Throws where the sources do not build. */
export async function dashboardFiles(): Promise<ReadonlyMap<string, Asset>> {
  const sources = await currentSources();
  const files = sources ? await sources.buildDashboard() : await readBuilt();
  return new Map([...files].map(([name, bytes]) => [name, assetOf(name, bytes)] as const));
}

/** The template of a page: `{{name}}` is where a fact belongs. */
export async function firstPage(name: FirstPage): Promise<string> {
  const sources = await currentSources();
  return sources ? await sources.buildFirstPage(name) : await Bun.file(join(BUILT, "first", `${name}.html`)).text();
}

/** Writes all pages where the two functions above find them. */
export async function writePages(): Promise<void> {
  const sources = await import("@fanfare/dashboard");
  const files = await sources.buildDashboard();
  for (const [name, bytes] of files) await Bun.write(join(BUILT, name), bytes);
  for (const name of sources.FIRST_PAGES)
    await Bun.write(join(BUILT, "first", `${name}.html`), await sources.buildFirstPage(name));
  await Bun.write(join(BUILT, STAMP), await sources.stampOfSources());
}

/** Undefined where what was built is up to date, as in a package that comes without the sources. */
async function currentSources(): Promise<typeof import("@fanfare/dashboard") | undefined> {
  if (!hasSources()) return undefined;
  const sources = await import("@fanfare/dashboard");
  const stamp = Bun.file(join(BUILT, STAMP));
  const isCurrent = (await stamp.exists()) && (await stamp.text()) === (await sources.stampOfSources());
  return isCurrent ? undefined : sources;
}

function hasSources(): boolean {
  try {
    return import.meta.resolve("@fanfare/dashboard") !== "";
  } catch {
    return false;
  }
}

async function readBuilt(): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const names = new Bun.Glob("*.{html,js,css,svg}").scanSync(BUILT);
  return new Map(
    await Promise.all(Array.from(names, async (name) => [name, await Bun.file(join(BUILT, name)).bytes()] as const)),
  );
}

function assetOf(name: string, bytes: Uint8Array<ArrayBuffer>): Asset {
  const type = TYPES[name.slice(name.lastIndexOf(".") + 1)] ?? "application/octet-stream";
  return { type, bytes, isImmutable: /-\w{8}\.(?:js|css)$/.test(name) };
}
