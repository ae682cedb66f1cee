/** The documentation as a site: VitePress over the Markdown of the repository, as it lies there. `npm run docs` */

import { copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { defineConfig, type MarkdownRenderer } from "vitepress";
import { documents, ROOT } from "../../scripts/llms.ts";
import { fileOf, pageOf, resolveLink, slugOf } from "../links.ts";

/** How many sections of the sidebar are open at first: who looks for the others knows what for. */
const OPEN = 4;

const ICON = join(ROOT, "packages", "dashboard", "src", "icon.svg");

const sections = documents();
const summaries = new Map(sections.flatMap(({ pages }) => pages.map(({ path, summary }) => [path, summary] as const)));
const pages = new Set(["README.md", ...summaries.keys()]);
const linkedFiles = new Set<string>();

export default defineConfig({
  title: "Fanfare",
  lang: "en",
  srcDir: ROOT,
  srcExclude: [
    "**/node_modules/**",
    "{bench,deploy,dist,scripts,site,test}/**",
    "packages/*/!(README.md)",
    "packages/server/**",
  ],
  outDir: join(ROOT, "dist", "docs"),
  cacheDir: join(ROOT, "node_modules", ".cache", "vitepress"),
  rewrites: pageOf,
  head: [["link", { rel: "icon", href: `data:image/svg+xml,${encodeURIComponent(readFileSync(ICON, "utf8"))}` }]],
  transformPageData: ({ filePath }) => ({ description: summaries.get(filePath) ?? "" }),
  markdown: { anchor: { slugify: slugOf }, config: followLinks },
  themeConfig: {
    search: { provider: "local" },
    outline: [2, 3],
    sidebar: sections.map(({ title, pages }, index) => ({
      text: title,
      collapsed: index >= OPEN,
      items: pages.map(({ title, path }) => ({ text: title, link: `/${pageOf(path)}` })),
    })),
  },
  vite: { publicDir: false },
  buildEnd({ outDir }) {
    for (const path of linkedFiles) {
      const copy = join(outDir, fileOf(path));
      mkdirSync(dirname(copy), { recursive: true });
      copyFileSync(join(ROOT, path), copy);
    }
  },
});

/** Before VitePress reads the links, which it would take to be relative to the site's folders. */
function followLinks(md: MarkdownRenderer): void {
  md.core.ruler.after("inline", "links between documents", ({ tokens, env }) => {
    const from = relative(ROOT, env.realPath ?? env.path);
    const up = "../".repeat(pageOf(from).split("/").length - 1) || "./";
    for (const { children } of tokens) {
      for (const [at, token] of (children ?? []).entries()) {
        if (token.type !== "link_open") continue;
        const target = resolveLink(from, token.attrGet("href") ?? "", (path) => pages.has(path));
        if (target.type === "page") token.attrSet("href", `/${pageOf(target.path)}${target.hash}`);
        if (target.type === "file") {
          linkedFiles.add(target.path);
          // The browser's own navigation: the site's router knows pages only.
          token.attrs = [
            ["href", `${up}${fileOf(target.path)}${target.hash}`],
            ["target", "_self"],
          ];
        }
        if (target.type === "source") {
          const close = children?.slice(at).find(({ type }) => type === "link_close");
          for (const end of [token, close]) if (end) [end.type, end.tag] = [end.type.replace("link", "source"), "span"];
          token.attrs = [["title", `${target.path} in the repository`]];
        }
      }
    }
  });
}
