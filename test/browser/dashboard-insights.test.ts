/** Insights: charts of what happens and of what was stored, where nothing is known, and the same as tables. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { noStatistics } from "../../packages/server/src/admin/api-types.ts";
import { openDatabase } from "../../packages/server/src/database/open.ts";
import type { Measured } from "../../packages/server/src/domain/app-statistics.ts";
import { SeriesStore } from "../../packages/server/src/observers/statistics/series-store.ts";
import { StatisticsStore } from "../../packages/server/src/observers/statistics/store.ts";
import { atEnd } from "../support/at-end.ts";
import { openBrowser } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { sqliteFile } from "../support/sqlite.ts";
import { look, openPageOf, PATIENCE_MS, shows, startWithDashboard, TEST_MS } from "./dashboard.ts";

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
  await eventually(async () => expect(await says(page, "Connections by node")).toContain("node-a: last 3, highest 3"), {
    withinMs: PATIENCE_MS,
  });
  await eventually(async () => expect(await page.evaluate(inkOfLine)).toBeGreaterThan(10), { withinMs: PATIENCE_MS });
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

/** How much of the first chart has the colour of its line: axes and grid have others. */
function inkOfLine(): number {
  const canvas = document.querySelector<HTMLCanvasElement>(".plot canvas");
  const swatch = document.querySelector(".chart .swatch");
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
  /** So many intervals, until so many ago. */
  const seed = async (id: string, count: number, ago: number, node = id) => {
    const [sums, series] = [new StatisticsStore(database, id), new SeriesStore(database, id)];
    for (let at = ago + count - 1; at >= ago; at--) {
      const nowMs = Date.now() - at * STEP_MS;
      const day = 1 + Math.sin((nowMs / 86_400_000) * 2 * Math.PI) / 2;
      const numbers = { messagesIn: 20_000, messagesOut: 2_000_000, apiMessages: 60_000, bytesIn: 4e6, bytesOut: 9e8 };
      const scaled = Object.fromEntries(
        Object.entries(numbers).map(([name, value]) => [name, Math.round(value * day)]),
      );
      await sums.add(new Map([[APP.id, { ...noStatistics(), ...scaled, connections: 3 }]]), nowMs, STEP_MS);
      await series.add(
        new Map([
          [APP.id, ofApp(day)],
          ["", ofNode(node, at)],
        ]),
        nowMs,
        STEP_MS,
      );
    }
  };
  return { server, seed };
}

function ofApp(day: number): readonly Measured[] {
  return [
    { measure: "connections", label: "pusher websocket", value: 2 },
    { measure: "connections", label: "native websocket", value: 1 },
    { measure: "refused", label: "signature_invalid", value: Math.round(30 * day) },
    { measure: "refused", label: "rate_limited", value: 12 },
    { measure: "resumed", label: "recovered", value: 9 },
    { measure: "webhooks", label: "sent", value: Math.round(300 * day) },
    { measure: "webhooks", label: "dead", value: 5 },
  ];
}

function ofNode(label: string, at: number): readonly Measured[] {
  const classes = [4, 90, 400, 300, 120, 60, 20, 4 + (at % 7)];
  return [
    { measure: "lag", label, value: at === 5 ? 131 : 3 + (at % 4) },
    { measure: "memory", label, value: 120_000_000 + at * 300_000 },
    ...classes.map((value, index) => ({ measure: "latency", label: String(index), value }) as const),
  ];
}

// Not a test of the page: it makes files of this repository, and is asked for by name.
if (process.env.FANFARE_SCREENSHOTS === "1") test("the pictures of insights in the docs are taken anew", takePictures);

async function takePictures(): Promise<void> {
  const { server, seed } = await seeded();
  await seed("fra-1", 150, 0);
  await seed("fra-2", 150, 0);
  await seed("fra-3:1", 90, 60);
  await seed("fra-3:2", 40, 0);
  for (const [suffix, size, colors] of LOOKS) {
    const { page } = await look(browser, server, { place: "insights", colors, ...size });
    await chart(page, "Traffic").waitFor();
    await page.waitForTimeout(1_500);
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
