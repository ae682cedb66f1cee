/** Insights: charts of what happens and of what was stored, where nothing is known, and the same as tables. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { openDatabase } from "../../packages/server/src/database/open.ts";
import { atEnd } from "../support/at-end.ts";
import { openBrowser } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { sqliteFile } from "../support/sqlite.ts";
import { look, openPageOf, PATIENCE_MS, shows, startWithDashboard, TEST_MS } from "./dashboard.ts";
import { seeder } from "./insights-past.ts";

setDefaultTimeout(TEST_MS);

const browser = await openBrowser();
const STEP_MS = 600_000;

const chart = (page: Page, name: string) => page.getByRole("img", { name: new RegExp(`^${name}`) });
const says = async (page: Page, name: string) => (await chart(page, name).getAttribute("aria-label")) ?? "";

test("charts show the last seconds, and what was stored, over every length of time (B33)", async () => {
  const server = await startWithDashboard({ statistics: { intervalS: 1 } });
  const client = await connectPusher(server.url);
  await client.subscribe("lobby");
  client.send("pusher:subscribe", { channel: "private-x", auth: "wrong" });
  const { page, errors, violations } = await look(browser, server);
  await openPageOf(page, "Insights");
  await page.getByRole("button", { name: "5 min", exact: true }).click();
  await eventually(
    async () => {
      await server.toChannel("lobby").push({ event: "counted", data: 1 });
      expect(await says(page, "Messages in")).toMatch(/From back ends: last [\d.]+, highest [1-9]/);
    },
    { withinMs: PATIENCE_MS, everyMs: 200 },
  );
  for (const range of ["1 h", "24 h", "7 d", "90 d"]) {
    await page.getByRole("button", { name: range, exact: true }).click();
    await eventually(
      async () => {
        expect(await says(page, "Connections by protocol")).toMatch(/Pusher ws: last 1, highest 1/);
        expect(await says(page, "Memory")).toMatch(/highest \d+ MB/);
      },
      { withinMs: PATIENCE_MS },
    );
  }
  expect(new URL(page.url()).hash).toBe("#/insights?range=quarter");
  for (const name of ["Messages out", "Connections by node", "Refused, by reason", "Event loop lag", "Traffic"])
    await chart(page, name).waitFor();
  await page.locator(".plot").first().hover();
  expect(errors).toEqual([]);
  expect(await violations()).toEqual([]);
});

test("before the server counted it is hatched and said so, and a chart is shown as a table", async () => {
  const { server, seed } = await seeded();
  await seed("node-a", 12, 0);
  const { page } = await look(browser, server, { place: "insights" });
  await shows(page, ".first-day", "This server counts since");
  await eventually(async () => expect(await page.evaluate(hatched)).toBe(true), { withinMs: PATIENCE_MS });
  await page.getByRole("button", { name: "Show only since then" }).click();
  expect(new URL(page.url()).hash).toBe("#/insights?since=start");
  await eventually(async () => expect(await page.evaluate(hatched)).toBe(false), { withinMs: PATIENCE_MS });
  await page.getByRole("button", { name: "Webhooks: Show as table" }).click();
  const table = page.getByRole("table", { name: "Webhooks" });
  await eventually(async () => expect(await table.getByRole("row").count()).toBe(1 + 12), { withinMs: PATIENCE_MS });
  for (const name of ["Time", "Delivered", "Failed"]) await table.getByRole("columnheader", { name }).waitFor();
  // A point that stands alone is seen as well.
  await page.getByRole("button", { name: "90 d", exact: true }).click();
  await eventually(async () => expect(await says(page, "Connections by node")).toMatch(/node-a: last [1-9]/), {
    withinMs: PATIENCE_MS,
  });
  await eventually(async () => expect(await page.evaluate(inkOfLine)).toBeGreaterThan(10), { withinMs: PATIENCE_MS });
});

test("one node's numbers alone, a time of one's own, and the day before beside it: all in the address", async () => {
  const { server, seed } = await seeded();
  await seed("1", 290, 0, { name: "fra-1" });
  await seed("2", 290, 0, { name: "fra-2" });
  const { page, errors, violations } = await look(browser, server, { place: "insights" });
  const nodes = async () => (await says(page, "Connections by node")).match(/fra-\d/g);
  await eventually(async () => expect(await nodes()).toEqual(["fra-1", "fra-2"]), { withinMs: PATIENCE_MS });
  await page.getByLabel("Node", { exact: true }).selectOption("fra-2");
  await eventually(async () => expect(await nodes()).toEqual(["fra-2"]), { withinMs: PATIENCE_MS });
  expect(await says(page, "Messages out")).not.toContain("the day before");
  await page.getByLabel("Compare with the day before").check();
  await eventually(async () => expect(await says(page, "Messages out")).toMatch(/the day before: last [1-9]/), {
    withinMs: PATIENCE_MS,
  });
  expect(new URL(page.url()).hash).toBe("#/insights?node=fra-2&compare=before");

  const dialog = page.getByRole("dialog", { name: "Custom range" });
  await page.getByRole("button", { name: "Custom", exact: true }).click();
  const text = (hoursAgo: number) => {
    const at = Date.now() - hoursAgo * 3_600_000;
    return new Date(at - new Date(at).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
  };
  await dialog.getByLabel("From").fill(text(3));
  await dialog.getByLabel("To (now, if empty)").fill(text(5));
  await dialog.getByText("The end has to be after the beginning.").waitFor();
  expect(await dialog.getByRole("button", { name: "Show" }).isDisabled()).toBe(true);
  await dialog.getByLabel("From").fill(text(7));
  await dialog.getByRole("button", { name: "Show" }).click();
  expect(new URL(page.url()).hash).toMatch(/range=custom&from=\S+&to=\S+/);
  await page.getByRole("button", { name: "Messages out: Show as table" }).click();
  const rows = page.getByRole("table", { name: "Messages out" }).getByRole("row");
  // Two hours in steps of ten minutes, and the head.
  await eventually(async () => expect([13, 14]).toContain(await rows.count()), { withinMs: PATIENCE_MS });
  await page.reload();
  await page.getByRole("button", { name: /–/, pressed: true }).waitFor();
  expect(await page.getByLabel("Node", { exact: true }).inputValue()).toBe("fra-2");
  expect([errors, await violations()]).toEqual([[], []]);
});

test("a value stands beside each title, at the pointer in every chart, and all of it is a file for a spreadsheet", async () => {
  const { server, seed } = await seeded();
  await seed("1", 145, 0, { name: "fra-1" });
  const { page, errors, violations } = await look(browser, server, { place: "insights", width: 1440 });
  const head = (name: string) => page.locator("figure", { has: chart(page, name) }).locator(".chart-value");
  await eventually(async () => expect(await head("Delivery latency").textContent()).toMatch(/ · .* · .* ms$/), {
    withinMs: PATIENCE_MS,
  });
  expect(await head("Messages out").textContent()).toMatch(/^[\d.,]+K?\/s$/);
  expect(await head("Webhooks").textContent()).toMatch(/\/min$/);
  expect(await head("Reconnects").textContent()).toMatch(/\/min, [\d.]+ % recovered$/);
  expect(await head("Traffic").textContent()).toMatch(/ [KM]B\/s out$/);
  expect(await page.locator(".plot-tip").count()).toBe(0);
  await chart(page, "Messages out").hover({ position: { x: 300, y: 80 } });
  await page.locator(".plot-tip", { hasText: "To clients" }).waitFor();
  // Of the others the head says the time, too.
  await eventually(async () => expect(await page.locator(".chart-time:not(:empty)").count()).toBe(11), {
    withinMs: PATIENCE_MS,
  });
  expect(await page.locator(".plot-tip").count()).toBe(1);
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "CSV" }).click()]);
  expect(file.suggestedFilename()).toMatch(/^fanfare-.*\.csv$/);
  const lines = (await Bun.file(await file.path()).text()).split("\r\n");
  expect(lines[0]).toStartWith("time,Messages out: To clients,Delivery latency: p99");
  expect(lines.length).toBeGreaterThan(140);
  expect(lines[5]?.split(",")[1]).toMatch(/^\d+(\.\d+)?$/);
  const metrics = await fetch(
    new URL((await page.getByRole("link", { name: "Prometheus" }).getAttribute("href")) ?? "", page.url()),
  );
  expect([metrics.status, await metrics.text()]).toEqual([200, expect.stringContaining("fanfare_connections")]);
  expect([errors, await violations()]).toEqual([[], []]);
});

test("without a database only the last minutes are shown, and what to set", async () => {
  const server = await startWithDashboard({ database: {} });
  const { page } = await look(browser, server, { place: "insights" });
  await chart(page, "Messages out").waitFor();
  await page.getByRole("button", { name: "7 d", exact: true }).click();
  await shows(page, "main", "database.url");
});

/** Whether the middle left of the first chart has diagonal lines: in a row of pixels are several of them. */
function hatched(): boolean {
  const canvas = document.querySelector<HTMLCanvasElement>(".plot canvas");
  const context = canvas?.getContext("2d");
  if (!canvas || !context) return false;
  const { data } = context.getImageData(canvas.width * 0.2, canvas.height * 0.47, canvas.width * 0.3, 1);
  let marks = 0;
  for (let at = 3; at < data.length; at += 4) if ((data[at] ?? 0) > 60 && (data[at - 4] ?? 0) <= 60) marks++;
  return marks > 8;
}

