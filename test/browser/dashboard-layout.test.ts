/** How the dashboard stands: on a phone, by keyboard, by day and night, under a path prefix, and in its pictures in the docs. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { openBrowser } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { external } from "../support/external.ts";
import { connectPusher } from "../support/pusher-client.ts";
import {
  goTo,
  isLive,
  look,
  openPageOf,
  openSend,
  PATIENCE_MS,
  PLACES,
  row,
  shows,
  startWithDashboard,
  TEST_MS,
} from "./dashboard.ts";
import { startProxy } from "./proxy.ts";
import { startTown } from "./town.ts";

setDefaultTimeout(TEST_MS);

const PICTURES = join(import.meta.dir, "..", "..", "docs", "images");

const browser = await openBrowser();

test.each([390, 320, 1024])("nothing sticks out of a screen %d pixels wide", async (width) => {
  const server = await startWithDashboard();
  const client = await connectPusher(server.url);
  const long = `presence-${"x".repeat(150)}`;
  await client.subscribe(long, { data: { user_id: "u".repeat(100), user_info: { text: "y".repeat(300) } } });
  const { page } = await look(browser, server, { width, height: 844 });
  const things = [`channel?app=app&name=${long}`, `connection?app=app&id=${client.socketId}`];
  for (const place of [...PLACES, ...things, `user?app=app&id=${"u".repeat(100)}`]) {
    await goTo(page, place);
    const sizes = await page.evaluate(() => {
      const content = document.getElementById("content");
      return [document.documentElement.scrollWidth, content?.scrollWidth, content?.clientWidth];
    });
    expect([place, sizes[0]]).toEqual([place, width]);
    expect([place, sizes[1]]).toEqual([place, sizes[2]]);
  }
});

test("on a phone the main pages are at the foot, and the palette has the rest", async () => {
  const server = await startWithDashboard();
  const { page } = await look(browser, server, { width: 390, height: 844 });
  const foot = page.getByRole("navigation", { name: "Main pages" });
  await foot.getByRole("link", { name: "Channels" }).click();
  await page.getByRole("heading", { name: "Channels" }).waitFor();
  await foot.getByRole("button", { name: "More" }).click();
  await page.getByRole("combobox", { name: "Search" }).fill("nodes");
  await page.getByRole("option", { name: "Settings: Nodes" }).click();
  await page.getByRole("heading", { name: "Nodes" }).waitFor();
  expect(await page.getByRole("navigation", { name: "Pages", exact: true }).isVisible()).toBe(false);
});

test("everything can be reached by keyboard, and the first stop skips to the content", async () => {
  const server = await startWithDashboard();
  const { page } = await look(browser, server);
  const focused = () =>
    page.evaluate(() => {
      const it = document.activeElement;
      return it?.getAttribute("aria-label") ?? it?.textContent?.trim().slice(0, 40) ?? "";
    });
  await page.keyboard.press("Tab");
  expect(await focused()).toBe("Skip to the content");
  await page.keyboard.press("Enter");
  expect(await page.evaluate(() => document.activeElement?.id)).toBe("content");
  const reached: string[] = [];
  for (let presses = 0; presses < 32; presses++) {
    await page.keyboard.press("Tab");
    reached.push(await focused());
  }
  const stops = ["Filter events", "Pause", "Clear", "Messages0", "Refused0", "Events, newest first"];
  expect(reached.map((name) => name.replaceAll(/\s/g, "")).join("\n")).toContain("Pause\nClear");
  expect(reached.filter((name) => stops.includes(name.replace(/ (?=\d)/, "")))).toHaveLength(stops.length);
  const outline = await page.evaluate(() => {
    const input = document.querySelector<HTMLElement>("[data-search]");
    input?.focus();
    return getComputedStyle(input?.closest(".query") ?? document.body).outlineStyle;
  });
  expect(outline).toBe("solid");

  // A dialog takes the focus, keeps it, and gives it back.
  await openPageOf(page, "Apps & keys");
  await page.getByRole("button", { name: "New app" }).press("Enter");
  for (let presses = 0; presses < 12; presses++) {
    await page.keyboard.press("Tab");
    const isInside = await page.evaluate(() => {
      const it = document.activeElement;
      return it === document.body || it?.closest("dialog") !== null;
    });
    expect(isInside).toBe(true);
  }
  await page.keyboard.press("Escape");
  await eventually(async () => expect(await focused()).toBe("New app"), { withinMs: PATIENCE_MS });
});

test("keys lead to the pages, and the palette finds pages by other names, channels and pasted connections", async () => {
  const server = await startWithDashboard();
  const client = await connectPusher(server.url);
  await client.subscribe("private-orders");
  const { page } = await look(browser, server, { place: "overview" });
  const isAt = (title: string) => page.getByRole("heading", { level: 1, name: title, exact: true }).waitFor();
  for (const [key, title] of [
    ["c", "Console"],
    ["h", "Channels"],
    ["p", "People"],
    ["i", "Insights"],
    ["o", "Overview"],
  ] as const) {
    await page.keyboard.press("g");
    await page.keyboard.press(key);
    await isAt(title);
  }
  await page.keyboard.press("?");
  await shows(page, "dialog", "Send event");
  await page.keyboard.press("Escape");
  const search = page.getByRole("combobox", { name: "Search" });
  const jump = async (text: string, option: string) => {
    await page.keyboard.press("Control+k");
    await search.fill(text);
    await page.getByRole("option", { name: option }).waitFor();
    await page.keyboard.press("Enter");
  };
  await jump("debug console", "Console");
  await isAt("Console");
  await jump("private-ord", "private-orders");
  await isAt("private-orders");
  await jump(client.socketId, client.socketId);
  await isAt(client.socketId);
  await page.goto(page.url().replace(/#.*/, "#/channels"));
  await page.getByRole("link", { name: "private-orders" }).waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await isAt("private-orders");
  // Addresses of earlier versions go on working.
  for (const [before, now] of [
    ["charts", "Insights"],
    ["connections", "People"],
    ["nodes", "Nodes"],
  ] as const) {
    await page.goto(page.url().replace(/#.*/, `#/${before}`));
    await isAt(now);
  }
});

