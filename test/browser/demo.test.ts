/** The page a newcomer sees, in a real browser: tabs that talk, see each other and the frames, and come back by themselves. */

import { expect, setDefaultTimeout, test } from "bun:test";
import type { Locator } from "playwright-core";
import { openBrowser } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { runCli } from "../support/process.ts";
import { socketUrl } from "../support/server.ts";
import { connect } from "../support/socket.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { isInLobby, PATIENCE_MS, people, say, shows, startDemo, TEST_MS, visit } from "./visit.ts";

setDefaultTimeout(TEST_MS);

const browser = await openBrowser();
const stateDir = temporaryFolder();

test("two tabs talk, see each other, and see each other leave", async () => {
  const server = await startDemo();
  const ada = await visit(browser, server, { name: "Ada" });
  expect(await people(ada.page)).toEqual(["Ada"]);
  const grace = await visit(browser, server, { name: "Grace" });
  await shows(ada.page, "#people", "Grace");
  expect(await people(ada.page)).toEqual(["Ada", "Grace"]);
  expect(await people(grace.page)).toEqual(["Grace", "Ada"]);
  expect(await ada.page.textContent("#people-count")).toBe("2");

  await say(ada.page, "Is anybody there?");
  await shows(grace.page, ".message.theirs", "Is anybody there?");
  expect(await grace.page.textContent(".message.theirs strong")).toBe("Ada");
  await say(grace.page, "I am.");
  await shows(ada.page, ".message.theirs", "I am.");
  await ada.page.locator(".message.mine:not(.pending, .failed)").waitFor();
  expect(await ada.page.locator(".message").count()).toBe(2);

  await grace.page.context().close();
  await shows(ada.page, "#messages", "Grace left");
  expect(await people(ada.page)).toEqual(["Ada"]);
  expect(ada.errors).toEqual([]);
  expect(grace.errors).toEqual([]);
});

test("whoever types is seen typing, until the message is there", async () => {
  const server = await startDemo();
  const ada = await visit(browser, server, { name: "Ada" });
  const grace = await visit(browser, server, { name: "Grace" });
  await grace.page.locator("#text").pressSequentially("Hel");
  await shows(ada.page, "#typing", "Grace is typing…");
  await say(grace.page, "Hello");
  await shows(ada.page, ".message.theirs", "Hello");
  await eventually(async () => expect(await ada.page.textContent("#typing")).toBe(""), { withinMs: PATIENCE_MS });
});

test("another name takes another token, and everybody sees it", async () => {
  const server = await startDemo();
  const ada = await visit(browser, server, { name: "Ada" });
  const other = await visit(browser, server);
  const [invented = ""] = await people(other.page);
  expect(invented).toMatch(/^[A-Z][a-z]+ [A-Z][a-z]+$/);
  await other.page.fill("#name", "Grace");
  await other.page.press("#name", "Enter");
  await shows(ada.page, "#people", "Grace");
  await shows(ada.page, "#messages", `${invented} left`);
  await isInLobby(other.page);
  await say(other.page, "It is me");
  await shows(ada.page, ".message.theirs strong", "Grace");
  await other.page.reload();
  await isInLobby(other.page);
  expect(await people(other.page)).toEqual(["Grace", "Ada"]);
});

test("what a program and the command line push is shown as the server's", async () => {
  const server = await startDemo({ stateDir });
  const { page } = await visit(browser, server);
  await server.toChannel("lobby").push({ event: "deployed", data: { text: "Version 7 is out" } });
  await shows(page, ".message.server", "Version 7 is out");
  expect(await page.textContent(".message.server .tag")).toBe("deployed");
  await server.toChannel("presence-lobby").push({ metric: "cpu", value: 42 });
  await shows(page, ".message.server", '"value":42');

  const args = ["publish", "presence-lobby", "message", '{"text":"hi from a shell"}', "--url", server.url];
  const { code } = await runCli(args, { env: { FANFARE_STATE_DIR: stateDir } });
  expect(code).toBe(0);
  await shows(page, ".message.server", "hi from a shell");
});

test("frames are shown as they pass, both ways, and open to show all that is in them", async () => {
  const server = await startDemo();
  const { page } = await visit(browser, server);
  await say(page, "Watch this");
  await shows(page, "#frames", "published");
  const sent = page.locator(".frame.sent", { hasText: "Watch this" });
  expect(await sent.locator(".arrow").getAttribute("aria-label")).toBe("sent");
  expect(await sent.locator("b").textContent()).toBe("publish");
  expect(await sent.locator("time").textContent()).toMatch(/^\d\d:\d\d:\d\d\.\d{3}$/);
  const welcome = page.locator(".frame.received").first();
  expect(await welcome.locator(".arrow").getAttribute("aria-label")).toBe("received");
  await sent.locator("summary").press("Enter");
  const whole: unknown = JSON.parse(await wholeOf(sent));
  expect(whole).toMatchObject({
    event: "publish",
    data: { event: "client-message", data: { text: "Watch this" } },
  });
});

test("the frames can be held still, and the last 200 are kept", async () => {
  const server = await startDemo();
  const { page } = await visit(browser, server);
  await page.click("#frames-pause");
  const before = await page.locator("#frames > li").count();
  for (let number = 1; number <= 250; number++) await server.toChannel("lobby").push({ event: `event-${number}` });
  await shows(page, ".message.server", "event-250");
  await shows(page, "#frames-count", "250 waiting");
  expect(await page.locator("#frames > li").count()).toBe(before);
  await page.click("#frames-pause");
  await shows(page, "#frames li:last-child", "event-250");
  expect(await page.locator("#frames > li").count()).toBe(200);
  expect(await page.locator("#frames li").first().textContent()).toContain("event-51");
  await page.click("#frames-clear");
  expect(await page.locator("#frames > li").count()).toBe(0);
});

