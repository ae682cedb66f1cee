/** How the demo page stands: on a phone, by keyboard, under a path prefix, and in its picture in the README. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { openBrowser } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { violationsOf } from "./axe.ts";
import { people, shows, startDemo, TEST_MS, visit, WORKSHOP, write } from "./visit.ts";

setDefaultTimeout(TEST_MS);

const PICTURES = join(import.meta.dir, "..", "..", "docs", "images");

const browser = await openBrowser();

test.each([390, 320, 800])("nothing sticks out of a screen %d pixels wide", async (width) => {
  const server = await startDemo();
  const { page } = await visit(browser, server, { width, height: 844, name: "W".repeat(32) });
  await write(page, "long".repeat(30));
  const other = await visit(browser, server, { name: "W".repeat(32) });
  await other.page.mouse.move(600, 300, { steps: 5 });
  await page.locator(".cursor").waitFor();
  await server.toChannel("workshop").push({ event: "e".repeat(150), data: { text: "word ".repeat(100) } });
  await shows(page, "#notes", "eeee");
  await page.click("#frames-bar");
  await page.click("#cut");
  await shows(page, "#status", "Offline");
  await page.click("#cut");
  await shows(page, "#status", "Connected");
  await server.stop();
  await shows(page, "#status", "Try now");
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
  const sticking = await page.evaluate(() => {
    const all = [
      ...document.querySelectorAll("header *, .card, .card > *, .nt, .nt *, form *, .actions *, #activity li > *"),
    ];
    const isOut = (it: Element) => {
      const { right, left, width } = it.getBoundingClientRect();
      return width > 1 && (right > innerWidth + 0.5 || left < -0.5);
    };
    return all.filter(isOut).map((it) => it.outerHTML.slice(0, 100));
  });
  expect(sticking).toEqual([]);
});

test("everything can be reached and used by keyboard", async () => {
  const server = await startDemo();
  const { page } = await visit(browser, server);
  await page.locator("#tool-note").press("Enter");
  await page.keyboard.type("By keyboard");
  await page.keyboard.press("Enter");
  await page.locator('.nt[data-state=""]').waitFor();
  expect(await page.evaluate(() => document.activeElement?.id)).toBe("tool-note");
  await page.locator("#frames-bar").press("Enter");
  await page.locator("header a").first().focus();
  const reached: string[] = [];
  for (let presses = 0; presses < 60 && !reached.includes("frames"); presses++) {
    await page.keyboard.press("Tab");
    reached.push(await page.evaluate(() => document.activeElement?.id || document.activeElement?.className || ""));
  }
  const places = ["tool-move", "tool-note", "tool-react", "nt n", "like", "cut", "name", "robot", "tab", "code-block"];
  for (const place of [...places, "copy", "activity", "frames-bar", "frames-pause", "frames-clear", "frames"])
    expect(reached.join(" ")).toContain(place);

  const before = await page.locator(".nt").boundingBox();
  await page.locator(".nt").press("ArrowRight");
  await shows(page, "#activity", "moved “By keyboard”");
  expect((await page.locator(".nt").boundingBox())?.x).toBeGreaterThan(before?.x ?? 0);
  await page.locator(".like").press("Enter");
  await shows(page, ".like", "1");

  await page.getByRole("tab", { name: "Fanfare client" }).focus();
  await page.keyboard.press("ArrowRight");
  expect(await page.getByRole("tab", { selected: true }).textContent()).toBe("pusher-js");
  expect(await page.textContent("#code-block")).toContain("new Pusher(");
  await page.keyboard.press("End");
  expect(await page.textContent("#code-block")).toContain("npx fanfare publish");
  await page.keyboard.press("ArrowRight");
  expect(await page.textContent("#code-block")).toContain("createClient(");
});

test("light and dark follow the system, and text stands out in both", async () => {
  const server = await startDemo();
  const { page } = await visit(browser, server, { name: "Ada" });
  const brightness = () =>
    page.evaluate(() => {
      const { backgroundColor, color } = getComputedStyle(document.body);
      return [backgroundColor, color].map((it) => Math.max(...(it.match(/\d+/g) ?? []).map(Number)));
    });
  const [paper = 0, ink = 0] = await brightness();
  expect(paper - ink).toBeGreaterThan(180);
  await page.emulateMedia({ colorScheme: "dark" });
  const [night = 0, chalk = 0] = await brightness();
  expect(chalk - night).toBeGreaterThan(180);
});

test.each([
  ["light", 1280],
  ["dark", 390],
] as const)("there is nothing against WCAG 2.1 AA, in %s, %d pixels wide, connected and cut", async (colors, width) => {
  const server = await startDemo({ host: "0.0.0.0" });
  const { page } = await visit(browser, server, { robot: true, colors, width });
  await shows(page, ".cursor", "Robot");
  await page.locator("#frames-bar").click();
  await page.locator("#activity li").nth(1).waitFor();
  expect(await violationsOf(page)).toEqual([]);
  await page.click("#cut");
  await shows(page, "#tape-head", "missed so far");
  expect(await violationsOf(page)).toEqual([]);
});

test("nothing moves by itself where less motion is asked for", async () => {
  const server = await startDemo();
  const { page } = await visit(browser, server);
  await page.emulateMedia({ reducedMotion: "reduce" });
  await server.toChannel(WORKSHOP).push({ event: "note", data: { text: "Calm" } });
  await page.locator(".nt").waitFor();
  const moving = () => page.evaluate(() => document.getAnimations().length);
  await page.locator("#tool-react").click();
  await page.click("#board", { position: { x: 5, y: 5 } });
  expect(await page.locator(".pop").evaluate((it) => getComputedStyle(it).animationTimingFunction)).toContain("step");
  expect(await moving()).toBeLessThanOrEqual(1);
});

test("under a path prefix the page, its token and its socket are found, and the code names it", async () => {
  const server = await startDemo({ path: "/live/ws" });
  const { page, errors } = await visit(browser, server, { path: "/live/ws" });
  expect(new URL(page.url()).pathname).toBe("/live/ws/");
  await write(page, "Hello");
  expect(await page.textContent("#code-block")).toContain(`"http://localhost:${server.port}/live/ws"`);
  await page.getByRole("tab", { name: "pusher-js" }).click();
  expect(await page.textContent("#code-block")).toContain('wsPath: "/live/ws"');
  await page.getByRole("tab", { name: "Shell" }).click();
  expect(await page.textContent("#code-block")).toContain(`--url http://localhost:${server.port}/live/ws`);
  await page.getByRole("link", { name: "Connect your app" }).click();
  await page.getByLabel("Key").waitFor();
  expect(new URL(page.url()).hash).toBe("#/connect");
  await shows(page, "main", "behind Dashboard, an address that ends in ?key=…");
  // As it stands in the terminal, in which one marks a little too much.
  await page.getByLabel("Key").fill(` ${server.dashboardUrl}#/overview `);
  await page.getByRole("button", { name: "Sign in" }).click();
  await shows(page, ".lights", "The server can be reached");
  expect(new URL(page.url()).hash).toBe("#/connect");
  expect(errors).toEqual([]);
});

test("the page is small enough for a phone on a bad line", async () => {
  const server = await startDemo();
  const html = await (await fetch(server.url)).bytes();
  expect(Bun.gzipSync(html).byteLength).toBeLessThan(60_000);
});

// Not a test of the page: it makes files of this repository, and is asked for by name.
if (process.env.FANFARE_SCREENSHOTS === "1") test("the pictures of the documentation are taken anew", takePictures);

async function takePictures(): Promise<void> {
  // So that the page says where the secret is as it does after `npm start`.
  process.chdir(temporaryFolder());
  const server = await startDemo({ port: 9501, stateDir: ".fanfare", host: "0.0.0.0" });
  const size = { width: 1440, height: 900 };
  const ada = await visit(browser, server, { ...size, name: "Ada" });
  const mara = await visit(browser, server, { ...size, name: "Mara" });
  const jonas = await visit(browser, server, { width: 390, height: 844, name: "Jonas" });
  for (const [at, { x, y, color, text }] of WRITTEN.entries()) {
    const { page } = [mara, jonas, ada][at % 3] ?? ada;
    const note = { id: `note-${at}`, text, x, y, color, likes: (at * 3 + 2) % 8, by: ["Mara", "Jonas", "Ada"][at % 3] };
    await server.toChannel(WORKSHOP).push({ event: "note", data: note });
    await page.locator(".nt", { hasText: text }).waitFor();
  }
  // What is missing yet the robot writes, and goes on like the others.
  await ada.page.click("#robot");
  await shows(ada.page, "#notes", "A quiz with 2,000 people");
  await eventually(async () => expect(await people(ada.page)).toHaveLength(4));
  const meanwhile = wander([mara.page, jonas.page]);
  await cutFor(ada.page, 8);
  await ada.page.locator("#activity .recovered").nth(3).waitFor();
  await Bun.sleep(1_000);
  await take(ada.page, "demo");
  await cutFor(jonas.page, 5);
  await jonas.page.locator("#activity .recovered").nth(3).waitFor();
  await jonas.page.evaluate(() => scrollTo(0, 0));
  await take(jonas.page, "demo-phone", true);
  await ada.page.emulateMedia({ colorScheme: "dark" });
  await ada.page.click("#cut");
  await shows(ada.page, "#tape-head", "8 events missed");
  await take(ada.page, "demo-cut-dark");
  meanwhile.stop();
}

/** Where the robot would have put them. */
const WRITTEN = [
  { text: "Live cursors for the warehouse map", x: 0.08, y: 0.06, color: 1 },
  { text: "Order status without reloading", x: 0.46, y: 0.28, color: 0 },
  { text: "Who is typing?", x: 0.92, y: 0.06, color: 2 },
  { text: "Votes on Friday’s menu", x: 0.07, y: 0.6, color: 3 },
  { text: "Driver positions, every second", x: 0.52, y: 0.92, color: 4 },
] as const;

