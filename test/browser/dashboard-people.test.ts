/** People in the dashboard: who is connected, one user, one connection, and what an operator does with them. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { USERS } from "../admin/visitor.ts";
import { openBrowser } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative, makeToken } from "../support/native-client.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { look, openPageOf, PATIENCE_MS, shows, startWithDashboard, TEST_MS } from "./dashboard.ts";
import { takePeoplePictures } from "./people-pictures.ts";

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
  await shows(page, ".lanes", "left: 1000");
  const refusal = page.locator("tr.is-refused", { hasText: "private-x" });
  await refusal.locator(".type", { hasText: "refused" }).waitFor();
  await refusal.getByText("No permission").waitFor();
  await shows(page, "table", client.id);
  await shows(page, "section[aria-labelledby=refused]", "1 lately");
  await shows(page, "section[aria-labelledby=refused]", "No permission in private-x");
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

test("an event is sent to a user's connections, from the user's page", async () => {
  const server = await startWithDashboard();
  const client = await connectPusher(server.url);
  await client.signin({ id: "42", user_info: { name: "Grace" } });
  const { page } = await look(browser, server, { place: "user?app=app&id=42" });
  await page.getByRole("button", { name: "Send to user" }).click();
  const form = page.getByRole("form", { name: "Event" });
  await form.getByLabel("Event").fill("notification");
  await form.getByRole("button", { name: "Send", exact: true }).click();
  const { data } = await client.socket.next("notification");
  expect(data).toContain("hello");
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
  await client.signin({ id: "42", user_info: { name: "Grace" } });
  await client.subscribe("lobby");
  const { page, errors } = await look(browser, server, { place: `connection?app=app&id=${client.socketId}` });
  await shows(page, ".entity-head", "pusher-js 8.4.0 · Chrome 142, macOS");
  await shows(page, ".page-head", "Grace");
  await shows(page, ".strip", "protocol Pusher");
  await shows(page, ".strip", "the last ping");
  await eventually(
    async () => {
      await server.toChannel("lobby").push({ event: "hello", data: 1 });
      await page.locator(".frames").getByText("hello").first().waitFor({ timeout: 500 });
    },
    { withinMs: PATIENCE_MS },
  );
  const frame = page.locator(".frames li", { hasText: "hello" }).first();
  expect(await frame.locator(".direction").textContent()).toBe("to client");
  expect(await frame.locator(".what").allTextContents()).toEqual(["hello", "lobby", "1"]);
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
if (process.env.FANFARE_SCREENSHOTS === "1") {
  test("the pictures of people in the docs are taken anew", () => takePeoplePictures(browser), 600_000);
}