test("a long frame is cut, not shown whole", async () => {
  const server = await startDemo();
  const { page } = await visit(browser, server);
  await server.toChannel("lobby").push({ event: "long", data: "x".repeat(9_000) });
  const frame = page.locator(".frame", { hasText: "long" }).last();
  await shows(page, ".message.server .tag", "long");
  await frame.locator("summary").click();
  const whole = await wholeOf(frame);
  expect(whole.length).toBeLessThan(4_100);
  expect(whole).toMatch(/… \(\d+ more\)$/);
});

test("after a restart of the server both tabs come back by themselves and go on", async () => {
  const server = await startDemo({ stateDir });
  const { port } = server;
  const ada = await visit(browser, server, { name: "Ada" });
  const grace = await visit(browser, server, { name: "Grace" });
  await server.stop();
  for (const { page } of [ada, grace]) {
    await page.locator('#status:not([data-state="open"])').waitFor();
    await shows(page, ".frame-note", "closed by this page");
    expect(await page.isDisabled("#send")).toBe(true);
  }
  await shows(ada.page, "#status", "Try now");
  await startDemo({ stateDir, port });
  for (const { page } of [ada, grace]) {
    await isInLobby(page);
    await shows(page, "#people-count", "2");
    await shows(page, "#messages", "You are back as");
    expect(await page.textContent("#status-text")).toBe("Connected");
  }
  await say(ada.page, "Still there?");
  await shows(grace.page, ".message.theirs", "Still there?");
});

test("a page whose server lost its demo app takes up the new one", async () => {
  const server = await startDemo();
  const { port } = server;
  const { page } = await visit(browser, server);
  await server.stop();
  const next = await startDemo({ port });
  await shows(page, "html", "Connected");
  await page.getByRole("tab", { name: "pusher-js" }).click();
  const key = next.apps[0]?.key ?? "";
  await eventually(async () => {
    await page.getByRole("tab", { name: "pusher-js" }).click();
    expect(await page.textContent("#client-pre")).toContain(key);
  });
});

test("who is told never to come back stays away until told otherwise", async () => {
  const server = await startDemo();
  const { page } = await visit(browser, server);
  const [member] = await server.members("presence-lobby");
  await server.app().terminate(member?.id ?? "");
  await page.locator('#status[data-state="stopped"]').waitFor();
  await page.click("#retry");
  await isInLobby(page);
});

test("a connection is asked whether it lives when the network comes back", async () => {
  const server = await startDemo();
  const { page } = await visit(browser, server);
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await shows(page, ".frame.sent", "ping");
  await shows(page, ".frame.received", "pong");
  expect(await page.getAttribute("#status", "data-state")).toBe("open");
});

test("what is said while the connection is broken is heard once it is back", async () => {
  const server = await startDemo({ stateDir });
  const { port } = server;
  const ada = await visit(browser, server, { name: "Ada" });
  const grace = await visit(browser, server, { name: "Grace" });
  // The page does not notice: it is told of nothing.
  await ada.page.context().setOffline(true);
  await say(ada.page, "Can you hear me?");
  await ada.page.locator(".message.mine.pending").waitFor();
  await server.stop();
  const again = await startDemo({ stateDir, port });
  // The lobby keeps nothing: who comes back later than it is said does not hear it.
  await eventually(async () => expect(await again.members("presence-lobby")).toHaveLength(1));
  await ada.page.context().setOffline(false);
  await shows(grace.page, ".message.theirs", "Can you hear me?");
  await ada.page.locator(".message.mine:not(.pending, .failed)").waitFor();
  expect(await grace.page.locator(".message.theirs").count()).toBe(1);
});

test("a message that the server refuses is marked as not sent", async () => {
  const server = await startDemo({ defaults: { limits: { eventDataBytes: 50 } } });
  const { page } = await visit(browser, server);
  await say(page, "x".repeat(100));
  await shows(page, ".message.mine.failed", "Not sent: ");
  await say(page, "short");
  await page.locator(".message.mine:not(.pending, .failed)").waitFor();
});

test("a visitor by another client is shown as what it says, within bounds", async () => {
  const server = await startDemo();
  const { page } = await visit(browser, server);
  const answer = await fetch(`${server.url}/demo/token?name=${"N".repeat(100)}`);
  const { token } = (await answer.json()) as { token: string };
  const client = await connect(socketUrl(server.url, `/?token=${token}`));
  client.send({ event: "subscribe", data: { channel: "presence-lobby" } });
  await shows(page, "#people", "N".repeat(32));
  expect((await people(page))[1]).toBe("N".repeat(32));
  client.send({ event: "publish", data: { channel: "presence-lobby", event: "client-message", data: "plain text" } });
  await shows(page, ".message.theirs", "plain text");
});

/** What an opened frame shows; it is written when the browser says that the frame is open. */
function wholeOf(frame: Locator): Promise<string> {
  return eventually(async () => {
    const text = (await frame.locator(".whole").textContent()) ?? "";
    expect(text).not.toBe("");
    return text;
  });
}
