/** The browser's own WebSocket against a real server, with nothing but the native protocol's text at hand. */

import { expect, test } from "bun:test";
import { atEnd } from "../support/at-end.ts";
import { openBrowser, openPage } from "../support/chromium.ts";
import { connectAs, makeToken } from "../support/native-client.ts";
import { socketUrl, startServer } from "../support/server.ts";

/** What a newcomer writes: a dozen lines over WebSocket, in the page. */
const PAGE = `<!doctype html><title>native</title><script>
  window.frames_ = [];
  window.connect = (url) => new Promise((resolve) => {
    window.socket = new WebSocket(url);
    socket.onmessage = ({ data }) => { const frame = JSON.parse(data); frames_.push(frame); if (frame.event === "welcome") resolve(frame.data); };
    socket.onclose = ({ code, reason, wasClean }) => { window.ended = { code, reason, wasClean }; };
  });
  window.send = (frame) => socket.send(JSON.stringify(frame));
</script>`;

const server = await startServer({}, { channels: [{ match: "presence-*", clientPublish: "any" }] });
const browser = await openBrowser();

const site = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: ({ url }) =>
    new URL(url).pathname === "/"
      ? new Response(PAGE, { headers: { "Content-Type": "text/html" } })
      : new Response(null, { status: 204 }),
});
atEnd(() => site.stop(true));

interface Page {
  readonly frames_: object[];
  readonly ended: unknown;
  connect(url: string): Promise<unknown>;
  send(frame: object): void;
}

test("a page connects with a token, subscribes, publishes, and sees who is there (A53)", async () => {
  const { page, errors } = await openPage(browser, site.url.href);
  const ada = await connectAs(server.url, "ada", { info: { name: "Ada" }, channels: ["presence-*"] });
  await ada.subscribe("presence-room");

  const token = await makeToken({ sub: "bob", info: { name: "Bob" }, channels: ["presence-*"] });
  const welcome = await page.evaluate(
    (url) => (window as unknown as Page).connect(url),
    `${socketUrl(server.url)}/?token=${token}`,
  );
  expect(welcome).toMatchObject({ user: { id: "bob", info: { name: "Bob" } } });

  const send = (frame: object) => page.evaluate((it) => (window as unknown as Page).send(it), frame);
  const heard = async (count: number) => {
    await page.waitForFunction((n) => (window as unknown as Page).frames_.length >= n, count);
    return page.evaluate(() => (window as unknown as Page).frames_);
  };

  await send({ event: "subscribe", id: 1, data: { channel: "presence-room" } });
  expect((await heard(2))[1]).toEqual({
    event: "subscribed",
    channel: "presence-room",
    id: 1,
    data: {
      members: [
        { id: "ada", info: { name: "Ada" } },
        { id: "bob", info: { name: "Bob" } },
      ],
    },
  });
  expect((await ada.next("member_added")).data).toEqual({ user: { id: "bob", info: { name: "Bob" } } });

  await send({
    event: "publish",
    id: 2,
    data: { channel: "presence-room", event: "wave", data: { text: "Grüße 👋" } },
  });
  expect((await heard(3))[2]).toEqual({ event: "published", channel: "presence-room", id: 2 });
  expect(await ada.next("wave")).toEqual({
    event: "wave",
    channel: "presence-room",
    data: { text: "Grüße 👋" },
    user: "bob",
  });

  ada.send("publish", { channel: "presence-room", event: "wave", data: "back" });
  await ada.ping();
  await server.toUser("bob").push({ unread: 3 });
  await ada.close();
  expect((await heard(6)).slice(3)).toEqual([
    { event: "wave", channel: "presence-room", data: "back", user: "ada" },
    { unread: 3 },
    { event: "member_removed", channel: "presence-room", data: { user: { id: "ada" } } },
  ]);

  await server.stop();
  await page.waitForFunction(() => (window as unknown as Page).ended !== undefined);
  const farewell = { event: "closing", code: "shutdown", reconnect: "now" };
  expect((await heard(7))[6]).toMatchObject(farewell);
  expect(await page.evaluate(() => (window as unknown as Page).ended)).toMatchObject({ code: 4200, wasClean: true });
  expect(errors).toEqual([]);
}, 30_000);
