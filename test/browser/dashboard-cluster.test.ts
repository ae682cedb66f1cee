/** The dashboard of one node of two that meet in Redis: it sees and reaches what is on the other. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { openBrowser } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { connectAs } from "../support/native-client.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { startRedis } from "../support/redis.ts";
import { look, openPageOf, openSend, PATIENCE_MS, row, shows, startWithDashboard, TEST_MS } from "./dashboard.ts";

setDefaultTimeout(TEST_MS);

const browser = await openBrowser();
const redis = await startRedis();
const engine = { engine: "redis", redis: { port: redis.port } } as const;
const here = await startWithDashboard(engine);
const there = await startWithDashboard(engine);

test("two tabs, one at each node, both see what happens on either", async () => {
  const tabs = [await look(browser, here), await look(browser, there)];
  const names = ["on-here", "on-there"];
  await eventually(
    async () => {
      for (const [index, server] of [here, there].entries()) {
        const client = await connectPusher(server.url);
        await client.subscribe(names[index] ?? "");
        await client.close();
      }
      for (const { page } of tabs) {
        for (const name of names) await row(page, "subscribed", name).first().waitFor({ timeout: 1_000 });
      }
    },
    { withinMs: PATIENCE_MS },
  );
  for (const { errors } of tabs) expect(errors).toEqual([]);
});

test("a connection of the other node is listed, watched, sent to, and disconnected", async () => {
  const far = await connectAs(there.url, "far-away");
  await far.subscribe("shared");
  const { page } = await look(browser, here);
  await openPageOf(page, "Channels");
  await shows(page, "table", "shared");
  const form = await openSend(page);
  await form.getByLabel("Channel").fill("shared");
  await form.getByLabel("Event").fill("across");
  await form.getByRole("button", { name: "Send", exact: true }).click();
  await page.keyboard.press("Escape");
  await far.next("across");

  await openPageOf(page, "People");
  await page.getByRole("link", { name: "far-away" }).click();
  await page.getByRole("link", { name: far.id }).click();
  await shows(page, ".entity-head", "far-away");
  await eventually(
    async () => {
      await here.toChannel("shared").push({ event: "seen-far", data: 1 });
      await page.locator(".frames").getByText("seen-far").first().waitFor({ timeout: 500 });
    },
    { withinMs: PATIENCE_MS },
  );
  await page.getByRole("button", { name: "Disconnect" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Disconnect 1 connection" }).click();
  expect(await far.socket.closed).toMatchObject({ code: 4009 });
  await shows(page, "main", "This connection has ended.");
});

test("both nodes are listed, and the other one is drained from here", async () => {
  const { page } = await look(browser, here);
  await openPageOf(page, "Nodes");
  await eventually(async () => expect(await page.locator(".node").count()).toBe(2), { withinMs: PATIENCE_MS });
  await page.getByRole("button", { name: "Spread evenly" }).click();
  await page.getByText(/They are evenly filled|will be asked to reconnect/).waitFor();
  const other = page.locator(".node").filter({ hasNotText: "this one" });
  expect(await other.textContent()).toMatch(/Memory\s*[\d.]+ MB/);
  await other.getByRole("button", { name: "Drain" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Drain" }).click();
  const status = () =>
    fetch(`${there.url}/ready`).then(
      ({ status }) => status,
      () => 0,
    );
  await eventually(async () => expect(await status()).not.toBe(200), { withinMs: PATIENCE_MS });
  expect((await fetch(`${here.url}/ready`)).status).toBe(200);
});
