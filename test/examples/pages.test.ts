/** The examples that have a page, used as a person uses them: in a browser, two at a time (issue 3, A36, A47). */

import { expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { openBrowser } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { startProcess } from "../support/process.ts";
import { APP } from "../support/server.ts";
import { openAs, startExample } from "./example.ts";

const PATIENCE = { withinMs: 15_000, everyMs: 30 };
setDefaultTimeout(60_000);

const browser = await openBrowser();

function texts(page: Page, selector: string): Promise<string[]> {
  return page.locator(selector).allTextContents();
}

test("chat: both see what is said, and who comes later reads it from the application's store", async () => {
  const { url } = await startExample("chat/server.ts");
  const ada = await openAs(browser, url);
  const bob = await openAs(browser, url);
  await say(ada.page, "Ada", "Good <b>morning</b>");
  await say(bob.page, "Bob", "Morning!");
  const all = ["Ada: Good <b>morning</b>", "Bob: Morning!"];
  for (const { page } of [ada, bob])
    await eventually(async () => expect(await texts(page, "li")).toEqual(all), PATIENCE);
  const late = await openAs(browser, url);
  await eventually(async () => expect(await texts(late.page, "li")).toEqual(all), PATIENCE);
  expect([...ada.errors, ...bob.errors, ...late.errors]).toEqual([]);
});

async function say(page: Page, name: string, text: string): Promise<void> {
  await page.fill("[name=name]", name);
  await page.fill("[name=text]", text);
  await page.click("button");
  await eventually(async () => expect((await texts(page, "li")).at(-1)).toBe(`${name}: ${text}`), PATIENCE);
}

test("live-dashboard: the figures change each second", async () => {
  const { url } = await startExample("live-dashboard/server.ts");
  const { page, errors } = await openAs(browser, url);
  const updates = async () => Number(await page.locator("#updates").textContent());
  await eventually(async () => expect(await updates()).toBeGreaterThan(1), PATIENCE);
  await eventually(async () => expect(await texts(page, "#viewers")).toEqual(["1"]), PATIENCE);
  expect(await page.locator("#memory").evaluate((meter) => (meter as HTMLMeterElement).value)).toBeGreaterThan(0);
  expect(errors).toEqual([]);
});

test("presence: the list has each person once, and loses those who go", async () => {
  const { url } = await startExample("presence/server.ts");
  const ada = await openAs(browser, `${url}?name=Ada`);
  await openAs(browser, `${url}?name=Ada`);
  const bob = await openAs(browser, `${url}?name=Bob`);
  await eventually(async () => expect((await texts(ada.page, "li")).sort()).toEqual(["Ada", "Bob"]), PATIENCE);
  await eventually(async () => expect((await texts(bob.page, "li")).sort()).toEqual(["Ada", "Bob"]), PATIENCE);
  const online = (await (await fetch(`${url}online`)).json()) as { id: string }[];
  expect(online.map(({ id }) => id).sort()).toEqual(["ada", "bob"]);
  await bob.page.close();
  await eventually(async () => expect(await texts(ada.page, "li")).toEqual(["Ada"]), PATIENCE);
  expect(ada.errors).toEqual([]);
});

test("private-notifications: all tabs of one user hear it, and nobody else", async () => {
  const { url } = await startExample("private-notifications/server.ts");
  const ada = await openAs(browser, `${url}?user=ada`);
  const bobs = [await openAs(browser, `${url}?user=bob`), await openAs(browser, `${url}?user=bob`)];
  for (const { page } of [ada, ...bobs]) {
    await eventually(async () => expect((await texts(page, "#status"))[0]).toStartWith("Signed in as"), PATIENCE);
  }
  await ada.page.fill("[name=to]", "bob");
  await ada.page.fill("[name=text]", "Lunch?");
  await ada.page.click("button");
  for (const { page } of bobs)
    await eventually(async () => expect(await texts(page, "li")).toEqual(["Lunch?"]), PATIENCE);
  expect(await texts(ada.page, "li")).toEqual([]);
  expect(ada.errors).toEqual([]);
});

test("typing-and-reactions: the others see who types, and every reaction counts once everywhere", async () => {
  const { url } = await startExample("typing-and-reactions/server.ts");
  const ada = await openAs(browser, `${url}?name=Ada`);
  const bob = await openAs(browser, `${url}?name=Bob`);
  for (const { page } of [ada, bob]) await page.locator("#text:enabled").waitFor();
  await ada.page.locator("#text").pressSequentially("h");
  await eventually(async () => expect(await texts(bob.page, "#typing")).toEqual(["Ada is typing"]), PATIENCE);
  expect(await texts(ada.page, "#typing")).toEqual([""]);
  await ada.page.click("button[value=🎉]");
  await bob.page.click("button[value=🎉]");
  for (const { page } of [ada, bob]) {
    await eventually(async () => expect(await texts(page, "button")).toEqual(["👍 0", "🎉 2"]), PATIENCE);
  }
  expect([...ada.errors, ...bob.errors]).toEqual([]);
});

test("poll-votes: a vote is counted once, answered to the voter, and shown to everybody", async () => {
  const { url } = await startExample("poll-votes/server.ts");
  const ada = await openAs(browser, url);
  await ada.page.click("button[value=tea]");
  await eventually(async () => expect(await texts(ada.page, "#note")).toEqual(["Counted."]), PATIENCE);
  const bob = await openAs(browser, url);
  await eventually(async () => expect(await texts(bob.page, "output")).toEqual(["1", "0"]), PATIENCE);
  await bob.page.click("button[value=coffee]");
  await eventually(async () => expect(await texts(ada.page, "output")).toEqual(["1", "1"]), PATIENCE);
  await bob.page.click("button[value=tea]");
  await eventually(async () => expect(await texts(bob.page, "#note")).toEqual(["You have voted already."]), PATIENCE);
  expect(await (await fetch(`${url}results`)).json()).toEqual({ tea: 1, coffee: 1 });
});

test("laravel-echo-recover: the numbers of a cut arrive after it, and without recover they do not", async () => {
  const { url } = await startExample("laravel-echo-recover/server.ts");
  const { page } = await openAs(browser, url);
  const numbers = async (place: string) => ((await texts(page, place))[0] ?? "").split(" ").filter(Boolean).map(Number);
  const both = ["#recovering", "#plain"];
  for (const place of both) await eventually(async () => expect(await numbers(place)).not.toEqual([]), PATIENCE);
  await page.click("#cut");
  const before = (await numbers("#recovering")).at(-1) ?? 0;
  await eventually(
    async () => expect(await (await fetch(`${url}number`)).json()).toBeGreaterThan(before + 2),
    PATIENCE,
  );
  await page.click("#mend");
  await eventually(async () => expect(await texts(page, "#note")).toEqual(["Nothing was lost."]), PATIENCE);
  await eventually(async () => expect((await numbers("#recovering")).at(-1)).toBeGreaterThan(before + 2), PATIENCE);
  const all = await numbers("#recovering");
  expect(all).toEqual(all.map((_, index) => (all[0] ?? 0) + index));
  const plain = async () => (await numbers("#plain")).at(-1);
  await eventually(async () => expect(await plain()).toBeGreaterThan(before + 2), { withinMs: 40_000, everyMs: 50 });
  expect(await numbers("#plain")).not.toContain(before + 2);
});

test("node-backend: an order posted to the back end reaches its customer's page, and no other's channel opens", async () => {
  const server = await startProcess();
  const env = { PUSHER_APP_ID: APP.id, PUSHER_APP_KEY: APP.key, PUSHER_APP_SECRET: APP.secret };
  const place = { PUSHER_HOST: "127.0.0.1", PUSHER_PORT: String(server.port) };
  const { url } = await startExample("node-backend/server.mjs", { ...env, ...place });
  const { page, errors } = await openAs(browser, `${url}?user=ada`);
  await eventually(async () => expect(await texts(page, "#state")).toEqual(["subscribed"]), PATIENCE);
  const order = { customer: "ada", id: 7, sum: "12.50" };
  const posted = await fetch(`${url}orders`, { method: "POST", body: JSON.stringify(order) });
  expect([posted.status, await posted.json()]).toEqual([201, { id: 7, sum: "12.50" }]);
  await eventually(async () => expect(await texts(page, "li")).toEqual(["Order 7: 12.50 paid"]), PATIENCE);
  const form = new URLSearchParams({ socket_id: "1.2", channel_name: "private-customer-ada" });
  const stranger = await fetch(`${url}pusher/auth?user=bob`, { method: "POST", body: form });
  expect(stranger.status).toBe(403);
  expect(errors).toEqual([]);
});
