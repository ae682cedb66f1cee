/** How the demo page stands: on a phone, by keyboard, under a path prefix, and in its picture in the README. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { openBrowser } from "../support/chromium.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { isInLobby, say, shows, startDemo, TEST_MS, visit } from "./visit.ts";

setDefaultTimeout(TEST_MS);

const PICTURE = join(import.meta.dir, "..", "..", "docs", "images", "demo.png");

const browser = await openBrowser();

test.each([390, 320, 800])("nothing sticks out of a screen %d pixels wide", async (width) => {
  const server = await startDemo();
  const { page } = await visit(browser, server, { width, height: 844, name: "W".repeat(32) });
  const other = await visit(browser, server, { name: "W".repeat(32) });
  await say(other.page, "long".repeat(200));
  await shows(page, ".message.theirs", "longlong");
  await server.toChannel("lobby").push({ event: "e".repeat(150), data: { text: "word ".repeat(100) } });
  await shows(page, ".message.server", "word");
  await server.stop();
  await shows(page, "#status", "Try now");
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
  const sticking = await page.evaluate(() => {
    const all = [...document.querySelectorAll("header *, .card, .card > *, .card h2 > *, form > *, .message *")];
    const isOut = (it: Element) =>
      it.getBoundingClientRect().right > innerWidth + 0.5 || it.getBoundingClientRect().left < 0;
    return all.filter(isOut).map((it) => it.outerHTML.slice(0, 100));
  });
  expect(sticking).toEqual([]);
});

test("everything can be reached and used by keyboard", async () => {
  const server = await startDemo();
  const { page } = await visit(browser, server);
  const reached: string[] = [];
  for (let presses = 0; presses < 40 && !reached.includes("server-pre"); presses++) {
    await page.keyboard.press("Tab");
    reached.push(await page.evaluate(() => document.activeElement?.id || document.activeElement?.className || ""));
  }
  const places = [
    "name",
    "another",
    "messages",
    "text",
    "send",
    "frames-pause",
    "frames-clear",
    "tab",
    "quiet copy",
    "client-pre",
  ];
  expect(reached).toEqual(expect.arrayContaining([...places, "server-pre"]));

  await page.getByRole("tab", { name: "WebSocket" }).focus();
  await page.keyboard.press("ArrowRight");
  expect(await page.getByRole("tab", { selected: true }).first().textContent()).toBe("@fanfare/client");
  expect(await page.textContent("#client-pre")).toContain("createClient(");
  await page.keyboard.press("End");
  expect(await page.textContent("#client-pre")).toContain("new Echo(");
  await page.keyboard.press("ArrowRight");
  expect(await page.textContent("#client-pre")).toContain("new WebSocket(");
});

test("light and dark follow the system, and text stands out in both", async () => {
  const server = await startDemo();
  const { page } = await visit(browser, server, { name: "Ada" });
  await say(page, "Hello");
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

test("under a path prefix the page, its token and its socket are found, and the code names it", async () => {
  const server = await startDemo({ path: "/live/ws" });
  const { page, errors } = await visit(browser, server, { path: "/live/ws" });
  expect(new URL(page.url()).pathname).toBe("/live/ws/");
  await say(page, "Hello");
  await page.locator(".message.mine:not(.pending, .failed)").waitFor();
  expect(await page.textContent("#client-pre")).toContain(`"ws://localhost:${server.port}/live/ws/"`);
  await page.getByRole("tab", { name: "pusher-js" }).click();
  expect(await page.textContent("#client-pre")).toContain('wsPath: "/live/ws"');
  await page.getByRole("tab", { name: "Command line" }).click();
  expect(await page.textContent("#server-pre")).toContain(`--url http://localhost:${server.port}/live/ws`);
  expect(errors).toEqual([]);
});

// Not a test of the page: it makes a file of this repository, and is asked for by name.
if (process.env.FANFARE_SCREENSHOTS === "1") test("the picture in the README is taken anew", takePicture);

async function takePicture(): Promise<void> {
  // So that the page says where the secret is as it does after `npm start`.
  process.chdir(temporaryFolder());
  const server = await startDemo({ port: 9501, stateDir: ".fanfare" });
  const ada = await visit(browser, server, { name: "Ada" });
  const grace = await visit(browser, server, { name: "Grace" });
  await say(ada.page, "Hello! Is anybody else here?");
  await shows(grace.page, ".message.theirs", "Hello!");
  await say(grace.page, "I am, in another tab.");
  await shows(ada.page, ".message.theirs", "another tab");
  await server.toChannel("lobby").push({ event: "message", data: { text: "Deploy finished in 42 s" } });
  await shows(ada.page, ".message.server", "Deploy");
  await say(ada.page, "That was quick.");
  await shows(grace.page, ".message.theirs", "quick");
  await grace.page.locator("#text").pressSequentially("And it t");
  await shows(ada.page, "#typing", "Grace is typing…");
  await isInLobby(ada.page);
  await ada.page.screenshot({ path: PICTURE });
  expect(Bun.file(PICTURE).size).toBeLessThan(300_000);
}
