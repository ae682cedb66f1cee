/** Links between documents are relative to their files, where a code host follows them: here they become those of the site. */

import { existsSync, statSync } from "node:fs";
import { join, posix } from "node:path";
import { ROOT } from "../scripts/llms.ts";

/** Files that readers copy. What else a document links to is the source code, which is not on the site. */
const COPIED = /^(?:deploy|docs|examples)\//;

export type Target =
  | { readonly type: "page" | "file"; readonly path: string; readonly hash: string }
  | { readonly type: "source"; readonly path: string }
  | { readonly type: "elsewhere" };

/** What a link in the document `from` leads to. Throws if there is nothing. */
export function resolveLink(from: string, href: string, isPage: (path: string) => boolean): Target {
  if (/^(?:[a-z]+:|#)/.test(href)) return { type: "elsewhere" };
  const [file = "", fragment] = href.split("#");
  const path = posix.join(posix.dirname(from), decodeURI(file)).replace(/\/$/, "");
  const hash = fragment === undefined ? "" : `#${fragment}`;
  const page = [path, posix.join(path, "README.md")].find(isPage);
  if (page !== undefined) return { type: "page", path: page, hash };
  const place = join(ROOT, path);
  if (!existsSync(place)) throw new Error(`${from} links to ${href}, and there is no such file`);
  return { type: COPIED.test(path) && statSync(place).isFile() ? "file" : "source", path, hash };
}

/** Where a document is on the site: `docs/` is its root, a folder's README stands for the folder, and the first page for all. */
export function pageOf(path: string): string {
  if (path === "README.md") return "index.md";
  const bare = fileOf(path).replace(/\/README\.md$/, ".md");
  return /^[A-Z]+\.md$/.test(bare) ? bare.toLowerCase() : bare;
}

/** Where a copied file is on the site. */
export function fileOf(path: string): string {
  return path.replace(/^docs\//, "");
}

/** As GitHub names a heading, so that a link to one holds in both places. */
export function slugOf(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, "")
    .replaceAll(" ", "-");
}
