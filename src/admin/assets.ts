/** The page and what it is made of: from the folder it was built into, or built at the first request when run from source. */

import { readdir } from "node:fs/promises";
import { join, relative, sep } from "node:path";

/** One file of the page. */
export interface Asset {
  readonly body: Uint8Array<ArrayBuffer>;
  /** As in Content-Type. */
  readonly type: string;
}

/** By their names relative to the page; `index.html` is the page. */
export type Files = ReadonlyMap<string, Asset>;

/** Resolves with the files; asked once, and again after it failed. */
export type Assets = () => Promise<Files>;

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
  png: "image/png",
  ico: "image/x-icon",
  woff2: "font/woff2",
  json: "application/json",
  webmanifest: "application/manifest+json",
  map: "application/json",
  txt: "text/plain; charset=utf-8",
};

/** `build` is asked where the folder has no page in it. */
export function assetsFrom(folder: string, build: Assets | undefined): Assets {
  let files: Promise<Files> | undefined;
  return () => {
    files ??= load(folder, build).catch((error) => {
      files = undefined;
      throw error;
    });
    return files;
  };
}

async function load(folder: string, build: Assets | undefined): Promise<Files> {
  const files = await filesIn(folder);
  if (files.has("index.html")) return files;
  if (build) return build();
  throw new Error("The dashboard's page is not built.");
}

async function filesIn(folder: string): Promise<Files> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = new Map<string, Asset>();
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const name = relative(folder, path).split(sep).join("/");
    files.set(name, { body: await Bun.file(path).bytes(), type: typeOf(name) });
  }
  return files;
}

export function typeOf(name: string): string {
  return TYPES[name.slice(name.lastIndexOf(".") + 1)] ?? "application/octet-stream";
}

/** Names that say what is in them stay what they are: `main-1a2b3c4d.js`. */
const HASHED = /-[a-z0-9]{8,}\.[a-z0-9]+$/i;

/** Answers with the file, or that the caller has it already. */
export function answerWith(request: Request, name: string, { body, type }: Asset): Response {
  const etag = `"${Bun.hash(body).toString(36)}"`;
  const cache = HASHED.test(name) ? "public, max-age=31536000, immutable" : "no-cache";
  const headers: Record<string, string> = { "Content-Type": type, "Cache-Control": cache, ETag: etag };
  if (request.headers.get("if-none-match") === etag) return new Response(null, { status: 304, headers });
  if (!takesGzip(request, body, type)) return new Response(body, { headers });
  return new Response(Bun.gzipSync(body), {
    headers: { ...headers, "Content-Encoding": "gzip", Vary: "Accept-Encoding" },
  });
}

const LEAST_GZIPPED = 1024;

function takesGzip(request: Request, body: Uint8Array, type: string): boolean {
  if (body.length < LEAST_GZIPPED || !/text|json|svg/.test(type)) return false;
  return /\bgzip\b/.test(request.headers.get("accept-encoding") ?? "");
}