/** How much of the first chart with a legend has the colour of its line: axes and grid have others. */
function inkOfLine(): number {
  const swatch = document.querySelector(".chart .swatch");
  const canvas = swatch?.closest("figure")?.querySelector<HTMLCanvasElement>(".plot canvas");
  const { data } = canvas?.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height) ?? { data: [] };
  const wanted = swatch ? (getComputedStyle(swatch).backgroundColor.match(/\d+/g) ?? []).map(Number) : [];
  let found = 0;
  for (let at = 0; at < data.length; at += 4) {
    const isIt = [0, 1, 2].every((part) => Math.abs((data[at + part] ?? -99) - (wanted[part] ?? 999)) < 8);
    if (isIt && data[at + 3] === 255) found++;
  }
  return found;
}

/** A server on a database that nodes wrote to before. */
async function seeded() {
  const url = sqliteFile();
  const server = await startWithDashboard({ database: { url }, statistics: { intervalS: STEP_MS / 1000 } });
  const database = await openDatabase(url);
  atEnd(() => database.close());
  return { server, seed: seeder(database, STEP_MS) };
}

// Not a test of the page: it makes files of this repository, and is asked for by name.
if (process.env.FANFARE_SCREENSHOTS === "1") test("the pictures of insights in the docs are taken anew", takePictures);

