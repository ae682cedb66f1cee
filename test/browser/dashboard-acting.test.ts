/** What can be done with the dashboard: send, disconnect, edit apps, replay webhooks, drain, explain. All of it by clicking. */

import { expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import type { Server } from "../../packages/server/src/index.ts";
import { startOutbox } from "../outbox/databases.ts";
import { atEnd } from "../support/at-end.ts";
import { openBrowser } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { connectAs } from "../support/native-client.ts";
import { channelAuth, connectPusher, sign } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { sqliteFile } from "../support/sqlite.ts";
import { isLive, look, openPageOf, openSend, PATIENCE_MS, shows, startWithDashboard, TEST_MS } from "./dashboard.ts";

setDefaultTimeout(TEST_MS);

const browser = await openBrowser();
const server = await startWithDashboard();

async function confirm(page: Page, verb: string): Promise<void> {
  await page.getByRole("dialog").getByRole("button", { name: verb, exact: true }).click();
}

test("an event is made, looked at as JSON, sent to clients, and sent again from the history (B32)", async () => {
  const client = await connectPusher(server.url);
  await client.subscribe("lobby");
  const { page } = await look(browser, server);
  const form = await openSend(page);
  await form.getByLabel("Channel").fill("lobby");
  await form.getByLabel("Event").fill("made-here");
  await form.getByLabel("Data").fill('{\n  "n": 1,\n  oops\n}');
  await shows(page, "#json-check", "line 3, column 3");
  expect(await form.getByRole("button", { name: "Send as text" }).isVisible()).toBe(true);
  await form.getByLabel("Data").fill('{"n":1}');
  await shows(page, "#json-check", "JSON object, 7 B");
  await form.getByRole("button", { name: "Format" }).click();
  expect(await form.getByLabel("Data").inputValue()).toBe('{\n  "n": 1\n}');
  await form.getByRole("button", { name: "Send", exact: true }).click();
  expect(JSON.parse(String((await client.next("made-here")).data))).toEqual({ n: 1 });
  await shows(page, ".notices", "Sent made-here to lobby.");

  await page.reload();
  await isLive(page);
  await page.getByRole("heading", { name: "Console" }).click();
  await page.keyboard.press("e");
  await page.getByRole("button", { name: "made-here to lobby" }).click();
  expect(await form.getByLabel("Channel").inputValue()).toBe("lobby");
  await page.keyboard.press("Tab");
  await form.getByLabel("Event").press("Control+Enter");
  await client.next("made-here");

  await form.getByLabel("Channel").fill("no spaces allowed");
  await form.getByRole("button", { name: "Send", exact: true }).click();
  await page.getByRole("alert").waitFor();
  await page.getByRole("button", { name: "Forget" }).click();
  await shows(page, "section[aria-labelledby=history]", "Nothing yet");
});

test("a connection is disconnected, and a user terminated, after a question", async () => {
  const one = await connectPusher(server.url);
  const { page } = await look(browser, server, { place: `connection?app=app&id=${one.socketId}` });
  await page.getByRole("button", { name: "Disconnect" }).click();
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await one.ping();
  await page.getByRole("button", { name: "Disconnect" }).click();
  await confirm(page, "Disconnect 1 connection");
  expect(await one.socket.closed).toMatchObject({ code: 4009 });
  await shows(page, "main", "This connection has ended.");

  const clients = [await connectAs(server.url, "mallory"), await connectAs(server.url, "mallory")];
  await openPageOf(page, "People");
  await page.getByRole("link", { name: "mallory" }).click();
  await page.getByRole("button", { name: "Terminate" }).click();
  await confirm(page, "Terminate 2 connections");
  for (const { socket } of clients) expect(await socket.closed).toMatchObject({ code: 4009 });
});

test("an app is made, its secret shown once; its limits set, its secret rotated; it is disabled and deleted", async () => {
  const { page } = await look(browser, server);
  await openPageOf(page, "Apps & keys");
  await shows(page, "main", "configuration file");
  await page.getByRole("button", { name: "New app" }).click();
  await page.getByLabel("Name").fill("Shop");
  await page.getByLabel("Id").fill("shop");
  await page.getByRole("dialog").getByLabel("Key").fill("shop-key");
  await page.getByLabel("Clients may send events").check();
  await confirm(page, "Create");
  const secret = (await page.locator(".secret code").nth(2).textContent()) ?? "";
  expect(secret.length).toBeGreaterThan(15);
  await confirm(page, "Done");
  expect(await page.content()).not.toContain(secret);

  const shop = { id: "shop", key: "shop-key", secret };
  const client = await eventually(() => connectPusher(server.url, { app: shop }), { withinMs: PATIENCE_MS });
  await client.subscribe("private-orders");

  await page.getByRole("link", { name: "Shop" }).click();
  await page.getByLabel("channels per connection").fill("1");
  await page.getByRole("button", { name: "Save limits" }).click();
  await shows(page, ".notices", "Saved.");
  const limit = () => server.apps.find(({ id }) => id === "shop")?.limits.channelsPerConnection;
  await eventually(() => expect(limit()).toBe(1), { withinMs: PATIENCE_MS });

  await page.getByRole("button", { name: "Rotate secret" }).click();
  await confirm(page, "Rotate");
  const rotated = (await page.locator(".secret code").nth(2).textContent()) ?? "";
  expect(rotated).not.toBe(secret);
  await confirm(page, "Done");
  const secrets = () => server.apps.find(({ id }) => id === "shop")?.secrets;
  await eventually(() => expect(secrets()).toEqual([rotated, secret]), { withinMs: PATIENCE_MS });

  await page.getByRole("button", { name: "Disable" }).click();
  await confirm(page, "Disable");
  expect(await client.socket.closed).toMatchObject({ code: 4003 });
  await page.getByRole("button", { name: "Enable" }).click();
  await eventually(async () => (await connectPusher(server.url, { app: shop })).close(), { withinMs: PATIENCE_MS });

  await page.getByRole("button", { name: "Delete" }).click();
  const sure = page.getByRole("dialog").getByRole("button", { name: "Delete" });
  expect(await sure.isDisabled()).toBe(true);
  await page.getByRole("dialog").getByRole("textbox").fill("shop");
  await sure.click();
  await eventually(() => expect(server.apps.map(({ id }) => id)).toEqual([APP.id]), { withinMs: PATIENCE_MS });
  await shows(page, ".page-head", "Apps");

  // All of that was written down, and no secret with it.
  await openPageOf(page, "Audit log");
  const log = await shows(page, "table", "app.create");
  for (const what of ["app.rotate", "app.remove"]) await shows(page, "table", what);
  expect(log).not.toContain(secret);
});

test("an app of the configuration can be looked at, and says where it is changed", async () => {
  const { page } = await look(browser, server, { place: "app?app=app" });
  await shows(page, "main", "written in the server's configuration");
  expect(await page.getByRole("button", { name: "Delete" }).count()).toBe(0);
  expect(await page.content()).not.toContain(APP.secret);
});

test("a webhook that nobody took is listed with the reason, and sent again (scenario 43)", async () => {
  const receiver = startReceiver();
  const webhooks = [{ url: `${receiver.url}/hook`, events: ["channel_occupied"] as const }];
  const telling = await startWithDashboard({
    apps: [{ ...APP, webhooks: webhooks.map(({ url, events }) => ({ url, events: [...events] })) }],
    webhooks: { allowPrivate: true, retryForS: 1 },
  });
  const client = await connectPusher(telling.url);
  await client.subscribe("told");
  const { page } = await look(browser, telling);
  await openPageOf(page, "Webhooks");
  await shows(page, ".deliveries", "told");
  await shows(page, ".deliveries", "500");
  receiver.mend();
  await page.getByRole("button", { name: "Retry", exact: true }).click();
  await eventually(() => expect(receiver.taken.join()).toContain("channel_occupied"), { withinMs: PATIENCE_MS });
  await shows(page, "main", "No failed deliveries");
});

test("a row of an outbox that could not be published is listed with the reason, and tried again", async () => {
  const outbox = await startOutbox(sqliteFile());
  const limits = { eventDataBytes: 10 };
  const reading = await startWithDashboard({
    apps: [{ ...APP, limits }],
    outbox: [{ ...outbox.config, name: "shop", app: APP.id }],
  });
  const { page } = await look(browser, reading);
  await openPageOf(page, "Webhooks");
  await shows(page, "section[aria-label='Outbox shop']", "No row failed");
  await outbox.insert({ channel: "orders", event: "paid", data: "x".repeat(20) });
  await shows(page, "section[aria-label='Outbox shop']", "paid in orders");
  await shows(page, "section[aria-label='Outbox shop']", "data_too_large");
  await page.getByRole("button", { name: "Retry all" }).click();
  await shows(page, ".notices", "1 row will be published again.");
});

test("the signature explainer says which part differs, and what is right", async () => {
  const { page } = await look(browser, server);
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Search" }).fill("signature debugger");
  await page.keyboard.press("Enter");
  await page.getByLabel("Socket id").fill("123.456");
  await page.getByLabel("Channel", { exact: true }).fill("private-orders");
  await page
    .getByLabel("auth", { exact: false })
    .last()
    .fill(channelAuth(APP, "123.457", "private-orders"));
  await page.getByRole("button", { name: "Explain" }).click();
  const wrong = await shows(page, "[aria-label=Explanation]", "It is refused.");
  expect(wrong).toContain("123.456:private-orders");
  expect(wrong).toContain(sign(APP.secret, "123.456:private-orders"));
  await page
    .getByLabel("auth", { exact: false })
    .last()
    .fill(channelAuth(APP, "123.456", "private-orders"));
  await page.getByRole("button", { name: "Explain" }).click();
  await shows(page, "[aria-label=Explanation]", "It is right");

  await page.getByRole("tab", { name: "API request" }).click();
  await page.getByLabel("Path").fill(`/apps/${APP.id}/events?auth_key=${APP.key}&auth_version=1.0&auth_signature=00`);
  await page.getByRole("button", { name: "Explain" }).click();
  await shows(page, "[aria-label=Explanation]", "auth_timestamp");
});

test("a node is told to drain, after a question, and to take clients again", async () => {
  const leaving = await startWithDashboard();
  const { page } = await look(browser, leaving);
  await openPageOf(page, "Nodes");
  await page.getByRole("button", { name: "Drain" }).click();
  await shows(page, "dialog", "It is the only node");
  await confirm(page, "Drain");
  await eventually(() => isDraining(leaving), { withinMs: PATIENCE_MS });
  await page.getByRole("button", { name: "End draining" }).click();
  const isReady = async () => expect((await fetch(`${leaving.url}/ready`)).status).toBe(200);
  await eventually(isReady, { withinMs: PATIENCE_MS });
});

async function isDraining(server: Server): Promise<void> {
  const status = await fetch(`${server.url}/ready`).then(
    (answer) => answer.status,
    () => 0,
  );
  expect(status).not.toBe(200);
}

interface Receiver {
  readonly url: string;
  readonly taken: readonly string[];
  mend(): void;
}

/** Broken, until it is mended. */
function startReceiver(): Receiver {
  const taken: string[] = [];
  let isBroken = true;
  const http = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      if (isBroken) return new Response("broken", { status: 500 });
      taken.push(await request.text());
      return new Response("taken");
    },
  });
  atEnd(() => http.stop(true));
  return {
    url: `http://127.0.0.1:${http.port}`,
    taken,
    mend: () => {
      isBroken = false;
    },
  };
}
