/** The client in Chromium, Firefox and WebKit, on a real server: what depends on the browser has to hold in each of them. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { BrowserPage } from "../support/browser-page.ts";
import { BROWSERS, type BrowserName } from "../support/browsers.ts";
import { eventually } from "../support/eventually.ts";
import { connectAs } from "../support/native-client.ts";
import { startServer } from "../support/server.ts";
import { startProxy } from "../support/tcp-proxy.ts";
import { type StartOptions, startExpression, startSite } from "./site.ts";

setDefaultTimeout(60_000);

const PATIENCE = { withinMs: 30_000, everyMs: 50 };
const HISTORY = { size: 1_000, ttlS: 600 };

const server = await startServer(
  { http: { sessionTimeoutS: 600 } },
  { channels: [{ match: "*", history: HISTORY, clientPublish: "any" }] },
);
const site = await startSite();
// One after the other: each takes all of a small machine while it starts.
const browsers = new Map<BrowserName, Awaited<ReturnType<(typeof BROWSERS)[BrowserName]>>>();
for (const name of Object.keys(BROWSERS) as BrowserName[]) browsers.set(name, await BROWSERS[name]());

describe.each(Object.keys(BROWSERS) as BrowserName[])("in %s", (name) => {
  const room = (what: string) => `presence-${what}-${name}`;
  const open = async (channel: string, options: Partial<StartOptions> = {}) => {
    const browser = browsers.get(name);
    if (!browser) throw new Error(`${name} is not open`);
    const page = await browser.openPage(site);
    await start(page, channel, options);
    return page;
  };

  test("a page connects, publishes, hears, and sees who comes and goes", async () => {
    const channel = room("talk");
    const page = await open(channel);
    expect(await membersIn(page)).toEqual(["ada"]);
    const bob = await connectAs(server.url, "bob", { channels: ["*"] });
    await bob.subscribe(channel);
    await eventually(async () => expect(await membersIn(page)).toEqual(["ada", "bob"]), PATIENCE);
    await bob.ask("publish", { channel, event: "message", data: "Grüße 👋" });
    await expectHeard(page, ["Grüße 👋"]);
    await page.evaluate(`room.publish("message", { text: "back" })`);
    expect(await bob.next("message")).toMatchObject({ data: { text: "back" }, user: "ada" });
    await bob.close();
    await eventually(async () => expect(await membersIn(page)).toEqual(["ada"]), PATIENCE);
  });

  test("a page hears what it missed while its line was cut, once and in order, and what it said meanwhile arrives once", async () => {
    const channel = room("cut");
    const proxy = await startProxy(server.port);
    const page = await open(channel, { port: proxy.port });
    const bob = await connectAs(server.url, "bob", { channels: ["*"] });
    await bob.subscribe(channel);
    await push(channel, 1);
    await expectHeard(page, [1]);
    proxy.cut();
    await eventually(
      async () => expect(await page.evaluate<string>("client.snapshot.state")).toBe("reconnecting"),
      PATIENCE,
    );
    await push(channel, 2, 3, 4);
    await page.evaluate(`void (window.published = room.publish("message", "from ada"))`);
    proxy.mend();
    await page.evaluate("published.then(() => true)");
    await expectHeard(page, [1, 2, 3, 4]);
    expect(await page.evaluate<unknown>("[heard.map(([, replayed]) => replayed), gaps]")).toEqual([
      [false, true, true, true],
      [],
    ]);
    const said = (await bob.unread()).filter(({ user }) => user === "ada").map(({ data }) => data);
    expect(said).toEqual(["from ada"]);
  });

  test.each(["stream", "poll"] as const)(
    "a page has a %s in place of a WebSocket, and is gone when it is left",
    async (transport) => {
      const channel = room(transport);
      const proxy = await startProxy(server.port);
      const page = await open(channel, { port: proxy.port, transport });
      expect(await page.evaluate<string>("client.snapshot.transport")).toBe(transport);
      const id = await page.evaluate<string>("client.snapshot.id");
      const bob = await connectAs(server.url, "bob", { channels: ["*"] });
      await bob.subscribe(channel);
      await push(channel, 1);
      await expectHeard(page, [1]);
      proxy.cut();
      await push(channel, 2, 3);
      await page.evaluate(`void (window.published = room.publish("message", "from ada"))`);
      proxy.mend();
      await page.evaluate("published.then(() => true)");
      await expectHeard(page, [1, 2, 3]);
      // The same connection, so that nothing was told afterwards.
      expect(await page.evaluate<unknown>("[client.snapshot.id, heard.map(([, replayed]) => replayed), gaps]")).toEqual(
        [id, [false, false, false], []],
      );
      const said = (await bob.unread()).filter(({ user }) => user === "ada").map(({ data }) => data);
      expect(said).toEqual(["from ada"]);
      await page.goto(`${site}elsewhere`);
      expect(await bob.next("member_removed")).toMatchObject({ data: { user: { id: "ada" } } });
    },
  );

  test("a page that is loaded anew hears what came in between, where its storage keeps positions", async () => {
    const channel = room("reload");
    const page = await open(channel, { session: true });
    await push(channel, 1);
    await expectHeard(page, [1]);
    await page.goto(`${site}elsewhere`);
    await push(channel, 2, 3);
    await page.goto(site);
    await start(page, channel, { session: true });
    await expectHeard(page, [2, 3]);
  });

  test("a worker has a client of its own, which misses nothing either", async () => {
    const channel = room("worker");
    const proxy = await startProxy(server.port);
    const page = (await browsers.get(name)?.openPage(site)) as BrowserPage;
    await page.evaluate(await startExpression(channel, { port: proxy.port, user: "ada", inWorker: true }));
    await eventually(async () => expect(await page.evaluate<string>("window.workerState")).toBe("attached"), PATIENCE);
    await push(channel, 1);
    await expectHeard(page, [1]);
    proxy.cut();
    await push(channel, 2);
    proxy.mend();
    await expectHeard(page, [1, 2]);
    await page.evaluate("worker.terminate()");
  });

  test.each([
    [
      "full",
      "for (let size = 2 ** 22; size >= 1; size /= 2) try { while (true) sessionStorage.setItem(Math.random(), 'x'.repeat(size)); } catch {}",
    ],
    [
      "forbidden",
      "Object.defineProperty(window, 'sessionStorage', { get() { throw new DOMException('No.', 'SecurityError'); } });",
    ],
  ])("a page whose storage is %s works all the same", async (_how, spoil) => {
    const channel = room("storage");
    const proxy = await startProxy(server.port);
    const page = (await browsers.get(name)?.openPage(site)) as BrowserPage;
    await page.evaluate(`(() => { ${spoil} })()`);
    await start(page, channel, { session: true, port: proxy.port });
    await push(channel, 1);
    await expectHeard(page, [1]);
    proxy.cut();
    await push(channel, 2);
    proxy.mend();
    await expectHeard(page, [1, 2]);
    await page.evaluate(
      "void (Object.getOwnPropertyDescriptor(window, 'sessionStorage')?.configurable, client.close())",
    );
  });

  // Firefox keeps no page with an open socket, and a page has no time to close one before Firefox decides.
  const isKept = name !== "Firefox";

  test(`a page that the back button brings back, ${isKept ? "out of the cache" : "loaded anew"}, hears what came meanwhile`, async () => {
    const channel = room("back");
    const page = await open(channel, { session: true });
    await push(channel, 1);
    await expectHeard(page, [1]);
    await page.goto(`${site}elsewhere`);
    const bob = await connectAs(server.url, "bob", { channels: ["*"] });
    await eventually(async () => expect(await membersOf(bob, channel)).toEqual(["bob"]), PATIENCE);
    await push(channel, 2, 3);
    await page.back();
    await eventually(async () => expect(await page.evaluate<boolean>("window.isFromCache")).toBe(isKept), PATIENCE);
    if (!isKept) await start(page, channel, { session: true });
    await expectHeard(page, isKept ? [1, 2, 3] : [2, 3]);
    expect(await page.evaluate<unknown>("gaps")).toEqual([]);
  });
});

async function start(page: BrowserPage, channel: string, options: Partial<StartOptions>): Promise<void> {
  await page.evaluate(await startExpression(channel, { port: server.port, user: "ada", ...options }));
  await eventually(async () => expect(await page.evaluate<string>("room.snapshot.state")).toBe("attached"), PATIENCE);
}

async function expectHeard(page: BrowserPage, data: readonly unknown[]): Promise<void> {
  await eventually(
    async () => expect(await page.evaluate<unknown>("heard.map(([data]) => data)")).toEqual(data),
    PATIENCE,
  );
}

function membersIn(page: BrowserPage): Promise<readonly string[]> {
  return page.evaluate("room.members.map(({ id }) => id)");
}

/** Joins it for a moment. */
async function membersOf(client: Awaited<ReturnType<typeof connectAs>>, channel: string): Promise<readonly string[]> {
  const { data } = await client.subscribe(channel);
  await client.ask("unsubscribe", { channel });
  return (data as { members: readonly { id: string }[] }).members.map(({ id }) => id);
}

async function push(channel: string, ...messages: readonly unknown[]): Promise<void> {
  for (const data of messages) await server.toChannel(channel).push({ event: "message", data });
}