test("every field and button has a name, and what changes all the time is not read out", async () => {
  const server = await startWithDashboard();
  const { page } = await look(browser, server);
  for (const place of PLACES) {
    await goTo(page, place);
    const nameless = await page.evaluate(() =>
      [...document.querySelectorAll<HTMLElement>("button, input, select, textarea, a")]
        .filter((it) => {
          const labels = "labels" in it && it.labels instanceof NodeList ? it.labels.length : 0;
          return !it.textContent?.trim() && !it.ariaLabel && labels === 0;
        })
        .map((it) => it.outerHTML.slice(0, 120)),
    );
    expect([place, nameless]).toEqual([place, []]);
    expect(await page.locator("h1").count()).toBe(1);
  }
  await openPageOf(page, "Console");
  expect(await page.getByRole("listbox").getAttribute("aria-live")).toBe("off");
});

test("light and dark follow the system until one is chosen, and the choice stays", async () => {
  const server = await startWithDashboard();
  const { page } = await look(browser, server);
  const brightness = () =>
    page.evaluate(() => {
      const { backgroundColor, color } = getComputedStyle(document.body);
      return [backgroundColor, color].map((it) => Math.max(...(it.match(/\d+/g) ?? []).map(Number)));
    });
  const isLight = async () => {
    const [paper = 0, ink = 0] = await brightness();
    expect(Math.abs(paper - ink)).toBeGreaterThan(180);
    return paper > ink;
  };
  expect(await isLight()).toBe(true);
  await page.emulateMedia({ colorScheme: "dark" });
  expect(await isLight()).toBe(false);
  await page.getByRole("button", { name: "Theme: System" }).click();
  expect(await isLight()).toBe(true);
  await page.reload();
  expect(await isLight()).toBe(true);
});

test("under a path prefix everything is found", async () => {
  const server = await startWithDashboard({ path: "/live/ws" });
  const { page, errors } = await look(browser, server, { prefix: "/live/ws" });
  expect(new URL(page.url()).pathname).toBe("/live/ws/dashboard/");
  await openPageOf(page, "Nodes");
  await shows(page, ".node", "this one");
  expect(errors).toEqual([]);
  // Without the slash the page's relative addresses would be wrong.
  await page.goto(`http://localhost:${server.port}/live/ws/dashboard#/nodes`);
  await shows(page, ".node", "this one");
});

