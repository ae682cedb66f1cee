/** The dashboard's page and what it loads: files that are in memory, with the policy that keeps everything else out. */

export interface AssetFile {
  /** For `Content-Type`. */
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Its name changes with its content, so browsers may keep it. */
  readonly isForever: boolean;
}

/** By name, relative to the dashboard's own path; the page itself is `index.html`. */
export type AssetFiles = ReadonlyMap<string, AssetFile>;

const PAGE = "index.html";
const YEAR_S = 31_536_000;

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const HEADERS = {
  "Content-Security-Policy": POLICY,
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
} as const;

/**
 * Answers for what is below the dashboard's path. `name` is the rest of the path after its slash, so "" is the page;
 * undefined where the slash itself is missing: then the browser is sent there, because every address on the page is relative.
 * Undefined where there is no such file. Rejects when the files cannot be made; the next request tries again.
 */
export class Assets {
  readonly #load: () => Promise<AssetFiles>;
  #files: Promise<AssetFiles> | undefined;
  readonly #zipped = new WeakMap<AssetFile, Uint8Array<ArrayBuffer>>();

  constructor(load: () => Promise<AssetFiles>) {
    this.#load = load;
  }

  async answer(request: Request, name: string | undefined): Promise<Response | undefined> {
    if (name === undefined) return toSlash(request);
    const file = (await this.#all()).get(name === "" ? PAGE : name);
    if (!file) return undefined;
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response(null, { status: 405, headers: { Allow: "GET, HEAD" } });
    }
    const isZipped = /\bgzip\b/.test(request.headers.get("accept-encoding") ?? "");
    const body = isZipped ? this.#zip(file) : file.bytes;
    const headers = {
      ...HEADERS,
      "Content-Type": file.type,
      "Cache-Control": file.isForever ? `public, max-age=${YEAR_S}, immutable` : "no-cache",
      Vary: "Accept-Encoding",
      ...(isZipped ? { "Content-Encoding": "gzip" } : {}),
    };
    return new Response(request.method === "HEAD" ? null : body, { headers });
  }

  async #all(): Promise<AssetFiles> {
    this.#files ??= this.#load();
    try {
      return await this.#files;
    } catch (error) {
      this.#files = undefined;
      throw error;
    }
  }

  #zip(file: AssetFile): Uint8Array<ArrayBuffer> {
    let zipped = this.#zipped.get(file);
    if (!zipped) {
      zipped = Bun.gzipSync(file.bytes, { level: 9 });
      this.#zipped.set(file, zipped);
    }
    return zipped;
  }
}

/** Relative, so that it is right behind a proxy that takes a prefix off. */
function toSlash({ url }: Request): Response {
  const last = new URL(url).pathname.split("/").at(-1) ?? "";
  return new Response(null, { status: 308, headers: { Location: `./${last}/` } });
}
