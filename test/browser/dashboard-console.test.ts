/** The dashboard's live console: what happens, in two tabs at once, filtered, paused, looked at, and too much of it. */

import { expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { startBackend } from "../conformance/backend.ts";
import { connectClient } from "../conformance/pusher-js.ts";
import { openBrowser } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { channelAuth, connectPusher, signedFetch } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { isLive, look, openPageOf, PATIENCE_MS, row, shows, startWithDashboard, TEST_MS } from "./dashboard.ts";

setDefaultTimeout(TEST_MS);

const browser = await openBrowser();
const server = await startWithDashboard();

/** What is watched is known to the server a moment after the page is live. Rows of an earlier visit may still be there and prove nothing. */
async function isWatching(page: Page): Promise<void> {
  const name = `probe-${crypto.randomUUID()}`;
  await eventually(
    async () => {
      await server.toChannel("probe").push({ event: name, data: 1 });
      await row(page, "message", name).first().waitFor({ timeout: 500 });
    },
    { withinMs: PATIENCE_MS },
  );
}

test("two tabs see what a pusher-js client and a back end do, as it happens (B28, B30)", async () => {
  const tabs = [await look(browser, server), await look(browser, server, { place: "console?app=app" })];
  for (const { page } of tabs) await isWatching(page);

  const backend = startBackend(server);
  const { pusher, socketId: id } = await connectClient(server, backend);
  await new Promise((bound) => pusher.subscribe("lobby").bind("pusher:subscription_succeeded", bound));
  const other = await connectPusher(server.url);
  await other.subscribe("private-room");
  const second = await connectPusher(server.url);
  await second.subscribe("private-room");
  other.send("client-wave", { hello: "there" }, "private-room");
  await backend.library.trigger("lobby", "news", { headline: "It works" });
  other.sendSubscribe("private-secret", { auth: `${APP.key}:wrong` });
  pusher.disconnect();

  for (const { page, errors } of tabs) {
    await row(page, "connected", id).waitFor();
    await row(page, "subscribed", "lobby").waitFor();
    await row(page, "occupied", "private-room").waitFor();
    await row(page, "client event", "client-wave").waitFor();
    await row(page, "message", "It works").waitFor();
    await row(page, "refused", other.socketId).waitFor();
    await row(page, "disconnected", id).waitFor();
    await row(page, "vacated", "lobby").waitFor();
    expect(errors).toEqual([]);
  }
});

const query = (page: Page) => page.getByRole("combobox", { name: "Filter events" });

async function filterBy(page: Page, text: string): Promise<void> {
  await query(page).fill(text);
  await query(page).press("Enter");
}

test("filters by channel, event, connection and kind leave only what fits, and are in the address", async () => {
  const { page } = await look(browser, server);
  await isWatching(page);
  await filterBy(page, "channel:orders.* event:order-*");
  await page.getByRole("button", { name: "Messages" }).click();
  expect(new URL(page.url()).hash).toContain("channel=orders.*");
  expect(new URL(page.url()).hash).toContain("show=messages");
  await shows(page, ".rows", "No matching events yet");
  await eventually(
    async () => {
      for (const [channel, event] of [
        ["orders.1", "order-placed"],
        ["orders.1", "other"],
        ["lobby", "order-placed"],
      ]) {
        await server.toChannel(channel ?? "").push({ event: event ?? "", data: {} });
      }
      await row(page, "message", "orders.1").first().waitFor({ timeout: 500 });
    },
    { withinMs: PATIENCE_MS },
  );
  const seen = await page.locator(".row-line").allInnerTexts();
  expect(seen.every((text) => text.includes("orders.1") && text.includes("order-placed"))).toBe(true);

  // Whoever is sent the address sees the same.
  const { page: same } = await look(browser, server, { place: new URL(page.url()).hash.slice(2) });
  await shows(same, ".query", "channel:orders.*");
  expect(await same.getByRole("button", { name: "Messages" }).getAttribute("aria-pressed")).toBe("true");
  await same.getByRole("button", { name: "Remove channel:orders.*" }).click();
  await query(same).press("Backspace");
  await query(same).press("Escape");
  await same.getByRole("button", { name: "All" }).click();
  expect(new URL(same.url()).hash).toBe("#/console");

  const client = await connectPusher(server.url);
  await page.getByRole("button", { name: "All" }).click();
  for (let chips = 0; chips < 2; chips++) await query(page).press("Backspace");
  await filterBy(page, `connection:${client.socketId}`);
  await eventually(
    async () => {
      client.unsubscribe("by-connection");
      await client.subscribe("by-connection");
      await row(page, "subscribed", "by-connection").first().waitFor({ timeout: 500 });
    },
    { withinMs: PATIENCE_MS },
  );
});

test("several values, users, reasons and any text are filtered by the server, and words are completed", async () => {
  const { page } = await look(browser, server);
  await isWatching(page);
  await query(page).fill("cha");
  await page.getByRole("option", { name: "channel:" }).waitFor();
  await query(page).press("Tab");
  expect(await query(page).inputValue()).toBe("channel:");
  await query(page).pressSequentially("pro");
  await page.getByRole("option", { name: "channel:probe" }).waitFor();
  await query(page).press("Tab");
  await filterBy(page, 'channel:wanted "Needle 7"');
  await shows(page, ".query", "channel:probe");
  await eventually(
    async () => {
      for (const text of ["needle 7", "needle 8"]) {
        await server.toChannel("wanted").push({ event: "hay", data: { text } });
        await server.toChannel("unwanted").push({ event: "hay", data: { text } });
      }
      await row(page, "message", "needle 7").first().waitFor({ timeout: 500 });
    },
    { withinMs: PATIENCE_MS },
  );
  const texts = await page.locator(".row-line").allInnerTexts();
  expect(texts.filter((text) => !text.includes("wanted") || !text.includes("needle 7"))).toEqual([]);
  expect(texts.some((text) => text.includes("unwanted"))).toBe(false);

  const ada = await connectPusher(server.url);
  await ada.signin({ id: "ada" });
  const { page: other } = await look(browser, server, { place: "console?user=a*&reason=signature_invalid" });
  await eventually(
    async () => {
      ada.sendSubscribe("private-x", { auth: `${APP.key}:wrong` });
      await row(other, "refused", "ada").first().waitFor({ timeout: 500 });
    },
    { withinMs: PATIENCE_MS },
  );
  await other.getByRole("button", { name: "Refused" }).waitFor();
});

test("by key the list is walked, one is only like another, and is copied as code; its address leads back to it", async () => {
  const { page, errors } = await look(browser, server);
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await isWatching(page);
  await server.toChannel("keys.1").push({ event: "first", data: { n: 1 } });
  await server.toChannel("keys.2").push({ event: "second", data: "it's" });
  await row(page, "message", "second").waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  await shows(page, ".inspector", "keys.2");
  await page.keyboard.press("c");
  await shows(page, ".notices", "Copied as code");
  const code = await page.evaluate(() => navigator.clipboard.readText());
  expect(code).toBe('await pusher.trigger("keys.2", "second", "it\'s");');
  await page.getByRole("button", { name: "Copy as code" }).click();
  await page.getByRole("button", { name: "Laravel" }).click();
  await shows(page, ".code-box", "Broadcast::on('keys.2')->as('second')");

  const { page: same } = await look(browser, server, { place: new URL(page.url()).hash.slice(2) });
  await shows(same, ".inspector", "keys.2");

  // What comes meanwhile does not move what is looked at.
  await server.toChannel("keys.3").push({ event: "third", data: 3 });
  await shows(page, ".newer", "new");
  expect(await row(page, "message", "third").count()).toBe(0);
  await page.keyboard.press("f");
  await shows(page, ".query", "event:second");
  expect(await page.locator(".inspector").count()).toBe(0);
  await page.keyboard.press("Escape");
  await query(page).press("Backspace");
  expect(errors).toEqual([]);
});

test("who is a member of a presence channel is called by the name that came with it, and leads to its page", async () => {
  const { page } = await look(browser, server);
  await isWatching(page);
  const client = await connectPusher(server.url);
  await client.subscribe("presence-team", { data: { user_id: "7", user_info: { name: "Grace Hopper" } } });
  await row(page, "joined", "presence-team").first().click();
  expect(await page.locator(".row-line.chosen .person-cell").textContent()).toContain("Grace Hopper");
  const link = page.getByRole("complementary", { name: "Inspector" }).getByRole("link", { name: "Grace Hopper" });
  expect(await link.getAttribute("href")).toBe("#/user?app=app&id=7");
});

test("a refusal says why and where, and leads to the signature page, filled in", async () => {
  const { page, errors } = await look(browser, server);
  await isWatching(page);
  const client = await connectPusher(server.url);
  const data = '{"user_id": "7"}';
  client.sendSubscribe("presence-secret", { auth: `${APP.key}:${"0".repeat(64)}`, data });
  const refused = row(page, "refused", "presence-secret");
  await refused.filter({ hasText: "Invalid signature: expected the HMAC SHA256 hex digest" }).click();
  await page.getByRole("link", { name: "Explain this signature" }).click();
  expect(await page.getByLabel("Socket id").inputValue()).toBe(client.socketId);
  expect(await page.getByLabel("Channel", { exact: true }).inputValue()).toBe("presence-secret");
  expect(await page.getByLabel("channel_data").inputValue()).toBe(data);
  await page.getByRole("button", { name: "Explain" }).click();
  await shows(page, ".verdict", "It is refused");

  await openPageOf(page, "Console");
  await isWatching(page);
  const body = { name: "x", channel: "a", data: "{}" };
  await signedFetch(server.url, APP, "POST", "/events", { body, tamper: { secret: "another" } });
  await row(page, "refused", "401 auth_signature is not").first().click();
  await page.getByRole("link", { name: "Explain this signature" }).click();
  expect(await page.getByLabel("Body").inputValue()).toBe(JSON.stringify(body));
  await page.getByRole("button", { name: "Explain" }).click();
  await shows(page, ".verdict", "It is refused");
  expect(errors).toEqual([]);
});

test("a refused signature is explained in plain words, with who it was, by what, and what was sent", async () => {
  const before = await connectPusher(server.url);
  await before.subscribe("before-it-was-opened");
  const { page, errors, violations } = await look(browser, server);
  await isWatching(page);
  await shows(page, ".row-divider", "History: before you opened this page at ");
  const client = await connectPusher(server.url, {
    query: "protocol=7&client=js&version=8.4.0",
    headers: {
      "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/142.0.0.0 Safari/537.36",
      Origin: "https://shop.example",
    },
  });
  await client.signin({ id: "42", user_info: { name: "Mara Lindqvist" } });
  const auth = channelAuth(APP, client.socketId, "private-orders.8814");
  client.sendSubscribe("private-orders.8841", { auth });
  const refused = row(page, "refused", "private-orders.8841").first();
  await refused.click();
  expect(await refused.textContent()).toMatch(/subscribe.*Mara Lindqvist.*Invalid signature/s);
  const inspector = page.getByRole("complementary", { name: "Inspector" });
  await inspector.getByText("The signature is for another channel").waitFor();
  await shows(
    page,
    ".callout",
    "Your auth endpoint signed private-orders.8814, but the client asked for private-orders.8841",
  );
  await shows(page, ".comparison", "private-orders.8814");
  await shows(page, ".inspector .facts", "pusher-js 8.4.0 · Chrome 142, Linux · ws");
  await shows(page, '[aria-label="What the client sent"]', '"pusher:subscribe"');
  await shows(page, 'section[aria-label="Headers"]', "https://shop.example");
  await inspector.getByText("How signatures work").click();
  await inspector.getByText("signs the text by HMAC SHA256").waitFor();
  await inspector.getByRole("button", { name: "Copy as code" }).click();
  await inspector.getByRole("button", { name: "Laravel" }).click();
  await shows(page, ".code-box", "return Broadcast::auth($request);");
  await inspector.getByRole("link", { name: "Mara Lindqvist" }).click();
  await page.getByRole("heading", { name: "Mara Lindqvist" }).waitFor();
  expect([errors, await violations()]).toEqual([[], []]);
});

test("pausing holds the list still and loses nothing; clearing empties it", async () => {
  const { page } = await look(browser, server);
  await isWatching(page);
  await page.getByRole("heading", { name: "Console" }).click();
  await page.keyboard.press("p");
  await shows(page, ".console-foot", "Paused");
  await server.toChannel("lobby").push({ event: "while-paused", data: 1 });
  await shows(page, ".console-foot", "1 new since");
  expect(await row(page, "message", "while-paused").count()).toBe(0);
  await page.getByRole("button", { name: "Resume" }).click();
  await row(page, "message", "while-paused").waitFor();
  await page.getByRole("button", { name: "Clear" }).click();
  await shows(page, ".rows", "No events yet");
});

test("a payload is looked at as readable JSON, a long one says that it is cut, and Esc closes it", async () => {
  const { page } = await look(browser, server);
  await isWatching(page);
  await server.toChannel("lobby").push({ event: "nested", data: { order: { id: 7, paid: true } } });
  await row(page, "message", "nested").click();
  const inspector = page.getByRole("complementary", { name: "Inspector" });
  await inspector.waitFor();
  const shown = inspector.getByLabel("Payload", { exact: true });
  expect(await shown.textContent()).toBe('{\n  "order": {\n    "id": 7,\n    "paid": true\n  }\n}');
  const time = await inspector.locator("time").first().getAttribute("title");
  expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  expect(await inspector.getByRole("link", { name: "lobby" }).getAttribute("href")).toBe(
    "#/channel?app=app&name=lobby",
  );
  await page.keyboard.press("Escape");
  expect(await inspector.count()).toBe(0);

  await server.toChannel("lobby").push({ event: "long", data: { text: "word ".repeat(1_500) } });
  await row(page, "message", "long").click();
  await shows(page, ".inspector", "Cut: the first");

  // The arrow keys lead from one to the next.
  await page.getByRole("listbox").focus();
  await page.keyboard.press("ArrowDown");
  await shows(page, ".inspector", "nested");
});

test("at thousands of events a second it samples and says so, and the page stays small and quick", async () => {
  const { page } = await look(browser, server);
  await isWatching(page);
  const busy = { is: true };
  const flood = (async () => {
    for (let turn = 0; busy.is; turn++) {
      const pushes = Array.from({ length: 250 }, (_, at) =>
        server.toChannel(`flood-${at % 40}`).push({ event: "tick", data: turn }),
      );
      await Promise.all(pushes);
      await Bun.sleep(50);
    }
  })();
  try {
    await shows(page, ".sampling", "a sample. Narrow the filter to see all.");
    await page.waitForFunction(
      () => Number(/([\d,]+) seen/.exec(document.body.textContent ?? "")?.[1]?.replaceAll(",", "")) > 2_200,
    );
    const frames = await page.evaluate(countFrames);
    const rows = await page.locator(".row-line").count();
    expect(rows).toBeLessThan(80);
    expect(await page.locator(".row-line").first().getAttribute("aria-setsize")).toBe("2000");
    // Sixty on an idle machine; this one may be doing much else.
    expect(frames).toBeGreaterThan(10);
    await page.getByRole("button", { name: "Pause" }).click();
    await shows(page, ".console-foot", "Paused");
  } finally {
    busy.is = false;
    await flood;
  }
});

test("when the server goes away the page says so, and is live again by itself when it is back", async () => {
  const first = await startWithDashboard();
  const { page } = await look(browser, first);
  const { port } = first;
  await first.stop();
  await shows(page, ".live", "Offline");
  await startWithDashboard({ port });
  await isLive(page);
  expect(await page.getByRole("heading", { name: "Console" }).isVisible()).toBe(true);
});

/** In two seconds. */
function countFrames(): Promise<number> {
  return new Promise((resolve) => {
    let frames = 0;
    const began = performance.now();
    const next = (now: number) => {
      frames++;
      if (now - began < 2_000) requestAnimationFrame(next);
      else resolve(frames);
    };
    requestAnimationFrame(next);
  });
}
