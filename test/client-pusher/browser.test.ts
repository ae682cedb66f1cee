/** `recover` in a real browser: Echo and its hooks, a page that is frozen, one that sleeps, one that is offline. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { createPublisher } from "@fanfare/publisher";
import type { Page } from "playwright-core";
import { atEnd } from "../support/at-end.ts";
import { openBrowser } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { APP, startServer } from "../support/server.ts";
import { startProxy, type TcpProxy } from "../support/tcp-proxy.ts";

setDefaultTimeout(90_000);
const PATIENCE = { withinMs: 30_000, everyMs: 50 };

const server = await startServer({}, { channels: [{ match: "*", history: { size: 100 } }] });
const publisher = createPublisher({ url: server.url, appId: APP.id, key: APP.key, secret: APP.secret });
const site = await startSite();
const browser = await openBrowser();

async function startSite(): Promise<string> {
  const built = await Bun.build({
    entrypoints: [join(import.meta.dir, "programs", "page.ts")],
    target: "browser",
    define: { "process.env.NODE_ENV": '"development"' },
  });
  const script = (await built.outputs[0]?.text()) ?? "";
  const html =
    '<!doctype html><meta charset="utf-8"><title>A page</title><body><script type="module" src="/page.js"></script>';
  const http = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    routes: {
      "/": () => new Response(html, { headers: { "Content-Type": "text/html" } }),
      "/page.js": () => new Response(script, { headers: { "Content-Type": "text/javascript" } }),
      "/favicon.ico": () => new Response(null, { status: 204 }),
      "/auth": async (request) => {
        const { connectionId, channels } = await request.json();
        return Response.json(await publisher.authorize(connectionId, channels, { allow: () => true }));
      },
    },
  });
  atEnd(() => http.stop(true));
  return `http://127.0.0.1:${http.port}/`;
}

async function openPage(proxy: TcpProxy, query: Readonly<Record<string, string>>, prepare = async (_: Page) => {}) {
  const context = await browser.newContext();
  atEnd(() => context.close());
  const page = await context.newPage();
  await prepare(page);
  await page.goto(`${site}?${new URLSearchParams({ key: APP.key, port: String(proxy.port), ...query })}`);
  return { context, page, log: () => page.evaluate<unknown[]>("log") };
}

async function publish(channel: string, number: number): Promise<void> {
  await server.toChannel(channel).push({ event: "number", data: number });
}

async function isSubscribed(page: Page): Promise<void> {
  await eventually(async () => expect(await page.evaluate("isSubscribed()")).toBe(true), PATIENCE);
}

test("Echo hears in a private channel what was missed, after the event that says so; one request asks for permission (A56)", async () => {
  const proxy = await startProxy(server.port);
  const { page, log } = await openPage(proxy, { page: "echo", channel: "orders", private: "" });
  await isSubscribed(page);
  await publish("private-orders", 1);
  await eventually(async () => expect(await log()).toEqual([1]), PATIENCE);
  proxy.cut();
  await publish("private-orders", 2);
  await publish("private-orders", 3);
  proxy.mend();
  await eventually(async () => expect(await log()).toEqual([1, "recovered", 2, 3]), PATIENCE);
});

test.each(["react", "vue"])(
  "a component of %s with Laravel's hook shows each event once, over a cut, too",
  async (framework) => {
    const channel = `of-${framework}`;
    const proxy = await startProxy(server.port);
    const { page } = await openPage(proxy, { page: framework, channel });
    const heard = async () => await page.locator("#heard").textContent();
    await eventually(async () => expect((await server.channel(channel).info())?.subscribers).toBe(1), PATIENCE);
    await publish(channel, 1);
    await eventually(async () => expect(await heard()).toBe("1"), PATIENCE);
    proxy.cut();
    await publish(channel, 2);
    proxy.mend();
    await eventually(async () => expect(await heard()).toBe("1 2"), PATIENCE);
    await publish(channel, 3);
    await eventually(async () => expect(await heard()).toBe("1 2 3"), PATIENCE);
  },
);

test("after ten suspends, each with late timers and a line that is dead without an event, nothing has failed or is lost", async () => {
  const proxy = await startProxy(server.port);
  const { page, log } = await openPage(proxy, { page: "echo", channel: "phone" }, (it) => it.clock.install());
  await isSubscribed(page);
  const expected: unknown[] = [];
  for (let suspend = 1; suspend <= 10; suspend++) {
    proxy.strand();
    await publish("phone", suspend);
    expected.push("recovered", suspend);
    // Timers run late and once, as when a phone wakes up; what follows takes seconds that need not pass.
    await page.clock.fastForward(60_000);
    await eventually(async () => {
      await page.clock.runFor(500);
      expect(await log()).toEqual(expected);
    }, PATIENCE);
  }
});

test("a page that its browser thaws after its line died hears what it missed soon after", async () => {
  const proxy = await startProxy(server.port);
  const { page, log } = await openPage(proxy, { page: "echo", channel: "frozen" });
  await isSubscribed(page);
  proxy.strand();
  await publish("frozen", 1);
  // Headless Chromium does not freeze pages. This is the event with which one goes on.
  await page.evaluate("document.dispatchEvent(new Event('resume'))");
  await eventually(async () => expect(await log()).toEqual(["recovered", 1]), PATIENCE);
});

test("a page that was offline hears what it missed when it is online again", async () => {
  const proxy = await startProxy(server.port);
  const { context, page, log } = await openPage(proxy, { page: "echo", channel: "offline" });
  await isSubscribed(page);
  await context.setOffline(true);
  proxy.cut();
  await eventually(async () => expect(await page.evaluate("stateOf()")).not.toBe("connected"), PATIENCE);
  await publish("offline", 1);
  proxy.mend();
  await context.setOffline(false);
  await eventually(async () => expect(await log()).toEqual(["recovered", 1]), PATIENCE);
});
