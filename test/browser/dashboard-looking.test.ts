/** The dashboard's pages for looking: connections, charts, nodes. All of it by clicking. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { noStatistics } from "../../packages/server/src/admin/api-types.ts";
import { openDatabase } from "../../packages/server/src/database/open.ts";
import { StatisticsStore } from "../../packages/server/src/observers/statistics/store.ts";
import { atEnd } from "../support/at-end.ts";
import { openBrowser } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { connectAs } from "../support/native-client.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { sqliteFile } from "../support/sqlite.ts";
import { look, openPageOf, PATIENCE_MS, shows, startWithDashboard, TEST_MS } from "./dashboard.ts";

setDefaultTimeout(TEST_MS);

const browser = await openBrowser();
const server = await startWithDashboard({ statistics: { intervalS: 1 } });

test("a connection's page has who and how it is, its channels, and its frames as they pass", async () => {
  const client = await connectAs(server.url, "linus", { info: { team: "kernel" } });
  await client.subscribe("lobby");
  const { page } = await look(browser, server);
  await openPageOf(page, "People");
  await page.getByRole("button", { name: "Connections" }).click();
  await page.getByLabel("Name, user id, connection id or address").fill("linus");
  await eventually(async () => expect(await page.getByRole("row").count()).toBe(2), { withinMs: PATIENCE_MS });
  await page.getByRole("row").nth(1).getByRole("link", { name: client.id }).click();
  await shows(page, ".entity-head", "linus");
  await shows(page, ".entity-head", "127.0.0.1");
  const facts = await shows(page, ".strip", "native");
  for (const fact of ["empty", "From client", "To client", "Round trip"]) expect(facts).toContain(fact);
  await shows(page, "section[aria-labelledby=its-channels]", "lobby");
  await shows(page, "main", '"team": "kernel"');
  await eventually(
    async () => {
      await server.toChannel("lobby").push({ event: "to-linus", data: "frame" });
      client.socket.send({ event: "ping" });
      const frames = (await page.locator(".frames").textContent()) ?? "";
      expect(frames).toContain("to-linus");
      expect(frames).toContain('{"event":"ping"}');
    },
    { withinMs: PATIENCE_MS, everyMs: 300 },
  );
  await client.close();
  await shows(page, "main", "This connection has ended.");
});

test("an address of a connection that is nowhere says so", async () => {
  const { page } = await look(browser, server, { place: "connection?app=app&id=1.2" });
  await shows(page, "main", "No node has this connection");
});

test("charts show the live seconds, and what was kept, over every length of time (B33)", async () => {
  const client = await connectPusher(server.url);
  await client.subscribe("lobby");
  const { page, errors } = await look(browser, server);
  await openPageOf(page, "Insights");
  const chart = (name: string) => page.getByRole("img", { name: new RegExp(`^${name}`) });
  await eventually(
    async () => {
      await server.toChannel("lobby").push({ event: "counted", data: 1 });
      expect(await chart("Messages").getAttribute("aria-label")).toMatch(/from back ends: last \d+, highest [1-9]/);
    },
    { withinMs: PATIENCE_MS, everyMs: 200 },
  );
  for (const range of ["Hour", "Day", "Week", "90 days"]) {
    await page.getByRole("button", { name: range, exact: true }).click();
    await eventually(
      async () =>
        expect(await chart("Connections").getAttribute("aria-label")).toMatch(/peak: last \d+, highest [1-9]/),
      { withinMs: PATIENCE_MS },
    );
  }
  expect(new URL(page.url()).hash).toBe("#/insights?range=quarter");
  await page.locator(".plot").first().hover();
  expect(await page.locator(".u-over").count()).toBe(4);
  expect(errors).toEqual([]);
});

test("nodes are listed with their load", async () => {
  const { page } = await look(browser, server);
  await openPageOf(page, "Nodes");
  const card = await shows(page, ".node", "this one");
  for (const fact of ["up", "Connections", "Event loop lag", "ms", "Up for", "Last heartbeat"])
    expect(card).toContain(fact);
});

test("the chosen app stays in the address, from page to page", async () => {
  const { page } = await look(browser, server);
  await page.getByLabel("App", { exact: true }).selectOption("app");
  await openPageOf(page, "Channels");
  expect(new URL(page.url()).hash).toBe("#/channels?app=app");
  await page.reload();
  expect(await page.getByLabel("App", { exact: true }).inputValue()).toBe("app");
  await page.getByLabel("App", { exact: true }).selectOption("");
  expect(new URL(page.url()).hash).toBe("#/channels");
});

test("in a chart what is idle since half an hour is at nothing, and a single point is seen", async () => {
  const url = sqliteFile();
  const quiet = await startWithDashboard({ database: { url } });
  const database = await openDatabase(url);
  atEnd(() => database.close());
  const numbers = { ...noStatistics(), connections: 7, peakConnections: 7 };
  const halfAnHourAgo = Date.now() - 30 * 60_000;
  await new StatisticsStore(database, "seed").add(new Map([[APP.id, numbers]]), halfAnHourAgo, 60_000);
  const { page } = await look(browser, quiet, { place: "insights?range=hour" });
  const label = () => page.getByRole("img", { name: /^Connections/ }).getAttribute("aria-label");
  await eventually(async () => expect(await label()).toContain("peak: last 0, highest 7"), { withinMs: PATIENCE_MS });
  expect(await page.locator(".chart", { hasText: "Connections" }).locator(".legend").textContent()).toMatch(/peak 0/);
  await page.getByRole("button", { name: "90 days", exact: true }).click();
  await eventually(async () => expect(await label()).toMatch(/peak: last 7, highest 7/), { withinMs: PATIENCE_MS });
  await eventually(async () => expect(await page.evaluate(inkOfLines)).toBeGreaterThan(10), { withinMs: PATIENCE_MS });
});

/** How much of the first chart has the colour of its second line, which lies on the first: axes and grid have others. */
function inkOfLines(): number {
  const canvas = document.querySelector<HTMLCanvasElement>(".plot canvas");
  const swatch = document.querySelectorAll(".chart .swatch")[1];
  const { data } = canvas?.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height) ?? { data: [] };
  const wanted = swatch ? (getComputedStyle(swatch).backgroundColor.match(/\d+/g) ?? []).map(Number) : [];
  let found = 0;
  for (let at = 0; at < data.length; at += 4) {
    const isIt = [0, 1, 2].every((part) => Math.abs((data[at + part] ?? -99) - (wanted[part] ?? 999)) < 8);
    if (isIt && data[at + 3] === 255) found++;
  }
  return found;
}

test("with several apps and none chosen, all of them are listed together, and an address finds its app", async () => {
  const several = await startWithDashboard({
    apps: [
      { id: "one", key: "key-one", secret: "s" },
      { id: "two", key: "key-two", secret: "s" },
    ],
  });
  const apps = ["one", "two"].map((id) => ({ id, key: `key-${id}`, secret: "s" }));
  for (const app of apps) await (await connectPusher(several.url, { app })).subscribe(`of-${app.id}`);
  const { page } = await look(browser, several, { place: "channels" });
  for (const { id } of apps) await page.getByRole("row", { name: `of-${id} ${id}` }).waitFor();
  await openPageOf(page, "People");
  await page.getByRole("button", { name: "Anonymous" }).click();
  await eventually(async () => expect(await page.getByRole("row").count()).toBe(3), { withinMs: PATIENCE_MS });
  await page.goto(page.url().replace(/#.*/, "#/channel?name=of-two"));
  await page.getByText("Subscribers").first().waitFor();
  expect(new URL(page.url()).hash).toBe("#/channel?name=of-two&app=two");
});
