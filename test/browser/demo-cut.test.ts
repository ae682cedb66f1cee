/** "Cut my connection" on the first page: a real loss, and a real recovery, by the numbers that the server gave the events. */

import { expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { openBrowser } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { shows, startDemo, TEST_MS, visit, WORKSHOP, write } from "./visit.ts";

setDefaultTimeout(TEST_MS);

const browser = await openBrowser();

test("what is missed while the connection is cut is counted, and comes back whole, in order, once", async () => {
  const server = await startDemo();
  const ada = await visit(browser, server, { name: "Ada" });
  const grace = await visit(browser, server, { name: "Grace" });
  const phone = await visit(browser, server, { name: "Phone", width: 390, height: 844 });
  await write(grace.page, "Before");
  await shows(ada.page, "#notes", "Before");

  await ada.page.click("#cut");
  await shows(ada.page, "#status", "Offline");
  // It is really away: the server has closed its books on it.
  await eventually(async () =>
    expect((await server.members(WORKSHOP)).map(({ info }) => Object(info).name)).toEqual(["Grace", "Phone"]),
  );
  await write(grace.page, "While you were away");
  await phone.page.locator(".nt", { hasText: "While you" }).locator(".like").click();
  await write(phone.page, "From a phone");
  await shows(ada.page, "#tape-head", "3 events missed so far");
  expect(await offsets(ada.page, "missed")).toEqual([2, 3, 4]);
  expect(await ada.page.locator(".nt").count()).toBe(1);
  await shows(ada.page, "#offline-text", "Last event you have: 1");
  await shows(ada.page, "#activity-hint", "stands still");

  await ada.page.click("#cut");
  await shows(ada.page, "#tape-head", "All 3 events are here");
  expect(await ada.page.textContent("#tape-text")).toMatch(/3 of 3 came in \d+ ms, in order, none twice/);
  expect(await ada.page.textContent("#cut-hint")).toMatch(/^asked with position \w{4}:1$/);
  await eventually(async () => expect(await offsets(ada.page, "recovered")).toEqual([2, 3, 4]));
  const recovered = await ada.page.locator("#activity .recovered").allInnerTexts();
  expect(recovered.map((text) => text.split(/\s/)[0])).toEqual(["4", "3", "2"]);
  await shows(ada.page, '.hot[data-hit="recovered"] .hits', "1×");
  const board = (page: Page) => page.locator(".nt p").allInnerTexts();
  expect(await board(ada.page)).toEqual(await board(grace.page));
  await write(grace.page, "After");
  await shows(ada.page, "#notes", "After");
  expect(await offsets(ada.page, "heard")).toEqual([1, 5]);
  expect(ada.errors).toEqual([]);
});

test("a connection that is cut comes back by itself, with what was written meanwhile", async () => {
  const server = await startDemo();
  const ada = await visit(browser, server, { name: "Ada" });
  const grace = await visit(browser, server, { name: "Grace" });
  await ada.page.click("#cut");
  await write(ada.page, "Written offline", "pending");
  await shows(ada.page, "#tape-head", "You missed nothing");
  await shows(grace.page, "#notes", "Written offline");
  await ada.page.locator('.nt[data-state=""]').waitFor();
});

test("what the server has lost meanwhile is said to be lost", async () => {
  const stateDir = temporaryFolder();
  const server = await startDemo({ stateDir });
  const { port } = server;
  const ada = await visit(browser, server, { name: "Ada" });
  const grace = await visit(browser, server, { name: "Grace" });
  await write(grace.page, "Before");
  await shows(ada.page, "#notes", "Before");
  await ada.page.click("#cut");
  await write(grace.page, "Missed");
  await shows(ada.page, "#tape-head", "1 event missed");
  await server.stop();
  await startDemo({ stateDir, port });
  await ada.page.click("#cut");
  await shows(ada.page, "#tape-head", "1 of 1 were not recovered");
});

test("who cuts the connection where nothing happens gets a robot, and so something to miss", async () => {
  const server = await startDemo();
  await visit(browser, server, { name: "Grace" });
  const { page } = await visit(browser, server, { name: "Ada", robot: true });
  await page.click("#cut");
  await page.locator(".you-dot.missed").nth(2).waitFor();
  await page.click("#cut");
  await shows(page, "#tape-head", "events are here");
  expect((await offsets(page, "recovered")).length).toBeGreaterThanOrEqual(3);
  expect(await offsets(page, "missed")).toEqual([]);
});

test("nothing is said to be lost while the server is away, however long that is", async () => {
  const stateDir = temporaryFolder();
  const server = await startDemo({ stateDir });
  const { port } = server;
  const { page } = await visit(browser, server, { name: "Ada" });
  await write(page, "Before");
  await page.click("#cut");
  await server.toChannel(WORKSHOP).push({ event: "note", data: { text: "Missed" } });
  await shows(page, "#tape-head", "1 event missed");
  await server.stop();
  await page.click("#cut");
  await Bun.sleep(10_000);
  expect(await page.textContent("#tape-head")).toBe("Coming back…");
  await startDemo({ stateDir, port });
  await shows(page, "#tape-head", "1 of 1 were not recovered");
});

test("more than the channel keeps is said not to be recovered, and the board is loaded again", async () => {
  const server = await startDemo();
  const { page } = await visit(browser, server, { name: "Ada" });
  await write(page, "Before");
  await page.click("#cut");
  await shows(page, "#status", "Offline");
  await Bun.sleep(500);
  expect(await page.textContent("#tape-head")).toBe("0 events missed so far");
  const room = server.toChannel(WORKSHOP);
  for (let number = 1; number <= 505; number++)
    await room.push({ event: "note", data: { id: "same", text: `Version ${number}` } });
  await page.click("#cut");
  await shows(page, "#tape-head", "were not recovered");
  await shows(page, "#notes", "Version 505");
  expect(await page.locator(".nt").count()).toBe(2);
});

/** The numbers of the events on one's own lane. */
async function offsets(page: Page, reached: string): Promise<number[]> {
  const found = await page
    .locator(`.you-dot.${reached}`)
    .evaluateAll((dots) => dots.map((dot) => Number(dot.getAttribute("data-offset"))));
  return found;
}
