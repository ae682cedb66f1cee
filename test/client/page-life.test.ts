/** What only Chromium lets a test do to a page: take its network away, and freeze it. */

import { expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { openBrowser, openPage } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { startServer } from "../support/server.ts";
import { startProxy } from "../support/tcp-proxy.ts";
import { startExpression, startSite } from "./site.ts";

setDefaultTimeout(60_000);

const PATIENCE = { withinMs: 30_000, everyMs: 50 };
const CHANNELS = [{ match: "*", history: { size: 1_000, ttlS: 600 }, clientPublish: "any" as const }];

const server = await startServer({}, { channels: CHANNELS });
const site = await startSite();
const browser = await openBrowser();

test("a page that loses its network says what it waits for, and has all of it when the network is back", async () => {
  const page = await open("offline");
  await page.context().setOffline(true);
  await page.evaluate("void (window.said = room.publish('said', 1))");
  await push("offline", 1, 2);
  await page.context().setOffline(false);
  await page.evaluate("said");
  await expectHeard(page, [1, 2]);
  expect(await page.evaluate("gaps")).toEqual([]);
});

test("a page that was frozen has all that it missed soon after it goes on", async () => {
  const page = await open("frozen");
  const session = await page.context().newCDPSession(page);
  await session.send("Page.setWebLifecycleState", { state: "frozen" });
  await push("frozen", 1, 2, 3);
  await session.send("Page.setWebLifecycleState", { state: "active" });
  await expectHeard(page, [1, 2, 3]);
  expect(await page.evaluate("gaps")).toEqual([]);
});

test("a page whose line was cut while it was frozen has all that it missed, too", async () => {
  const proxy = await startProxy(server.port);
  const page = await open("dead", proxy.port);
  const session = await page.context().newCDPSession(page);
  await session.send("Page.setWebLifecycleState", { state: "frozen" });
  proxy.cut();
  await push("dead", 1, 2, 3);
  proxy.mend();
  await session.send("Page.setWebLifecycleState", { state: "active" });
  await expectHeard(page, [1, 2, 3]);
  expect(await page.evaluate("gaps")).toEqual([]);
});

async function open(channel: string, port = server.port): Promise<Page> {
  const { page } = await openPage(browser, site);
  await page.evaluate(await startExpression(channel, { port, user: "ada" }));
  await eventually(async () => expect(await page.evaluate("room.snapshot.state")).toBe("attached"), PATIENCE);
  return page;
}

async function expectHeard(page: Page, data: readonly unknown[]): Promise<void> {
  await eventually(async () => expect(await page.evaluate("heard.map(([data]) => data)")).toEqual(data), PATIENCE);
}

async function push(channel: string, ...messages: readonly unknown[]): Promise<void> {
  for (const data of messages) await server.toChannel(channel).push({ event: "message", data });
}
