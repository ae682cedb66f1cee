/** What axe-core finds on every page of the dashboard, by day and by night: nothing against WCAG 2.1, levels A and AA. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { openBrowser } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { violationsOf } from "./axe.ts";
import { goTo, look, PATIENCE_MS, PLACES, startWithDashboard, TEST_MS } from "./dashboard.ts";

setDefaultTimeout(TEST_MS);

const browser = await openBrowser();
test.each(["light", "dark"] as const)("no page has anything against WCAG 2.1 AA, in %s", async (colors) => {
  const server = await startWithDashboard();
  const client = await connectPusher(server.url);
  await client.subscribe("presence-team", { data: { user_id: "ada", user_info: { name: "Ada" } } });
  client.sendSubscribe("private-secret", { auth: `${APP.key}:${"0".repeat(64)}` });
  await server.toChannel("presence-team").push({ event: "plan", data: { step: 1, isDone: false } });
  const { page } = await look(browser, server, { colors });
  const found: Record<string, readonly string[]> = {};
  const check = async (name: string) => {
    await eventually(async () => expect(await page.locator(".waiting").count()).toBe(0), { withinMs: PATIENCE_MS });
    const violations = await violationsOf(page);
    if (violations.length > 0) found[name] = violations;
  };
  for (const place of [
    ...PLACES,
    "channel?app=app&name=presence-team",
    `connection?app=app&id=${client.socketId}`,
    "user?app=app&id=ada",
    "nowhere",
  ]) {
    await goTo(page, place);
    await check(place);
  }
  // What opens over a page.
  for (const [key, name] of [
    ["?", "keys"],
    ["e", "send"],
    ["Control+k", "palette"],
  ] as const) {
    await page.keyboard.press(key);
    await page.getByRole("dialog").waitFor();
    await check(name);
    await page.keyboard.press("Escape");
  }
  await goTo(page, "console?show=errors");
  await page.locator(".row-line").first().click();
  await page.locator(".comparison, .fixes").first().waitFor();
  await page.getByRole("combobox", { name: "Filter events" }).fill("channel:");
  await check("console with a refusal");
  expect(found).toEqual({});
});
