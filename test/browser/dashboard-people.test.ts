/** People in the dashboard: who is connected, one user, one connection, and what an operator does with them. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { USERS } from "../admin/visitor.ts";
import { openBrowser } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative, makeToken } from "../support/native-client.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { look, openPageOf, PATIENCE_MS, shows, startWithDashboard, TEST_MS } from "./dashboard.ts";

setDefaultTimeout(TEST_MS);

const CHROME = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36";
const JS = { query: "protocol=7&client=js&version=8.4.0", headers: { "user-agent": CHROME } };

const browser = await openBrowser();

test("the list has a name first, the id second, what happened last; others are counted, and search finds by name", async () => {
  const server = await startWithDashboard();
  const token = await makeToken({ sub: "42", info: { name: "Grace" } });
  const grace = await connectNative(server.url, { token });
  await grace.subscribe("orders");
  await grace.ask("subscribe", { channel: "private-x" });
  await (await connectPusher(server.url)).subscribe("presence-room", {
    data: { user_id: "7", user_info: { name: "Linus" } },
  });
  await connectPusher(server.url);
  const { page, errors, violations } = await look(browser, server, { place: "people" });
  const row = page.getByRole("row", { name: /Grace 42/ });
  await row.getByText("refused private-x").waitFor();
  const segment = page.getByRole("group", { name: "What is listed" });
  for (const [name, count] of [
    ["Users", 2],
    ["Connections", 3],
    ["Anonymous", 1],
  ] as const)
    await segment.getByRole("button", { name: `${name} ${count}` }).waitFor();
  await page.getByLabel("Name, user id, connection id or address").fill("lin");
  await eventually(async () => expect(await page.getByRole("row").count()).toBe(2), { withinMs: PATIENCE_MS });
  expect(new URL(page.url()).hash).toBe("#/people?search=lin");
  await page.getByLabel("Name, user id, connection id or address").fill("nobody of this name");
  await page.getByRole("button", { name: "Show all users" }).click();
  await row.waitFor();
  await segment.getByRole("button", { name: "Anonymous" }).click();
  await eventually(async () => expect(await page.getByRole("row").count()).toBe(2), { withinMs: PATIENCE_MS });
  expect([errors, await violations()]).toEqual([[], []]);
});

test("a user's page has the connections, lanes with how they ended, channels, info, and by what it is known", async () => {
  const server = await startWithDashboard();
  const token = await makeToken({ sub: "42", info: { name: "Grace", team: "navy" }, channels: ["private-a.*"] });
  const gone = await connectNative(server.url, { token });
  await gone.close();
  const client = await connectNative(server.url, { token, headers: { "user-agent": CHROME } });
  await client.subscribe("orders");
  await client.ask("subscribe", { channel: "private-x" });
  const { page, errors, violations } = await look(browser, server, { place: "people" });
  await page.getByRole("link", { name: "Grace" }).click();
  await shows(page, ".entity-head", "User 42 of");
  const lane = (state: string) => page.getByRole("img", { name: new RegExp(`${state}, from`) });
  await lane("open").waitFor();
  await lane("ended").waitFor();
  await shows(page, ".lanes", "native · Chrome 142, macOS");
  await shows(page, "table", client.id);
  await shows(page, "section[aria-labelledby=refused]", "1 lately");
  await shows(page, "section[aria-labelledby=user-channels]", "orders");
  await shows(page, "section[aria-label=Info]", '"team": "navy"');
  const known = await shows(page, "section[aria-labelledby=signed-in-by]", "Token (JWT)");
  expect(known).toContain("1 of 1");
  expect(known).toContain("private-a.*");
  await page.getByRole("link", { name: "All in console" }).click();
  await page.getByRole("heading", { level: 1, name: "Console" }).waitFor();
  expect(new URL(page.url()).hash).toContain("user=42");
  expect([errors, await violations()]).toEqual([[], []]);
});

test("a user is kicked and banned, the ban ended, and asked to reconnect, each after a question with its count", async () => {
  const server = await startWithDashboard();
  const token = await makeToken({ sub: "42", info: { name: "Grace" } });
  const client = await connectNative(server.url, { token });
  await client.subscribe("hall");
  const { page } = await look(browser, server, { place: "user?app=app&id=42" });
  const dialog = page.getByRole("dialog");
  await page.getByRole("button", { name: "hall: Kick" }).click();
  await dialog.getByLabel("Afterwards").selectOption({ label: "Ban for 10 minutes" });
  await dialog.getByRole("button", { name: "Kick and ban from hall" }).click();
  await client.next("unsubscribed");
  await shows(page, "section[aria-labelledby=bans]", "hall until");
  expect((await client.ask("subscribe", { channel: "hall" })).event).toBe("error");
  await page.locator("section[aria-labelledby=bans]").getByRole("button").click();
  await dialog.getByRole("button", { name: "End the ban from hall" }).click();
  await page.locator("section[aria-labelledby=bans]").waitFor({ state: "detached" });
  await client.subscribe("hall");
  await page.getByRole("button", { name: "Subscribe…" }).click();
  await dialog.getByLabel("Channel").fill("news");
  await dialog.getByLabel("Connections of the next day, too").check();
  await dialog.getByRole("button", { name: "Subscribe 1 connection" }).click();
  expect(await client.next("subscribed")).toMatchObject({ channel: "news", by: "server" });
  await page.getByRole("button", { name: "news: Kick" }).click();
  await dialog.getByLabel("Afterwards").selectOption({ label: "Is not put there any more (unsubscribe)" });
  await dialog.getByRole("button", { name: "Unsubscribe from news" }).click();
  expect(await client.next("unsubscribed")).toMatchObject({ channel: "news", code: "unsubscribed" });
  await page.getByRole("button", { name: "Reconnect…" }).click();
  await dialog.getByRole("button", { name: "Reconnect 1 connection" }).click();
  expect(await client.next("closing")).toMatchObject({ code: "reconnect" });
});

test("a connection's page says which client it is, how long a ping takes, and pauses its frames", async () => {
  const server = await startWithDashboard({ limits: { readerLagS: 3 } });
  const client = await connectPusher(server.url, JS);
  await client.subscribe("lobby");
  const { page, errors } = await look(browser, server, { place: `connection?app=app&id=${client.socketId}` });
  await shows(page, ".entity-head", "pusher-js 8.4.0 · Chrome 142, macOS");
  await shows(page, ".strip", "the last ping");
  await eventually(
    async () => {
      await server.toChannel("lobby").push({ event: "hello", data: 1 });
      await page.locator(".frames").getByText("hello").first().waitFor({ timeout: 500 });
    },
    { withinMs: PATIENCE_MS },
  );
  await page.getByRole("button", { name: "Pause" }).click();
  await eventually(
    async () => {
      await server.toChannel("lobby").push({ event: "later", data: 1 });
      await page.getByRole("button", { name: /Resume, \d+ new/ }).waitFor({ timeout: 500 });
    },
    { withinMs: PATIENCE_MS },
  );
  expect(await page.locator(".frames").textContent()).not.toContain("later");
  await page.getByRole("button", { name: "lobby: Kick" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Kick from lobby" }).click();
  await shows(page, "section[aria-labelledby=its-channels]", "It is in no channel.");
  expect(errors).toEqual([]);
});

test("who may only look sees disabled buttons, which say the role that they need", async () => {
  const server = await startWithDashboard({ dashboard: { users: USERS } });
  const client = await connectNative(server.url, { token: await makeToken({ sub: "42" }) });
  await client.subscribe("hall");
  const { page } = await look(browser, server, { isOutside: true, place: "user?app=app&id=42" });
  await page.getByLabel("Name").fill("vera");
  await page.getByLabel("Password").fill("only looking");
  await page.keyboard.press("Enter");
  for (const name of ["Terminate…", "Reconnect…", "hall: Kick…"]) {
    const button = page.getByRole("button", { name });
    await button.waitFor();
    expect(await button.isDisabled()).toBe(true);
    expect(await button.getAttribute("title")).toBe("Needs the role operate; yours is view.");
  }
});

test("an address without the app finds it, and says where there is no such user", async () => {
  const apps = ["one", "two"].map((id) => ({ id, key: `key-${id}`, secret: `secret-${id}` }));
  const server = await startWithDashboard({ apps });
  await connectNative(server.url, { app: "key-two", token: await makeToken({ sub: "42" }, "secret-two") });
  const { page } = await look(browser, server, { place: "user?id=42" });
  await shows(page, ".entity-head", "User 42 of two");
  await page.goto(page.url().replace(/#.*/, "#/user?id=nobody"));
  await shows(page, "main", "Nobody of this id is connected");
});

