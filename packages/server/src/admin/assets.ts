/** The page and what it is made of, as files in memory, and how they are answered. */

/** One file of the page. */
export interface Asset {
  /** As in Content-Type. */
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Its name has a hash of its content in it, so it never becomes another. */
  readonly isImmutable: boolean;
}

/** By their names relative to the page; `index.html` is the page. May take a moment, where they are built first. */
export type Assets = () => Promise<ReadonlyMap<string, Asset>>;

/** Asks once, and again only after it failed. */
export function cachedAssets(assets: Assets): Assets {
  let files: ReturnType<Assets> | undefined;
  return () => {
    files ??= assets().catch((error) => {
      files = undefined;
      throw error;
    });
    return files;
  };
}

const compressed = new WeakMap<Asset, Uint8Array<ArrayBuffer>>();
/** Below that, it is not worth it. */
const MIN_COMPRESSED_BYTES = 1024;

/** Answers with the file, or says that the caller has it already. */
export function assetResponse(request: Request, asset: Asset): Response {
  const { type, bytes, isImmutable } = asset;
  const etag = `"${Bun.hash(bytes).toString(36)}"`;
  const headers: Record<string, string> = {
    "Content-Type": type,
    "Cache-Control": isImmutable ? "public, max-age=31536000, immutable" : "no-cache",
    ETag: etag,
    Vary: "Accept-Encoding",
  };
  if (request.headers.get("if-none-match") === etag) return new Response(null, { status: 304, headers });
  if (bytes.length < MIN_COMPRESSED_BYTES || !/\bgzip\b/.test(request.headers.get("accept-encoding") ?? "")) {
    return new Response(bytes, { headers });
  }
  const body = compressed.get(asset) ?? Bun.gzipSync(bytes, { level: 9 });
  compressed.set(asset, body);
  return new Response(body, { headers: { ...headers, "Content-Encoding": "gzip" } });
}
