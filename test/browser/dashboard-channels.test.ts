/** The dashboard's channels, over two nodes under load: the list with its rates and patterns, one channel, what an operator does there. */

import { expect, setDefaultTimeout, test } from "bun:test";
import type { Locator, Page } from "playwright-core";
import { USERS } from "../admin/visitor.ts";
import { atEnd } from "../support/at-end.ts";
import { openBrowser } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative } from "../support/native-client.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { startRedis } from "../support/redis.ts";
import { APP } from "../support/server.ts";
import { look, openPageOf, PATIENCE_MS, shows, startWithDashboard, TEST_MS } from "./dashboard.ts";

setDefaultTimeout(TEST_MS);

const browser = await openBrowser();
const redis = await startRedis();
const OTHER = { id: "support", key: "support-key", secret: "s", name: "Support", anonymous: true };
const CHANNELS = [{ match: "presence-*", history: { size: 60, ttlS: 600 } }];
const config = {
  engine: "redis",
  redis: { port: redis.port },
  apps: [{ ...APP, name: "Shop", anonymous: true, clientEvents: true, channels: CHANNELS }, OTHER],
} as const;
const [here, there] = [await startWithDashboard(config), await startWithDashboard(config)];

const line = (page: Page, name: string): Locator =>
  page.getByRole("row").filter({ has: page.getByText(name, { exact: true }) });
const numbersOf = async (row: Locator): Promise<string[]> => (await row.locator("td.number").allInnerTexts()).slice(0);

/** So many events in each tenth of a second, to both nodes in turn. */
function keepBusy(channel: string, perTick: number): void {
  let n = 0;
  const timer = setInterval(() => {
    for (let each = 0; each < perTick; each++) {
      const node = n++ % 2 === 0 ? here : there;
      void attempt(() => node.toChannel(channel).push({ event: "order.paid", data: { n } }));
    }
  }, 100);
  atEnd(() => clearInterval(timer));
}

/** The servers may stop before the load does. */
async function attempt(publish: () => unknown): Promise<void> {
  try {
    await publish();
  } catch {}
}

const member = await connectPusher(there.url);
await member.subscribe("presence-dispatch", { data: { user_id: "208", user_info: { name: "Aiko Tanaka" } } });
const others = [await connectPusher(here.url), await connectNative(there.url)];
for (const client of others) for (const channel of ["orders", "orders.1", "orders.2"]) await client.subscribe(channel);
for (let n = 0; n < 30; n++) await others[n % 2]?.subscribe(`cart.${n}`);
for (const name of ["private-x", "cache-prices"]) await others[0]?.subscribe(name);
await (await connectNative(there.url, { app: OTHER.key })).subscribe("tickets");
keepBusy("orders", 5);
keepBusy("cart.7", 1);

test("the list has all apps, with rates of both nodes, patterns that open, kinds and an address of its own", async () => {
  const { page, errors, violations } = await look(browser, here);
  await openPageOf(page, "Channels");
  await line(page, "tickets").getByText("Support").waitFor();
  // 50 events a second, to two subscribers; the order is that of the rates.
  await eventually(
    async () => {
      const [subscribers, , into = "", out = ""] = await numbersOf(line(page, "orders"));
      expect(subscribers).toBe("2");
      expect(Number(into)).toBeWithin(25, 80);
      expect(Number(out)).toBeWithin(50, 160);
      const rows = await page.locator("table.channels tbody th").allInnerTexts();
      expect(rows.slice(0, 2).map((text) => text.split("\n")[0])).toEqual(["orders", "cart.*"]);
    },
    { withinMs: PATIENCE_MS },
  );
  await line(page, "orders").locator("svg.spark path").first().waitFor({ state: "attached" });
  await line(page, "orders").getByText("order.paid").waitFor();
  expect(await line(page, "private-x").locator("td", { hasText: "idle" }).count()).toBe(1);

  await page.getByRole("button", { name: "Channels of cart.*" }).click();
  await line(page, "cart.7").waitFor();
  expect(await page.locator("tr.inside th").count()).toBe(5);
  expect(new URL(page.url()).hash).toContain("open=app%2Fcart.*");
  await page.getByRole("link", { name: "Show all 30" }).click();
  await eventually(async () => expect(await page.locator("tbody tr").count()).toBe(30), { withinMs: PATIENCE_MS });

  // What one sees can be sent: another tab, at the other node, by the same address.
  const hash = new URL(page.url()).hash.slice(2);
  const second = await look(browser, there, { place: hash });
  await eventually(async () => expect(await second.page.locator("tbody tr").count()).toBe(30), {
    withinMs: PATIENCE_MS,
  });
  await second.page.close();

  await page.keyboard.press("/");
  await page.keyboard.press("Control+a");
  await page.keyboard.type("p*");
  await eventually(async () => expect(await page.locator("tbody tr").count()).toBe(2), { withinMs: PATIENCE_MS });
  await page.getByRole("button", { name: /^Presence/ }).click();
  await eventually(async () => expect(await page.locator("tbody tr").count()).toBe(1), { withinMs: PATIENCE_MS });
  await page.keyboard.press("/");
  await page.keyboard.type("-nowhere");
  await page.getByRole("button", { name: "Clear the filter" }).click();
  await line(page, "tickets").waitFor();
  expect([errors, await violations()]).toEqual([[], []]);
});

