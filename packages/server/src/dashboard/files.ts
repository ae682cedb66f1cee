/** The dashboard's page as files: those that `npm run build` made, or else built from the sources, which takes a moment. */

import { join } from "node:path";

export interface PageFile {
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Its name has a hash of its content in it. */
  readonly isForever: boolean;
}

export type PageFiles = ReadonlyMap<string, PageFile>;

const FOLDER = import.meta.dir;
const BUILT = join(FOLDER, "..", "..", "dist", "dashboard");
/** In a folder of built files: of which sources it was made. */
const STAMP = "sources.txt";

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
};

/** What was built is used only if it was built of the very sources that are here. Throws where they do not build. */
export async function dashboardFiles(): Promise<PageFiles> {
  const stamp = await stampOf(FOLDER);
  const written = Bun.file(join(BUILT, STAMP));
  const isCurrent = (await written.exists()) && (await written.text()) === stamp;
  return isCurrent ? await readFiles(BUILT) : await buildFiles();
}

/** Writes them where `dashboardFiles` finds them. */
export async function writeDashboard(): Promise<void> {
  const files = await buildFiles();
  await Promise.all([...files].map(([name, { bytes }]) => Bun.write(join(BUILT, name), bytes)));
  await Bun.write(join(BUILT, STAMP), await stampOf(FOLDER));
}

async function buildFiles(): Promise<PageFiles> {
  const entrypoints = [join(FOLDER, "client", "main.tsx"), join(FOLDER, "style", "main.css")];
  const { outputs } = await Bun.build({
    entrypoints,
    target: "browser",
    minify: true,
    naming: "[name]-[hash].[ext]",
    // Said here too, because a tsconfig.json does not come with the package.
    jsx: { runtime: "automatic", importSource: "preact", development: false },
    define: { "process.env.NODE_ENV": '"production"' },
  });
  const files = new Map<string, PageFile>();
  for (const output of outputs) {
    const name = output.path.replace(/^.*[/\\]/, "");
    files.set(name, { type: typeOf(name), bytes: new Uint8Array(await output.arrayBuffer()), isForever: true });
  }
  const icon = await Bun.file(join(FOLDER, "icon.svg")).bytes();
  files.set("icon.svg", { type: typeOf("icon.svg"), bytes: icon, isForever: false });
  const page = await Bun.file(join(FOLDER, "page.html")).text();
  const whole = page.replaceAll(/main\.(js|css)/g, (_, ending) => nameOf(files, `.${ending}`));
  files.set("index.html", { type: typeOf("index.html"), bytes: new TextEncoder().encode(whole), isForever: false });
  return files;
}

async function readFiles(folder: string): Promise<PageFiles> {
  const files = new Map<string, PageFile>();
  for (const name of new Bun.Glob("*.{html,js,css,svg}").scanSync(folder)) {
    const bytes = await Bun.file(join(folder, name)).bytes();
    files.set(name, { type: typeOf(name), bytes, isForever: /-\w{8}\.(?:js|css)$/.test(name) });
  }
  return files;
}

function nameOf(files: PageFiles, ending: string): string {
  const name = [...files.keys()].find((it) => it.endsWith(ending));
  if (name === undefined) throw new Error(`The dashboard's ${ending} came to nothing.`);
  return name;
}

function typeOf(name: string): string {
  return TYPES[name.slice(name.lastIndexOf(".") + 1)] ?? "application/octet-stream";
}

/** Short for everything the page is made of, packages aside. */
async function stampOf(folder: string): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256");
  const names = Array.from(new Bun.Glob("**/*.{ts,tsx,css,html,svg}").scanSync(folder)).sort();
  for (const name of [...names, "../admin/wire.ts", "../protocols/native/wire.ts"]) {
    hasher.update(name).update(await Bun.file(join(folder, name)).bytes());
  }
  return hasher.digest("hex");
}
