/** One-way server-sent events in a real browser: its own EventSource reads them, and comes back by itself. */

import { expect, test } from "bun:test";
import type { Server } from "../../packages/server/src/index.ts";
import { makeCertificate, startProxy } from "../deploy/proxy.ts";
import { atEnd } from "../support/at-end.ts";
import { openBrowser, openPage } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { makeToken } from "../support/native-client.ts";
import { type AppInput, startServer } from "../support/server.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { TEST_MS } from "./dashboard.ts";

const KEPT: Partial<AppInput> = { anonymous: true, channels: [{ match: "kept.*", history: { size: 100, ttlS: 60 } }] };
const browser = await openBrowser();

test(
  "an EventSource comes back by its id: after a cut with all it missed, after a restart it is told what is lost",
  async () => {
    const first = await startServer({}, KEPT);
    const proxy = new TcpProxy(first.port);
    atEnd(() => proxy.end());
    await proxy.start();
    const { page } = await openPage(browser, `${first.url}/ready`);
    await page.evaluate((url) => {
      const heard: string[] = [];
      const source = new EventSource(url);
      for (const name of ["e", "fanfare:recovered"]) {
        source.addEventListener(name, ({ data }) => {
          const { channel, data: value, recovered } = JSON.parse(data);
          heard.push(`${channel} ${value ?? recovered}`);
        });
      }
      Object.assign(globalThis, { heard });
    }, `http://127.0.0.1:${proxy.port}/rt/events?channels=kept.1,kept.2`);
    const shows = (...expected: string[]) =>
      eventually(async () => {
        const heard = await page.evaluate(() => (globalThis as unknown as { heard: string[] }).heard);
        expect(heard).toEqual(expected);
      });
    const isReading = (to: Server) =>
      eventually(async () => {
        for (const channel of ["kept.1", "kept.2"]) expect((await to.channel(channel).info())?.subscribers).toBe(1);
      });
    await isReading(first);
    await first.toChannel("kept.1").push({ event: "e", data: 1 });
    await shows("kept.1 1");
    proxy.cut();
    await eventually(async () => expect(await first.channel("kept.1").info()).toBeUndefined());
    await first.toChannel("kept.2").push({ event: "e", data: 2 });
    proxy.mend();
    const recovered = ["kept.1 1", "kept.1 true", "kept.2 true", "kept.2 2"];
    await shows(...recovered);
    const second = await startServer({}, KEPT);
    proxy.lead(second.port);
    await first.stop();
    await isReading(second);
    await second.toChannel("kept.2").push({ event: "e", data: 3 });
    await shows(...recovered, "kept.1 false", "kept.2 false", "kept.2 3");
  },
  TEST_MS,
);

test(
  "a page of another origin reads a private channel by a ticket, and an EventSource comes back by the one it was given",
  async () => {
    const channels = [{ match: "private-kept", history: { size: 100, ttlS: 60 } }];
    const server = await startServer({}, { channels });
    const proxy = new TcpProxy(server.port);
    atEnd(() => proxy.end());
    await proxy.start();
    const { page } = await openPage(browser, `${server.url}/ready`);
    const token = await makeToken({ sub: "ada", channels: ["private-*"] });
    await page.evaluate(
      async ({ url, token }) => {
        const asked = { method: "POST", headers: { Authorization: `Bearer ${token}` } };
        const { ticket } = await (await fetch(`${url}/rt/ticket`, asked)).json();
        const heard: string[] = [];
        const source = new EventSource(`${url}/rt/events?channels=private-kept&ticket=${ticket}`);
        source.addEventListener("e", ({ data }) => heard.push(data));
        Object.assign(globalThis, { heard });
      },
      { url: `http://127.0.0.1:${proxy.port}`, token },
    );
    const isThere = async () => (await server.channel("private-kept").info())?.subscribers === 1;
    const push = (n: number) => server.toChannel("private-kept").push({ event: "e", data: n });
    const heardUpTo = (n: number) =>
      eventually(async () => {
        const heard = await page.evaluate(() => (globalThis as unknown as { heard: string[] }).heard);
        expect(heard.map(Number)).toEqual(Array.from({ length: n + 1 }, (_, at) => at));
      });
    await eventually(async () => expect(await isThere()).toBe(true));
    // Whoever has read nothing of the stream may not come again by the ticket.
    await push(0);
    await heardUpTo(0);
    for (let n = 1; n <= 3; n++) {
      await eventually(async () => expect(await isThere()).toBe(true));
      proxy.cut();
      await eventually(async () => expect(await isThere()).toBe(false));
      await push(n);
      proxy.mend();
      await heardUpTo(n);
    }
  },
  TEST_MS,
);

test(
  "a browser keeps six streams of a host over HTTP/1.1, and as many as there are over HTTP/2",
  async () => {
    const server = await startServer({ trustedProxies: ["127.0.0.1"] }, KEPT);
    const proxy = await startProxy("Caddy", { upstreamPort: server.port, certificate: await makeCertificate() });
    const subscribers = async () => (await server.channel("many").info())?.subscribers ?? 0;
    for (const [url, most] of [
      [server.url, 6],
      [proxy.secureUrl, 10],
    ] as const) {
      const context = await browser.newContext({ ignoreHTTPSErrors: true });
      atEnd(() => context.close());
      const page = await context.newPage();
      await page.goto(`${url}/ready`);
      await page.evaluate(() => {
        for (let n = 0; n < 10; n++) new EventSource("/rt/events?channels=many");
      });
      await eventually(async () => expect(await subscribers()).toBe(most));
      await Bun.sleep(1_000);
      expect(await subscribers()).toBe(most);
      await context.close();
      await eventually(async () => expect(await subscribers()).toBe(0));
    }
  },
  TEST_MS,
);
