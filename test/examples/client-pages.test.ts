/** The examples that use `@fanfare/client`, its bindings and its AI transport, as people use them: in a browser (issue 12). */

import { expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { openBrowser } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { openAs, startExample } from "./example.ts";

const PATIENCE = { withinMs: 20_000, everyMs: 30 };
setDefaultTimeout(90_000);

const browser = await openBrowser();

function texts(page: Page, selector: string): Promise<string[]> {
  return page.locator(selector).allTextContents();
}

test("chat-live: both see what is said, and who comes later too", async () => {
  const { url } = await startExample("chat-live/server.ts");
  const people = [await openAs(browser, url), await openAs(browser, url)];
  for (const [index, { page }] of people.entries()) {
    await page.fill("[name=name]", ["Ada", "Bob"][index] as string);
    await page.fill("[name=text]", `Hello ${index}`);
    await page.click("button");
    for (const { page } of people)
      await eventually(async () => expect((await texts(page, "li")).length).toBe(index + 1), PATIENCE);
  }
  people.push(await openAs(browser, url));
  for (const { page, errors } of people) {
    await eventually(async () => expect(await texts(page, "li")).toEqual(["Ada: Hello 0", "Bob: Hello 1"]), PATIENCE);
    expect(errors).toEqual([]);
  }
});

test("live-cursors: a pointer is where its owner moves it, and goes with the page", async () => {
  const { url } = await startExample("live-cursors/server.ts");
  const [one, other] = [await openAs(browser, url), await openAs(browser, url)];
  for (const { page } of [one, other])
    await eventually(async () => expect(await texts(page, "output")).toEqual(["2"]), PATIENCE);
  await one.page.setViewportSize({ width: 1_000, height: 500 });
  const cursors = () =>
    other.page.locator("i").evaluateAll((all) => all.map((it) => [(it as HTMLElement).style.left, it.style.top]));
  await eventually(async () => {
    await one.page.mouse.move(500, 249);
    await one.page.mouse.move(500, 250);
    expect(await cursors()).toEqual([["50vw", "50vh"]]);
  }, PATIENCE);
  await one.page.close();
  await eventually(async () => expect(await cursors()).toEqual([]), PATIENCE);
  expect(other.errors).toEqual([]);
});

test("presence-typing: the others see who types, in the room that they are in", async () => {
  const { url } = await startExample("presence-typing/server.ts");
  const ada = await openAs(browser, `${url}?name=Ada`);
  const bob = await openAs(browser, `${url}?name=Bob`);
  const people = async () => (await texts(bob.page, "li")).sort();
  await eventually(async () => expect(await people()).toEqual(["Ada", "Bob (you)"]), PATIENCE);
  await eventually(async () => {
    await ada.page.locator("input").pressSequentially("h");
    expect(await people()).toEqual(["Ada is typing", "Bob (you)"]);
  }, PATIENCE);
  await eventually(async () => expect(await people()).toEqual(["Ada", "Bob (you)"]), PATIENCE);
  await ada.page.click("text=Coffee");
  await eventually(async () => expect(await people()).toEqual(["Bob (you)"]), PATIENCE);
  await eventually(async () => expect(await texts(ada.page, "li")).toEqual(["Ada (you)"]), PATIENCE);
  expect([...ada.errors, ...bob.errors]).toEqual([]);
});

async function orderAndPay(url: string): Promise<void> {
  const [one, other] = [await openAs(browser, url), await openAs(browser, url)];
  const orders = (page: Page) => texts(page, "li span");
  await one.page.fill("[name=item]", "Tea");
  await one.page.click("text=Order");
  for (const { page } of [one, other])
    await eventually(async () => expect(await orders(page)).toEqual(["Tea: open"]), PATIENCE);
  await other.page.click("text=Pay");
  for (const { page } of [one, other])
    await eventually(async () => expect(await orders(page)).toEqual(["Tea: paid"]), PATIENCE);
  await other.page.fill("[name=item]", "Cake");
  await other.page.click("text=Order");
  const late = await openAs(browser, url);
  for (const { page, errors } of [one, other, late]) {
    await eventually(async () => expect(await orders(page)).toEqual(["Tea: paid", "Cake: open"]), PATIENCE);
    // The orders are fetched beside the connection, and may be there first.
    await eventually(async () => expect(await texts(page, "#state")).toEqual(["connected"]), PATIENCE);
    expect(errors).toEqual([]);
  }
}

test("order-board-react: every window has the orders as they are", async () => {
  const { url } = await startExample("order-board-react/server.ts");
  await orderAndPay(url);
});

test("order-board-vue: every window has the orders as they are", async () => {
  const { url } = await startExample("order-board-vue/server.ts");
  await orderAndPay(url);
});

test("order-board-svelte: every window has the orders as they are", async () => {
  const { url } = await startExample("order-board-svelte/server.ts");
  await orderAndPay(url);
});

const COUNTED = Array.from({ length: 100 }, (_, index) => index + 1).join(", ");
const ANSWER = `assistant: I can count: ${COUNTED}.`;

async function ask(page: Page): Promise<void> {
  await page.fill("[name=text]", "Count!");
  await page.click("text=Send");
  await eventually(
    async () => expect((await texts(page, "li"))[1]).toStartWith("assistant: I can count: 1, 2"),
    PATIENCE,
  );
}

test("ai-chat: an answer survives a reload, and a second tab and a late reader see all of it", async () => {
  const { url } = await startExample("ai-chat/server.ts", { PAUSE_MS: "120" });
  const [one, idle] = [await openAs(browser, `${url}#reload`), await openAs(browser, `${url}#reload`)];
  await ask(one.page);
  await one.page.reload();
  await eventually(async () => expect(await texts(one.page, "#status")).toEqual(["streaming"]), PATIENCE);
  const all = [one, idle, await openAs(browser, `${url}#reload`)];
  for (const { page } of all)
    await eventually(async () => expect(await texts(page, "li")).toEqual(["user: Count!", ANSWER]), PATIENCE);
  const after = await openAs(browser, `${url}#reload`);
  await eventually(async () => expect(await texts(after.page, "li")).toEqual(["user: Count!", ANSWER]), PATIENCE);
  for (const { page, errors } of [...all, after]) {
    await eventually(async () => expect(await texts(page, "#status")).toEqual(["ready"]), PATIENCE);
    expect(errors).toEqual([]);
  }
});

test("ai-chat: stop in one tab ends the answer in all, and the next question is answered", async () => {
  const { url } = await startExample("ai-chat/server.ts");
  const [one, other] = [await openAs(browser, `${url}#stop`), await openAs(browser, `${url}#stop`)];
  await ask(one.page);
  await eventually(async () => expect(await texts(other.page, "#status")).toEqual(["streaming"]), PATIENCE);
  await other.page.click("text=Stop");
  for (const { page } of [one, other])
    await eventually(async () => expect(await texts(page, "#status")).toEqual(["ready"]), PATIENCE);
  const [, stopped = ""] = await texts(one.page, "li");
  expect(ANSWER).not.toBe(stopped);
  await one.page.fill("[name=text]", "Again!");
  await one.page.click("text=Send");
  await eventually(async () => expect((await texts(one.page, "li"))[3]).toBe(ANSWER), PATIENCE);
  expect([...one.errors, ...other.errors]).toEqual([]);
});
