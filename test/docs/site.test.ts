/** `npm run docs`: every document is on the site, every link of it leads somewhere, and what is searched for is found. */

import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join, posix } from "node:path";
import { documents, ROOT } from "../../scripts/llms.ts";
import { pageOf, resolveLink } from "../../site/links.ts";
import { atEnd } from "../support/at-end.ts";
import { openBrowser, openPage } from "../support/chromium.ts";
import { run } from "../support/packing.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

setDefaultTimeout(120_000);

const SITE = temporaryFolder();
const browser = await openBrowser();
const PATTERNS = ["*.md", "docs/**/*.md", "packages/*/README.md", "examples/README.md", "examples/*/README.md"];
/** Copies that `npm pack` makes for a moment. */
const PACKED = "packages/server/";

const paths = PATTERNS.flatMap((pattern) => [...new Bun.Glob(pattern).scanSync(ROOT)]).filter(
  (path) => !path.startsWith(PACKED),
);
const htmlOf = (path: string) => pageOf(path).replace(/md$/, "html");

interface Page {
  readonly ids: Set<string>;
  readonly links: string[];
}
const pages = new Map<string, Page>();

beforeAll(async () => {
  await run([process.execPath, "--bun", "run", "docs", "--outDir", SITE], ROOT);
  for (const file of new Bun.Glob("**/*.html").scanSync(SITE)) {
    const page: Page = { ids: new Set(), links: [] };
    const keep = (element: HTMLRewriterTypes.Element) => {
      page.ids.add(element.getAttribute("id") ?? "");
      for (const name of ["href", "src"]) page.links.push(element.getAttribute(name) ?? "");
    };
    new HTMLRewriter().on("*", { element: keep }).transform(readFileSync(join(SITE, file), "utf8"));
    pages.set(file, page);
  }
});

test("every document is a page, and every page but the first is in the sidebar", () => {
  expect(paths.length).toBeGreaterThan(70);
  expect([...pages.keys()].sort()).toEqual([...paths.map(htmlOf), "404.html"].sort());
  const listed = documents().flatMap(({ pages }) => pages.map(({ path }) => path));
  expect(["README.md", ...listed].sort()).toEqual(paths.sort());
  const sidebar = pages.get("index.html")?.links ?? [];
  for (const path of listed) expect(sidebar).toContain(`/${htmlOf(path)}`);
});

test("every link within the site leads to a file, and to a heading of it", () => {
  let count = 0;
  const dead = [...pages].flatMap(([page, { links, ids }]) =>
    links
      .filter((link) => link !== "" && !/^(?:https?|data|mailto):/.test(link))
      .filter((link) => {
        count++;
        const [file = "", hash = ""] = link.split("#");
        const path = file.startsWith("/") ? file.slice(1) : posix.join(posix.dirname(page), file);
        const target = file === "" ? page : path === "" || path === "." ? "index.html" : decodeURI(path);
        const place = join(SITE, target);
        if (!existsSync(place) || !statSync(place).isFile()) return true;
        const there = target === page ? ids : pages.get(target)?.ids;
        return hash !== "" && there !== undefined && !there.has(decodeURIComponent(hash));
      })
      .map((link) => `${page}: ${link}`),
  );
  expect(dead).toEqual([]);
  expect(count).toBeGreaterThan(5_000);
});

test("a link to a file that is not there, or that no reader has, is known for one", () => {
  const isPage = (path: string) => paths.includes(path);
  expect(() => resolveLink("docs/deploy.md", "nothing.md", isPage)).toThrow("docs/deploy.md links to nothing.md");
  expect(resolveLink("docs/deploy.md", "../deploy/nginx.conf", isPage)).toMatchObject({ type: "file" });
  expect(resolveLink("ARCHITECTURE.md", "packages/server/src/hub", isPage)).toMatchObject({ type: "source" });
  expect(resolveLink("docs/deploy.md", "../examples#run", isPage)).toEqual({
    type: "page",
    path: "examples/README.md",
    hash: "#run",
  });
});

test("its sources compile", async () => {
  await run(["tsc", "-p", "site"], ROOT);
});

test("a reader finds a page by a word of it, follows a link to a file, and asks no other server", async () => {
  const files = Bun.serve({
    port: 0,
    async fetch({ url }) {
      const path = decodeURI(new URL(url).pathname);
      const file = Bun.file(join(SITE, path.endsWith("/") ? `${path}index.html` : path));
      if (!(await file.exists())) return new Response(null, { status: 404 });
      // What a browser does not know, it saves.
      const isText = file.type.startsWith("application/octet-stream");
      return new Response(file, isText ? { headers: { "Content-Type": "text/plain" } } : {});
    },
  });
  atEnd(() => files.stop(true));
  const { page, errors } = await openPage(browser);
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  await page.goto(files.url.href);
  await page.getByRole("button", { name: "Search" }).first().click();
  await page.getByRole("searchbox").fill("HeldDepartures");
  await page.getByRole("option").first().click();
  await page.waitForURL(/decisions\/0021-even-nodes\.html/);
  await page.goto(new URL("deploy.html", files.url).href);
  expect(errors).toEqual([]);
  await page.getByRole("link", { name: "nginx.conf" }).first().click();
  await page.waitForURL(/deploy\/nginx\.conf$/);
  expect(await page.textContent("body")).toContain("proxy_pass");
  expect(asked.filter((url) => !url.startsWith(files.url.href) && !url.startsWith("data:"))).toEqual([]);
});