test("a channel's page has its numbers, who is there, what is said and was, and its rule", async () => {
  const { page, errors } = await look(browser, here, { place: "channel?app=app&name=orders" });
  await shows(page, ".strip", "Subscribers");
  await eventually(
    async () => expect(await page.locator(".strip").textContent()).toMatch(/In[3-7]\d\/s.*2 deliveries per event/),
    { withinMs: PATIENCE_MS },
  );
  await shows(page, "section[aria-label=Events]", "order.paid");
  await shows(page, "section[aria-label=Subscribers]", "anonymous");
  await page.goto(page.url().replace(/#.*/, "#/channel?app=app&name=presence-dispatch"));
  await page.getByRole("heading", { name: "presence-dispatch" }).waitFor();
  for (let n = 1; n <= 54; n++) await there.toChannel("presence-dispatch").push({ event: "route", data: { stop: n } });
  // Of so many at once the feed is a sample.
  await Bun.sleep(200);
  await there.toChannel("presence-dispatch").push({ event: "route", data: { stop: 55 } });
  await shows(page, "section[aria-label=Events]", '{"stop":55}');
  await shows(page, "section[aria-label=Members]", "Aiko Tanaka");
  const rules = await shows(page, "section[aria-label='Rules that apply']", "rule 1 of 1");
  expect(rules).toContain("60 · 10 min");
  await page.getByRole("button", { name: "History", exact: true }).click();
  await shows(page, "section[aria-label=Events] thead", "Position");
  await shows(page, "section[aria-label=Events]", '{"stop":55}');
  await page.getByRole("button", { name: "Older" }).click();
  await shows(page, "section[aria-label=Events]", '{"stop":1}');
  expect(errors).toEqual([]);
});

test("an operator sends, kicks and purges, and is told of what first", async () => {
  const { page } = await look(browser, here, { place: "channel?app=app&name=presence-dispatch" });
  await page.locator("main").getByRole("button", { name: "Send event" }).click();
  const dialog = page.getByRole("dialog");
  expect(await dialog.getByLabel("Channel").inputValue()).toBe("presence-dispatch");
  await dialog.getByLabel("Event").last().fill("route.assigned");
  await dialog.getByRole("button", { name: "Send", exact: true }).click();
  await member.next("route.assigned");
  await page.keyboard.press("Escape");

  await page.locator("section[aria-label=Members]").getByRole("button", { name: "Kick…" }).click();
  await dialog.getByText("Every connection of Aiko Tanaka").waitFor();
  await dialog.getByRole("button", { name: "Kick Aiko Tanaka" }).click();
  await page.getByText("Kicked 1 connection.").waitFor();
  await member.next("pusher:subscription_error");
  await shows(page, "main", "Nobody is in this channel");

  await member.subscribe("presence-dispatch", { data: { user_id: "208", user_info: { name: "Aiko Tanaka" } } });
  await shows(page, "section[aria-label=Members]", "Aiko Tanaka");
  await page.getByRole("button", { name: "Purge history…" }).click();
  await dialog.getByText("at most 60").waitFor();
  const purge = dialog.getByRole("button", { name: "Purge the history" });
  expect(await purge.isDisabled()).toBe(true);
  await dialog.getByLabel("Type presence-dispatch to confirm").fill("presence-dispatch");
  await purge.click();
  await page.getByText(/^Purged \d+ events\.$/).waitFor();
  await page.getByRole("button", { name: "History", exact: true }).click();
  await shows(page, "section[aria-label=Events]", "Nothing is kept");

  await page.getByRole("button", { name: "Kick everyone…" }).click();
  await dialog.getByRole("button", { name: "Kick 1 subscriber" }).click();
  await shows(page, "main", "Nobody is in this channel");
});

test("a role that may not act sees what could be done, and which role it takes", async () => {
  const guarded = await startWithDashboard({ dashboard: { users: USERS } });
  await (await connectPusher(guarded.url)).subscribe("lobby");
  const { page } = await look(browser, guarded, { place: "channel?app=app&name=lobby", isOutside: true });
  await page.getByLabel("Name").fill("vera");
  await page.getByLabel("Password").fill("only looking");
  await page.getByRole("button", { name: "Sign in" }).click();
  for (const name of ["Kick everyone…", "Purge history…", "Kick…"]) {
    const button = page.getByRole("button", { name, exact: true });
    await button.waitFor();
    expect([name, await button.isDisabled(), await button.getAttribute("title")]).toEqual([
      ...[name, true, "Needs the role operate; yours is view."],
    ]);
  }
});

test("the overview has latencies, refusals by their reason, and the busiest channels of both nodes", async () => {
  const { page } = await look(browser, there, { place: "overview" });
  await eventually(
    async () =>
      expect(await page.locator(".number-tile", { hasText: "latency" }).textContent()).toMatch(/\d.*ms p50.*\d/),
    { withinMs: PATIENCE_MS },
  );
  await shows(page, "section[aria-label='Busiest channels']", "orders");
  await eventually(
    async () => {
      const [into = "", out = ""] = await numbersOf(line(page, "orders").first());
      expect([Number(into), Number(out)].every((rate) => rate >= 25)).toBe(true);
    },
    { withinMs: PATIENCE_MS },
  );
  const refused = await connectNative(here.url);
  for (let times = 0; times < 3; times++) await refused.ask("subscribe", { channel: "private-secret" });
  await shows(page, "section[aria-label='Recent refusals']", "No permission");
  await shows(page, "section[aria-label='Recent refusals']", "×3");
});
