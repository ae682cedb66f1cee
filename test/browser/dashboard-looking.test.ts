/** The dashboard's pages for looking: connections, charts, nodes. All of it by clicking. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { openBrowser } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { connectAs } from "../support/native-client.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { look, openPageOf, PATIENCE_MS, shows, startWithDashboard, TEST_MS } from "./dashboard.ts";

setDefaultTimeout(TEST_MS);

const browser = await openBrowser();
const server = await startWithDashboard({ statistics: { intervalS: 1 } });

test("a connection's page has who and how it is, its channels, and its frames as they pass", async () => {
  const client = await connectAs(server.url, "linus", { info: { team: "kernel" } });
  await client.subscribe("lobby");
  const { page } = await look(browser, server);
  await openPageOf(page, "People");
  await page.getByRole("button", { name: "Connections" }).click();
  await page.getByLabel("Name, user id, connection id or address").fill("linus");
  await eventually(async () => expect(await page.getByRole("row").count()).toBe(2), { withinMs: PATIENCE_MS });
  await page.getByRole("row").nth(1).getByRole("link", { name: client.id }).click();
  await shows(page, ".entity-head", "linus");
  await shows(page, ".entity-head", "127.0.0.1");
  const facts = await shows(page, ".strip", "Native");
  for (const fact of ["empty", "From client", "To client", "Round trip"]) expect(facts).toContain(fact);
  await shows(page, "section[aria-labelledby=its-channels]", "lobby");
  await shows(page, "main", '"team": "kernel"');
  await eventually(
    async () => {
      await server.toChannel("lobby").push({ event: "to-linus", data: "frame" });
      client.socket.send({ event: "ping" });
      expect(await page.locator(".frames").textContent()).toContain("to-linus");
      expect(await page.locator(".frames li", { hasText: "from client" }).locator(".what").allTextContents()).toContain(
        "ping",
      );
    },
    { withinMs: PATIENCE_MS, everyMs: 300 },
  );
  await client.close();
  await shows(page, "main", "This connection has ended.");
});

test("an address of a connection that is nowhere says so", async () => {
  const { page } = await look(browser, server, { place: "connection?app=app&id=1.2" });
  await shows(page, "main", "No node has this connection");
});

test("nodes are listed with their load", async () => {
  const { page } = await look(browser, server);
  await openPageOf(page, "Nodes");
  const card = await shows(page, ".node", "this one");
  for (const fact of ["Connections", "Event loop lag", "ms", "Up for", "Last heartbeat"]) expect(card).toContain(fact);
  // A machine that runs other tests beside this one may be busy for a moment.
  expect(card).toMatch(/\n(up|overloaded)\n/);
});

test("the chosen app stays in the address, from page to page", async () => {
  const { page } = await look(browser, server);
  await page.getByLabel("App", { exact: true }).selectOption("app");
  await openPageOf(page, "Channels");
  expect(new URL(page.url()).hash).toBe("#/channels?app=app");
  await page.reload();
  expect(await page.getByLabel("App", { exact: true }).inputValue()).toBe("app");
  await page.getByLabel("App", { exact: true }).selectOption("");
  expect(new URL(page.url()).hash).toBe("#/channels");
});

test("with several apps and none chosen, all of them are listed together, and an address finds its app", async () => {
  const several = await startWithDashboard({
    apps: [
      { id: "one", key: "key-one", secret: "s" },
      { id: "two", key: "key-two", secret: "s" },
    ],
  });
  const apps = ["one", "two"].map((id) => ({ id, key: `key-${id}`, secret: "s" }));
  for (const app of apps) await (await connectPusher(several.url, { app })).subscribe(`of-${app.id}`);
  const { page } = await look(browser, several, { place: "channels" });
  for (const { id } of apps) await page.getByRole("row", { name: `of-${id} ${id}` }).waitFor();
  await openPageOf(page, "People");
  await page.getByRole("button", { name: "Anonymous" }).click();
  await eventually(async () => expect(await page.getByRole("row").count()).toBe(3), { withinMs: PATIENCE_MS });
  await page.goto(page.url().replace(/#.*/, "#/channel?name=of-two"));
  await page.getByText("Subscribers").first().waitFor();
  expect(new URL(page.url()).hash).toBe("#/channel?name=of-two&app=two");
});