/** Pointers that move, and now and then a note that somebody likes. */
function wander(pages: readonly Page[]): { stop(): void } {
  let isOver = false;
  const walk = async (page: Page, turn: number) => {
    for (let step = 0; !isOver; step++) {
      const box = await page
        .locator("#board")
        .boundingBox()
        .catch(() => null);
      if (!box) return;
      const x = box.x + box.width * (0.5 + 0.3 * Math.sin(step / 3 + turn));
      const y = box.y + box.height * (0.5 + 0.3 * Math.cos(step / 4 + turn));
      await page.mouse.move(x, y).catch(() => {});
      if (step % 20 === 4)
        await page
          .locator(".like")
          .nth((step + turn) % 5)
          .dispatchEvent("click")
          .catch(() => {});
      await Bun.sleep(150);
    }
  };
  for (const [turn, page] of pages.entries()) void walk(page, turn * 2);
  return {
    stop: () => {
      isOver = true;
    },
  };
}

async function cutFor(page: Page, missed: number): Promise<void> {
  await page.click("#cut");
  await shows(page, "#tape-head", `${missed} events missed`);
  await page.click("#cut");
  await shows(page, "#tape-head", "events are here");
}

async function take(page: Page, name: string, fullPage = false): Promise<void> {
  const path = join(PICTURES, `${name}.png`);
  await page.screenshot({ path, fullPage });
  expect(Bun.file(path).size).toBeLessThan(400_000);
}
