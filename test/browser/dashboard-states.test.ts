/** The dashboard where something is slow, broken or away: it says so at its place, and the rest goes on. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { openBrowser } from "../support/chromium.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { isLive, look, openPageOf, shows, startWithDashboard, TEST_MS } from "./dashboard.ts";
import { startProxy } from "./proxy.ts";

setDefaultTimeout(TEST_MS);

const browser = await openBrowser();

test("what takes long is a row of the height of what comes, and what fails says so and is asked for again", async () => {
  const server = await startWithDashboard();
  let answer = Promise.withResolvers<Response | undefined>();
  const proxy = startProxy(server, "/x", async (pathname) =>
    pathname.endsWith("/api/audit") ? await answer.promise : undefined,
  );
  const { page } = await look(browser, proxy, { prefix: "/x", place: "settings?tab=audit" });
  await page.locator(".skeleton").first().waitFor();
  expect(await page.locator(".waiting").textContent()).toBe("Loading…");
  answer.resolve(Response.json({ error: { code: "unavailable", message: "The database is away." } }, { status: 503 }));
  await shows(page, ".failure", "The database is away.");
  expect(await page.locator(".skeleton").count()).toBe(0);
  answer = Promise.withResolvers();
  answer.resolve(undefined);
  await page.getByRole("button", { name: "Retry" }).click();
  await shows(page, "table", "session.start");
  expect(await page.locator(".failure").count()).toBe(0);
});

test("while the server is away a banner says since when, what was shown stays, and nothing can be changed", async () => {
  const server = await startWithDashboard();
  const client = await connectPusher(server.url);
  await client.subscribe("private-orders");
  const { page } = await look(browser, server, { place: "channels" });
  await page.getByRole("link", { name: "private-orders" }).waitFor();
  const { port } = server;
  await server.stop();
  const banner = await shows(page, ".offline", "The server cannot be reached since ");
  expect(banner).toMatch(/since \d\d:\d\d:\d\d\. What you see is from then\.\s+(Next attempt in \d+ s\.|Trying…)/);
  expect(await page.getByRole("link", { name: "private-orders" }).count()).toBe(1);
  const send = page.getByRole("button", { name: "Send event" });
  expect([await send.isDisabled(), await send.getAttribute("title")]).toEqual([
    true,
    "Offline: the server cannot be reached.",
  ]);
  await openPageOf(page, "Overview");
  await page.getByRole("button", { name: "Retry now" }).click();
  await startWithDashboard({ port });
  await isLive(page);
  expect(await page.locator(".offline").count()).toBe(0);
});