test("an empty list leads to connecting an app, and a page of many to the next", async () => {
  const server = await startWithDashboard({ apps: [{ ...APP, anonymous: true }] });
  const { page } = await look(browser, server, { place: "people" });
  await page.getByRole("main").getByRole("link", { name: "Connect an app" }).waitFor();
  for (let at = 0; at < 105; at++) {
    await connectNative(server.url, { token: await makeToken({ sub: `user-${String(at).padStart(3, "0")}` }) });
  }
  await page.getByRole("link", { name: "Next page" }).click();
  await eventually(async () => expect(await page.getByRole("row").count()).toBe(6), { withinMs: PATIENCE_MS });
  await page.getByRole("link", { name: "First page" }).click();
  await page.getByRole("link", { name: "user-000" }).waitFor();
  await openPageOf(page, "Overview");
});

// Not a test of the page: it makes files of this repository, and is asked for by name.
if (process.env.FANFARE_SCREENSHOTS === "1") test("the pictures of people in the docs are taken anew", takePictures);

async function takePictures(): Promise<void> {
  const receiver = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: answerOf });
  const server = await startWithDashboard({
    apps: [{ ...APP, name: "Shop", webhooks: receiversAt(receiver.port) }],
    webhooks: { allowPrivate: true, retryForS: 1 },
  });
  const users = ["Ada", "Grace", "Linus", "Margaret", "Barbara", "Tim"].map((name, at) => [name, String(at * 31 + 42)]);
  for (const [name, sub] of users) {
    const token = await makeToken({ sub: sub ?? "", info: { name, role: "agent" }, channels: ["private-*"] });
    const client = await connectNative(server.url, { token, headers: { "user-agent": CHROME } });
    await client.subscribe("orders");
    await client.subscribe(`private-user.${sub}`);
    if (name !== "Grace") continue;
    await client.ask("subscribe", { channel: "presence-ticket.2204" });
    const member = { user_id: sub, user_info: { name } };
    await (await connectPusher(server.url, JS)).subscribe("presence-ticket.2204", { data: member });
    await (await connectNative(server.url, { token })).close();
    await (await connectPusher(server.url, JS)).signin({ id: sub ?? "", user_info: { name, role: "agent" } });
  }
  await connectPusher(server.url, JS);
  for (const [name, place, looks] of PLACES) {
    for (const [suffix, size, colors] of LOOKS.slice(0, looks)) {
      const { page } = await look(browser, server, { place, colors, ...size });
      await page.locator("main table").first().waitFor();
      await page.waitForTimeout(1_500);
      await page.screenshot({ path: join(PICTURES, `dashboard-${name}${suffix}.png`) });
      await page.close();
    }
  }
  await receiver.stop(true);
}

/** One of the receivers is broken. */
function answerOf({ url }: Request): Response {
  return new Response(null, { status: url.endsWith("/orders") ? 500 : 200 });
}

const PICTURES = join(import.meta.dir, "..", "..", "docs", "images");
const LOOKS = [
  ["", { width: 1440, height: 900 }, "light"],
  ["-phone", { width: 390, height: 844 }, "light"],
  ["-dark", { width: 1440, height: 900 }, "dark"],
  ["-phone-dark", { width: 390, height: 844 }, "dark"],
] as const;
/** With how many of the looks. */
const PLACES = [
  ["people", "people", 4],
  ["people-user", "user?app=app&id=73", 2],
  ["webhooks", "webhooks", 1],
] as const;

function receiversAt(port: number | undefined) {
  const at = (path: string, event: "channel_occupied" | "member_added" | "client_event") => {
    return { url: `http://127.0.0.1:${port}/${path}`, events: [event] };
  };
  return [at("orders", "channel_occupied"), at("presence", "member_added"), at("audit", "client_event")];
}
