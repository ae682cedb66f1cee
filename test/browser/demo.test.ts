/** The page a newcomer sees, in a real browser: a board that tabs share, who and what is on it, and how it comes back by itself. */

import { expect, setDefaultTimeout, test } from "bun:test";
import type { Locator } from "playwright-core";
import { openBrowser } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { runCli } from "../support/process.ts";
import { socketUrl } from "../support/server.ts";
import { connect } from "../support/socket.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { isOnBoard, PATIENCE_MS, people, shows, startDemo, TEST_MS, visit, WORKSHOP, write } from "./visit.ts";

setDefaultTimeout(TEST_MS);

const browser = await openBrowser();
const stateDir = temporaryFolder();

test("two tabs see each other and each other's notes, and see each other leave", async () => {
  const server = await startDemo();
  const ada = await visit(browser, server, { name: "Ada" });
  expect(await people(ada.page)).toEqual(["Ada"]);
  const grace = await visit(browser, server, { name: "Grace", width: 390, height: 844 });
  await eventually(async () => expect(await people(ada.page)).toEqual(["Ada", "Grace"]));
  expect(await people(grace.page)).toEqual(["Grace", "Ada"]);

  await write(ada.page, "Who is typing?");
  const note = grace.page.locator(".nt", { hasText: "Who is typing?" });
  await note.waitFor();
  expect(await note.locator(".by-name").textContent()).toBe("Ada");
  await note.locator(".like").click();
  await shows(ada.page, ".like", "1");
  await shows(ada.page, "#activity", "Grace liked “Who is typing?”");
  await shows(grace.page, "#activity", "Ada added “Who is typing?”");

  await grace.page.context().close();
  await eventually(async () => expect(await people(ada.page)).toEqual(["Ada"]));
  expect(ada.errors).toEqual([]);
  expect(grace.errors).toEqual([]);
});

test("a note that is dragged is seen moving, with the pointer that drags it, and stays where it was dropped", async () => {
  const server = await startDemo();
  const ada = await visit(browser, server, { name: "Ada" });
  const grace = await visit(browser, server, { name: "Grace" });
  await write(ada.page, "Drag me");
  const [mine, theirs] = [ada.page, grace.page].map((page) => page.locator(".nt", { hasText: "Drag me" })) as [
    Locator,
    Locator,
  ];
  const board = await boxOf(ada.page.locator("#board"));
  const from = await boxOf(mine);
  await ada.page.mouse.move(from.x + 20, from.y + 20);
  await ada.page.mouse.down();
  await ada.page.mouse.move(board.x + board.width - 60, board.y + 40, { steps: 8 });
  await grace.page.locator(".nt.held").waitFor();
  await shows(grace.page, ".cursor", "Ada");
  await ada.page.mouse.up();
  await shows(grace.page, "#activity", "Ada moved “Drag me”");
  await eventually(async () => {
    const [at, there] = [await boxOf(mine), await boxOf(theirs)];
    expect(Math.abs(at.x - there.x) + Math.abs(at.y - there.y)).toBeLessThan(6);
    expect(there.x).toBeGreaterThan(from.x + 100);
  });

  await mine.press("ArrowLeft");
  await mine.press("ArrowDown");
  await eventually(async () =>
    expect((await boxOf(theirs)).y).toBeGreaterThan((await boxOf(ada.page.locator("#board"))).y),
  );
  await shows(grace.page, "#activity", "moved “Drag me”");
});

test("hearts that are clicked onto the board rise on all of them", async () => {
  const server = await startDemo();
  const ada = await visit(browser, server);
  const grace = await visit(browser, server);
  await ada.page.click("#tool-react");
  const isSeen = grace.page.locator(".pop").waitFor({ state: "attached" });
  await ada.page.click("#board", { position: { x: 200, y: 200 } });
  await isSeen;
  await ada.page.click("#tool-note");
  await ada.page.click("#board", { position: { x: 300, y: 100 } });
  await ada.page.locator(".draft textarea").press("Escape");
  expect(await ada.page.locator(".nt").count()).toBe(0);
});

test("who comes later has the board, of which the newest forty notes are shown", async () => {
  const server = await startDemo();
  const ada = await visit(browser, server);
  await write(ada.page, `${"long ".repeat(40)}`.slice(0, 110));
  const room = server.toChannel(WORKSHOP);
  for (let number = 1; number <= 40; number++) await room.push({ event: "note", data: { text: `Note ${number}` } });
  await room.push({ event: "note", data: { text: "x".repeat(5_000) } });
  const { page } = await visit(browser, server);
  await shows(page, "#notes", "Note 40");
  await eventually(async () => expect(await page.locator(".nt").count()).toBe(40));
  expect((await page.locator(".nt p").last().textContent())?.length).toBe(120);
  expect(await page.locator(".nt p").first().textContent()).toBe("Note 2");
});