test("behind a proxy that takes a prefix off everything is found, the live connection too", async () => {
  const server = await startWithDashboard();
  const proxy = startProxy(server, "/tools/fanfare");
  const { page, errors } = await look(browser, proxy, { prefix: "/tools/fanfare" });
  await openPageOf(page, "Nodes");
  await shows(page, ".node", "this one");
  expect(errors).toEqual([]);
});

test("a page that is not there says so", async () => {
  const server = await startWithDashboard();
  const { page } = await look(browser, server, { place: "nowhere" });
  await page.getByRole("link", { name: "To the console" }).click();
  await page.getByRole("heading", { name: "Console" }).waitFor();
  // Its title has the focus, so that who does not see the page is told of it.
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Console");
  expect(await page.title()).toBe("Console · Fanfare");
});

// Not a test of the page: it makes files of this repository, and is asked for by name.
if (process.env.FANFARE_SCREENSHOTS === "1") test("the pictures in the docs are taken anew", takePictures, 900_000);

/** As far back as charts by the second go; less is enough to try something out. */
const TOWN_LIFE_S = Number(process.env.FANFARE_SCREENSHOTS_AFTER_S ?? 310);

async function takePictures(): Promise<void> {
  // The letters that the pages were drawn with; without them the pictures have whatever the machine has.
  external("inter");
  external("jetbrainsMono");
  const town = await startTown();
  const { page } = await look(browser, town.server, { place: "overview", isOutside: true, width: 1_440, height: 900 });
  await town.signIn(page);
  await isLive(page);
  // In one page, which sees as much as charts by the second have room for.
  await page.waitForTimeout(TOWN_LIFE_S * 1_000);
  for (const look of LOOKS) {
    const tall = look.width === undefined ? { ...look, height: 1_188 } : look;
    await picture(page, "overview", tall, () => page.locator(".happening li").nth(6).waitFor());
    await picture(page, "channels", look, () => page.waitForTimeout(6_000));
  }
  const dispatch = "channel?app=drivers&name=presence-dispatch";
  await goTo(page, dispatch);
  // A channel's chart begins when somebody looks at it.
  await page.waitForTimeout((TOWN_LIFE_S * 1_000) / 2);
  for (const look of LOOKS) {
    const tall = look.width === undefined ? { ...look, height: 1_188 } : look;
    await picture(page, dispatch, tall, () => page.waitForTimeout(1_000));
  }
  for (const look of LOOKS) {
    await picture(page, "console", look, async () => {
      await page.reload();
      await isLive(page);
      await page.waitForTimeout(2_500);
      await town.signWrongly();
      const refused = row(page, "refused", "private-orders.8841").first();
      await refused.waitFor();
      if (look.width !== undefined) return;
      await refused.click();
      await page.locator(".comparison").waitFor();
    });
  }
  await picture(page, "channels?app=shop", { suffix: "send" }, async () => {
    const form = await openSend(page);
    await form.getByLabel("Channel").fill("orders");
    await form.getByLabel("Event").fill("order.paid");
    await form.getByRole("button", { name: "Send", exact: true }).click();
    await shows(page, ".history", "order.paid");
  });
}

const LOOKS: readonly Look[] = [
  {},
  { suffix: "dark", colors: "dark" },
  { suffix: "phone", width: 390 },
  { suffix: "phone-dark", width: 390, colors: "dark" },
];

interface Look {
  readonly suffix?: string;
  readonly colors?: "light" | "dark";
  readonly width?: number;
  readonly height?: number;
}

async function picture(page: Page, place: string, wanted: Look, until: () => Promise<unknown>): Promise<void> {
  const { suffix, colors = "light", width = 1_440, height = width < 600 ? 844 : 900 } = wanted;
  await page.setViewportSize({ width, height });
  await page.emulateMedia({ colorScheme: colors });
  await goTo(page, place);
  await until();
  const name = ["dashboard", place.replace(/\W.*/, ""), ...(suffix ? [suffix] : [])].join("-");
  const path = join(PICTURES, `${name}.png`);
  await page.screenshot({ path });
  expect(Bun.file(path).size).toBeLessThan(400_000);
}
