/** Builds the pages: the dashboard as files, and each first page as one document with everything in it. */

import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const FIRST_PAGES = ["demo", "start"] as const;
export type FirstPage = (typeof FIRST_PAGES)[number];

const FOLDER = import.meta.dir;
const FIRST = join(FOLDER, "first");
const COLOURS = "../../style/colours.css";
/** In this order: later ones have the last word. */
const STYLES: Readonly<Record<FirstPage, readonly string[]>> = {
  demo: [COLOURS, "base.css", "board.css", "side.css", "small.css"],
  start: [COLOURS, "base.css", "start.css"],
};
/** The types that the pages share with the server. */
const SHARED = ["fanfare/wire/admin", "fanfare/wire/native"];

/** By name; names of scripts and styles carry a hash of their content. Throws where the sources do not build. */
export async function buildDashboard(): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const outputs = await bundle([join(FOLDER, "client", "main.tsx"), join(FOLDER, "style", "main.css")], true);
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  const entries: string[] = [];
  for (const output of outputs) {
    const name = output.path.replace(/^.*[/\\]/, "");
    files.set(name, new Uint8Array(await output.arrayBuffer()));
    if (output.kind !== "chunk") entries.push(name);
  }
  files.set("icon.svg", await Bun.file(join(FOLDER, "icon.svg")).bytes());
  const page = await Bun.file(join(FOLDER, "page.html")).text();
  const whole = page.replaceAll(/main\.(js|css)/g, (_, ending) => nameOf(entries, `.${ending}`));
  files.set("index.html", new TextEncoder().encode(whole));
  return files;
}

/** A template: `{{name}}` is where the server puts what it knows. */
export async function buildFirstPage(name: FirstPage): Promise<string> {
  const html = await Bun.file(join(FIRST, `${name}.html`)).text();
  const styles = await Promise.all(STYLES[name].map((style) => Bun.file(join(FIRST, "style", style)).text()));
  const script = html.includes("/*script*/") ? await firstScript() : "";
  return html.replace("/*css*/", () => styles.join("\n")).replace("/*script*/", () => script);
}

/** Stands for everything that the pages are made of, packages of others aside. */
export async function stampOfSources(): Promise<string> {
  const hash = createHash("sha256");
  const names = Array.from(new Bun.Glob("**/*.{ts,tsx,css,html,svg}").scanSync(FOLDER)).sort();
  const shared = SHARED.map((name) => fileURLToPath(import.meta.resolve(name)));
  const client = dirname(fileURLToPath(import.meta.resolve("@fanfare/client")));
  const ofClient = Array.from(new Bun.Glob("*.ts").scanSync({ cwd: client, absolute: true })).sort();
  for (const path of [...names.map((name) => join(FOLDER, name)), ...shared, ...ofClient])
    hash.update(await Bun.file(path).bytes());
  return hash.update(names.join()).digest("hex");
}

async function firstScript(): Promise<string> {
  const [output] = await bundle([join(FIRST, "client", "main.ts")]);
  // `</script` is the only text that could end the script's element early.
  return (await output?.text())?.replaceAll(/<\/(?=script)/gi, "<\\/") ?? "";
}

/** With `splitting` what is imported by `import()` is a file of its own. */
async function bundle(entrypoints: string[], splitting = false): Promise<Bun.BuildArtifact[]> {
  const { outputs } = await Bun.build({
    entrypoints,
    target: "browser",
    minify: true,
    splitting,
    naming: { entry: "[name]-[hash].[ext]", chunk: "[name]-[hash].[ext]" },
    jsx: { runtime: "automatic", importSource: "preact", development: false },
    define: { "process.env.NODE_ENV": '"production"' },
  });
  return outputs;
}

function nameOf(names: readonly string[], ending: string): string {
  const name = names.find((it) => it.endsWith(ending));
  if (name === undefined) throw new Error(`The build of the dashboard made no ${ending} file.`);
  return name;
}