test("who is alone gets a robot: a second connection, which says what it is, and goes when told", async () => {
  const server = await startDemo();
  const { page, errors } = await visit(browser, server, { name: "Ada", robot: true });
  await eventually(async () => expect(await people(page)).toEqual(["Ada", "Robot"]), { withinMs: PATIENCE_MS });
  expect(await server.members(WORKSHOP)).toHaveLength(2);
  await shows(page, "#notes", "Order status without reloading");
  await page.locator("#activity li").nth(6).waitFor();
  const other = await visit(browser, server, { name: "Grace", robot: true });
  expect(await people(other.page)).toEqual(["Grace", "Ada", "Robot"]);
  await page.click("#robot");
  await eventually(async () => expect(await people(other.page)).toEqual(["Grace", "Ada"]));
  expect(errors).toEqual([]);
});

test("another name takes another token, and everybody sees it", async () => {
  const server = await startDemo();
  const ada = await visit(browser, server, { name: "Ada" });
  const other = await visit(browser, server);
  const [invented = ""] = await people(other.page);
  expect(invented).toMatch(/^[A-Z][a-z]+ [A-Z][a-z]+$/);
  await other.page.fill("#name", "Grace");
  await other.page.press("#name", "Enter");
  await eventually(async () => expect(await people(ada.page)).toEqual(["Ada", "Grace"]));
  await isOnBoard(other.page);
  await write(other.page, "It is me");
  await shows(ada.page, ".by-name", "Grace");
  await other.page.reload();
  await isOnBoard(other.page);
  expect(await people(other.page)).toEqual(["Grace", "Ada"]);
});

test("what a program and the command line push is shown as the server's", async () => {
  const server = await startDemo({ stateDir });
  const { page } = await visit(browser, server);
  await server.toChannel("workshop").push({ event: "deployed", data: { text: "Version 7 is out" } });
  await shows(page, "#notes", "deployed: Version 7 is out");
  expect(await page.textContent(".by-name")).toBe("Server");
  await server.toChannel(WORKSHOP).push({ metric: "cpu", value: 42 });
  await shows(page, "#notes", '"value":42');

  const args = ["publish", WORKSHOP, "note", '{"text":"hi from a shell"}', "--url", server.url];
  const { code } = await runCli(args, { env: { FANFARE_STATE_DIR: stateDir } });
  expect(code).toBe(0);
  await shows(page, "#notes", "hi from a shell");
  await shows(page, "#activity", "Server added “hi from a shell”");
});

test("frames are shown as they pass, both ways, and open to show all that is in them", async () => {
  const server = await startDemo();
  const { page } = await visit(browser, server);
  await page.click("#frames-bar");
  await write(page, "Watch this");
  await shows(page, "#frames", "published");
  const sent = page.locator(".frame.sent", { hasText: "Watch this" });
  expect(await sent.locator(".arrow").getAttribute("aria-label")).toBe("sent");
  expect(await sent.locator("b").textContent()).toBe("publish");
  expect(await sent.locator("time").textContent()).toMatch(/^\d\d:\d\d:\d\d\.\d{3}$/);
  const welcome = page.locator(".frame.received").first();
  expect(await welcome.locator(".arrow").getAttribute("aria-label")).toBe("received");
  await sent.locator("summary").press("Enter");
  const whole: unknown = JSON.parse(await wholeOf(sent));
  expect(whole).toMatchObject({ event: "publish", data: { event: "note", data: { text: "Watch this" } } });
});

test("the frames can be held still, and the last 200 are kept", async () => {
  const server = await startDemo();
  const { page } = await visit(browser, server);
  await page.click("#frames-bar");
  await shows(page, "#frames", "welcome");
  await page.click("#frames-pause");
  const before = await page.locator("#frames > li").count();
  for (let number = 1; number <= 250; number++) await server.toChannel("workshop").push({ event: `event-${number}` });
  await shows(page, "#notes", "event-250");
  await shows(page, "#frames-count", "waiting");
  expect(await page.locator("#frames > li").count()).toBe(before);
  await page.click("#frames-pause");
  await shows(page, "#frames", "event-250");
  expect(await page.locator("#frames > li").count()).toBe(200);
  await page.click("#frames-clear");
  expect(await page.locator("#frames > li").count()).toBeLessThan(5);
});

test("a long frame is cut, not shown whole", async () => {
  const server = await startDemo();
  const { page } = await visit(browser, server);
  await page.click("#frames-bar");
  await server.toChannel("workshop").push({ event: "long", data: "x".repeat(9_000) });
  const frame = page.locator(".frame", { hasText: "long" }).last();
  await shows(page, "#notes", "long: xxx");
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
  for (const { page } of [ada, grace]) await page.click("#frames-bar");
  await server.stop();
  for (const { page } of [ada, grace]) {
    await page.locator('#status:not([data-state="open"])').waitFor();
    await shows(page, ".frame-note", "closed by this page");
  }
  await shows(ada.page, "#status", "Try now");
  await startDemo({ stateDir, port });
  for (const { page } of [ada, grace]) {
    await isOnBoard(page);
    await eventually(async () => expect(await people(page)).toHaveLength(2), { withinMs: PATIENCE_MS });
    expect(await page.textContent("#status-text")).toBe("Connected");
  }
  await write(ada.page, "Still there?");
  await shows(grace.page, "#notes", "Still there?");
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
    expect(await page.textContent("#code-block")).toContain(key);
  });
});