async function takePictures(): Promise<void> {
  const { server, seed } = await seeded();
  await seed("1", 145, 0, { name: "fra-1", seed: 1 });
  await seed("2", 145, 0, { name: "fra-2", seed: 2 });
  await seed("3", 130, 15, { name: "fra-3", seed: 3 });
  await seed("4", 14, 0, { name: "fra-3", seed: 4, isOverloaded: true });
  for (const [suffix, size, colors] of LOOKS) {
    const { page } = await look(browser, server, { place: "insights", colors, ...size });
    await chart(page, "Traffic").waitFor();
    await page.waitForTimeout(1_500);
    if (suffix === "" || suffix === "-dark")
      await page
        .locator(".plot")
        .first()
        .hover({ position: { x: 430, y: 90 } });
    await page.waitForTimeout(300);
    await page.screenshot({
      path: join(import.meta.dir, "..", "..", "docs", "images", `dashboard-insights${suffix}.png`),
    });
    await page.close();
  }
}

const LOOKS = [
  ["", { width: 1440, height: 1080 }, "light"],
  ["-dark", { width: 1440, height: 1080 }, "dark"],
  ["-phone", { width: 390, height: 844 }, "light"],
  ["-phone-dark", { width: 390, height: 844 }, "dark"],
] as const;
