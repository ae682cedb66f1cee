/** The dashboard's first page: what to do with a new server, and what is going on in one that is used. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { atEnd } from "../support/at-end.ts";
import { openBrowser } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { connectPusher, signedFetch } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { look, PATIENCE_MS, shows, startWithDashboard, TEST_MS } from "./dashboard.ts";

setDefaultTimeout(TEST_MS);

const browser = await openBrowser();

const section = (name: string) => `section[aria-label="${name}"]`;

test("a server that nobody has used says how to begin, until somebody connects", async () => {
  const server = await startWithDashboard();
  const { page, errors, violations } = await look(browser, server, { place: "" });
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  await shows(page, section("First steps"), `new Pusher("${APP.key}"`);
  await shows(page, section("First steps"), `wsPort: ${server.port}`);
  await connectPusher(server.url);
  await eventually(async () => expect(await page.locator(section("First steps")).count()).toBe(0), {
    withinMs: PATIENCE_MS,
  });
  await shows(page, ".numbers", "Connections");
  expect([errors, await violations()]).toEqual([[], []]);
});

test("what was refused before it was opened is there, once for each kind, and explains itself", async () => {
  const server = await startWithDashboard();
  const client = await connectPusher(server.url);
  for (let times = 0; times < 3; times++) {
    client.socket.send({
      event: "pusher:subscribe",
      data: { channel: "private-orders", auth: `${APP.key}:${"0".repeat(64)}` },
    });
  }
  const stranger = { ...APP, secret: "another" };
  const body = { name: "paid", channel: "orders", data: "1" };
  expect((await signedFetch(server.url, stranger, "POST", "/events", { body })).status).toBe(401);
  const { page } = await look(browser, server, { place: "overview" });
  const refusals = section("Recent refusals");
  await shows(page, refusals, "API call: wrong signature");
  await shows(page, refusals, `POST /apps/${APP.id}/events`);
  await shows(page, refusals, "×3");
  const row = page.locator(".refusal").filter({ hasText: "private-orders" });
  expect(await row.locator("strong").textContent()).toBe("Wrong signature");
  await row.getByRole("link", { name: "Explain" }).click();
  await page.getByRole("heading", { name: "Signature debugger" }).waitFor();
  expect(page.url()).toContain("channel=private-orders");
});

test("numbers, nodes and what happens are of now, and what is wrong stands above all of it", async () => {
  const server = await startWithDashboard();
  const client = await connectPusher(server.url);
  await client.subscribe("orders");
  const { page } = await look(browser, server, { place: "overview" });
  await eventually(
    async () => {
      await server.toChannel("orders").push({ event: "paid", data: { total: 7 } });
      await page.locator(section("Happening now")).getByText('paid {"total":7}').first().waitFor({ timeout: 500 });
      const out = page.getByRole("link", { name: /^Messages out/ });
      expect(await out.locator(".big").textContent()).not.toBe("0/s");
    },
    { withinMs: PATIENCE_MS },
  );
  expect(await page.locator(".alerts").count()).toBe(0);
  await page.goto(page.url().replace(/#.*/, "#/settings?tab=nodes"));
  await page.getByRole("button", { name: "Drain" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Drain" }).click();
  await page.goto(page.url().replace(/#.*/, "#/overview"));
  await shows(page, ".alerts", "drains: it takes no clients");
  await page.locator(".alerts").getByRole("link", { name: "Open nodes" }).click();
  await page.getByRole("heading", { name: "Nodes" }).waitFor();
});

test("what went out and came in is there as a table, too", async () => {
  const server = await startWithDashboard();
  const client = await connectPusher(server.url);
  await client.subscribe("orders");
  const { page } = await look(browser, server, { place: "overview" });
  await page.getByRole("button", { name: "Messages per second: Show as table" }).click();
  const table = page.getByRole("table", { name: "Messages per second" });
  expect(await table.getByRole("columnheader").allTextContents()).toEqual(["Time", "Out", "In"]);
  await eventually(
    async () => {
      const times = await table.getByRole("rowheader").allTextContents();
      expect(times.length).toBeGreaterThan(1);
      expect(times[0]).toMatch(/^\d\d:\d\d:\d\d$/);
    },
    { withinMs: PATIENCE_MS },
  );
  await page.getByRole("button", { name: "Messages per second: Hide table" }).click();
  expect(await table.count()).toBe(0);
});

test("a receiver of webhooks that fails is said to, with what it answers", async () => {
  const receiver = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("broken", { status: 500 }) });
  atEnd(() => receiver.stop(true));
  const url = `http://127.0.0.1:${receiver.port}/hook`;
  const server = await startWithDashboard({
    apps: [{ ...APP, webhooks: [{ url, events: ["channel_occupied"] }] }],
    webhooks: { allowPrivate: true },
  });
  const client = await connectPusher(server.url);
  await client.subscribe("told");
  const { page } = await look(browser, server, { place: "overview" });
  const card = await shows(page, section("Webhooks"), "answers 500");
  expect(card).toMatch(/answers 500 for \d+ s/);
  expect(card).toContain("1 waiting");
});