test("who is told never to come back stays away until told otherwise", async () => {
  const server = await startDemo();
  const { page } = await visit(browser, server);
  const [member] = await server.members(WORKSHOP);
  await server.app().terminate(member?.id ?? "");
  await page.locator('#status[data-state="stopped"]').waitFor();
  await page.click("#retry");
  await isOnBoard(page);
});

test("a connection is asked whether it lives when the network comes back", async () => {
  const server = await startDemo();
  const { page } = await visit(browser, server);
  await page.click("#frames-bar");
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await shows(page, ".frame.sent", "ping");
  await shows(page, ".frame.received", "pong");
  await shows(page, "#latency", " ms");
  expect(await page.getAttribute("#status", "data-state")).toBe("open");
});

test("what is written while the connection is broken is there once it is back", async () => {
  const server = await startDemo({ stateDir });
  const { port } = server;
  const ada = await visit(browser, server, { name: "Ada" });
  const grace = await visit(browser, server, { name: "Grace" });
  // The page does not notice: nothing says so.
  await ada.page.context().setOffline(true);
  await write(ada.page, "Can you hear me?", "pending");
  await server.stop();
  const again = await startDemo({ stateDir, port });
  await eventually(async () => expect(await again.members(WORKSHOP)).toHaveLength(1));
  await ada.page.context().setOffline(false);
  await shows(grace.page, "#notes", "Can you hear me?");
  await ada.page.locator('.nt[data-state=""]').waitFor();
  expect(await grace.page.locator(".nt").count()).toBe(1);
});

test("a note that the server refuses is marked as not sent", async () => {
  const server = await startDemo({ defaults: { limits: { eventDataBytes: 200 } } });
  const { page } = await visit(browser, server);
  await write(page, "x".repeat(120), "failed");
  await shows(page, ".by-name", "Not sent: ");
  await write(page, "short");
});

test("a visitor by another client is shown as what it says, within bounds", async () => {
  const server = await startDemo();
  const { page } = await visit(browser, server);
  const answer = await fetch(`${server.url}/demo/token?name=${"N".repeat(100)}`);
  const { token } = (await answer.json()) as { token: string };
  const client = await connect(socketUrl(server.url, `/?token=${token}`));
  client.send({ event: "subscribe", data: { channel: WORKSHOP } });
  await eventually(async () => expect((await people(page))[1]).toBe("N".repeat(32)));
  client.send({ event: "publish", data: { channel: WORKSHOP, event: "note", data: "plain text" } });
  await shows(page, "#notes", "plain text");
  const wild = { id: "far", text: "far away", x: 1e9, y: -5, color: 1e9, likes: 1e300, by: 5 };
  client.send({ event: "publish", data: { channel: WORKSHOP, event: "note", data: wild } });
  const note = page.locator(".nt", { hasText: "far away" });
  await note.waitFor();
  const [box, board] = [await boxOf(note), await boxOf(page.locator("#board"))];
  expect(Math.round(box.x + box.width)).toBeLessThanOrEqual(Math.round(board.x + board.width));
  expect(Math.round(box.y)).toBe(Math.round(board.y));
});

test("the code for phones is the machine's own address where the server listens on all of them, and how to where not", async () => {
  const open = await visit(browser, await startDemo({ host: "0.0.0.0" }));
  const { networkAddresses } = await import("../../packages/server/src/server/system/machine.ts");
  const [address = ""] = networkAddresses();
  const label = await open.page.getAttribute("#qr svg", "aria-label");
  expect(label).toBe(`QR code of http://${address}:${new URL(open.page.url()).port}/`);
  expect(await open.page.getAttribute("#invite-address a", "href")).toBe(label?.replace("QR code of ", "") ?? "");
  expect(await open.page.locator("#invite-hosts option").count()).toBe(
    networkAddresses().length > 1 ? networkAddresses().length : 0,
  );
  const closed = await visit(browser, await startDemo({ host: "127.0.0.1" }));
  await shows(closed.page, "#invite-text", "--host 0.0.0.0");
  expect(await closed.page.locator("#qr").isVisible()).toBe(false);
});

async function boxOf(locator: Locator): Promise<{ x: number; y: number; width: number; height: number }> {
  const box = await locator.boundingBox();
  if (!box) throw new Error("It is not on the page.");
  return box;
}

/** What an opened frame shows; it is written when the browser says that the frame is open. */
function wholeOf(frame: Locator): Promise<string> {
  return eventually(async () => {
    const text = (await frame.locator(".whole").textContent()) ?? "";
    expect(text).not.toBe("");
    return text;
  });
}
