/** From an empty folder to a React chat, by the README of the package alone: its code blocks, in its order, with the packed packages. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { atEnd } from "../support/at-end.ts";
import { type OpenPage, openBrowser, openPage } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { external } from "../support/external.ts";
import { install, pack, run } from "../support/packing.ts";
import { freePorts } from "../support/ports.ts";
import { spawnCli } from "../support/process.ts";

setDefaultTimeout(120_000);

const ROOT = join(import.meta.dir, "..", "..");
const README = await Bun.file(join(ROOT, "packages", "client", "README.md")).text();
const { react, "react-dom": reactDom } = (await Bun.file(join(ROOT, "package.json")).json()).devDependencies;
const PATIENCE = { withinMs: 60_000, everyMs: 100 };

/** The section's files, each named before its block; with free ports in place of those that the README names. */
const [serverPort = 0, pagePort = 0, chatPort = 0] = await freePorts(3);
const files = blocksOf("## A chat in React, from an empty folder", serverPort);
const tarballs = Object.values(await pack("server", "client", "publisher", "schema"));
const folder = await install(...tarballs, `react@${react}`, `react-dom@${reactDom}`);
for (const [name, text] of files) writeFileSync(join(folder, name), text);
const back = spawnCli(["server.ts"], { program: [process.execPath], cwd: folder });
await back.prints(/Open http/);
const browser = await openBrowser();

test("the chat runs as the README has it: who is there, what is said, and nothing is lost while the network is away", async () => {
  expect([...files.keys()]).toEqual(["server.ts", "index.html", "page.tsx"]);
  await expectChat(`http://localhost:${pagePort}/`);
});

test("the same page works as Vite builds it", async () => {
  writeFileSync(
    join(folder, "vite.config.js"),
    `import react from "@vitejs/plugin-react"; export default { plugins: [react()], logLevel: "error" };`,
  );
  for (const name of ["vite", "@vitejs"])
    symlinkSync(join(ROOT, "node_modules", name), join(folder, "node_modules", name));
  await run([external("node-22"), join(ROOT, "node_modules", "vite", "bin", "vite.js"), "build"], folder);
  const site = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch({ url }) {
      const { pathname, search } = new URL(url);
      if (pathname === "/token") return fetch(`http://localhost:${pagePort}/token${search}`);
      if (pathname === "/favicon.ico") return new Response(null, { status: 204 });
      return new Response(Bun.file(join(folder, "dist", pathname === "/" ? "index.html" : pathname)));
    },
  });
  atEnd(() => site.stop(true));
  await expectChat(site.url.href);
});

test("the chat of two terminals works as the README has it, also while the server is away", async () => {
  const chat = blocksOf("## From an empty folder to a chat", chatPort);
  expect([...chat.keys()]).toEqual(["fanfare.config.json", "chat.js"]);
  const cwd = join(folder, "chat");
  mkdirSync(cwd);
  // As `npm pkg set type=module` leaves it.
  for (const [name, text] of [...chat, ["package.json", `{ "type": "module" }`]] as const)
    writeFileSync(join(cwd, name), text);
  const serve = async () => {
    const server = spawnCli(["serve", "--port", String(chatPort)], {
      program: [external("node-22"), join(folder, "node_modules", "fanfare", "bin", "fanfare.js")],
      cwd,
    });
    await server.prints(/Press Ctrl\+C/);
    return server;
  };
  const server = await serve();
  const open = () => spawnCli(["chat.js"], { program: [external("node-22")], cwd, isTypedInto: true });
  const [one, two] = [open(), open()];
  for (const it of [one, two]) await it.prints(/connected/);
  one.type("hello");
  await two.prints(/^> hello$/m);
  server.signal("SIGTERM");
  await server.exited;
  await one.prints(/reconnecting/);
  one.type("while it was away");
  await serve();
  await two.prints(/^> while it was away$/m);
  expect(two.stdout.match(/^> .*$/gm)).toEqual(["> hello", "> while it was away"]);
});

test("a server streams what the hooks have there, connects to nobody, and ends", async () => {
  const program = `
    import { createClient } from "@fanfare/client";
    import { FanfareProvider, useChannel, useConnection, useEvents, useLive, useMembers } from "@fanfare/client/react";
    import { createElement, StrictMode } from "react";
    import { renderToPipeableStream } from "react-dom/server";
    const client = createClient({ url: "ws://127.0.0.1:1", token: () => { throw new Error("asked for a token"); } });
    function Room() {
      const live = useLive("orders", { load: () => { throw new Error("loaded"); }, apply: (state) => state });
      const lists = [useMembers("presence-room").members, useEvents("room", "message", { keep: 10, rewind: true })];
      return createElement("p", null, [useConnection().state, useChannel("room").state, live.status, ...lists.map(({ length }) => length)].join(" "));
    }
    const room = createElement(StrictMode, null, createElement(FanfareProvider, { client }, createElement(Room)));
    const { pipe } = renderToPipeableStream(room, { onAllReady: () => pipe(process.stdout), onError: (error) => { throw error; } });
  `;
  writeFileSync(join(folder, "render.mjs"), program);
  const child = spawnCli(["render.mjs"], {
    program: [external("node-20")],
    cwd: folder,
    env: { NODE_ENV: "production" },
  });
  expect({ code: (await child.ended()).code, stderr: child.stderr }).toEqual({ code: 0, stderr: "" });
  expect(child.stdout).toBe("<p>idle detached loading 0 0</p>");
});

/** Two people in two windows; one of them without a network for a while. */
async function expectChat(url: string): Promise<void> {
  const [ada, bob] = [await openPage(browser, `${url}?user=ada`), await openPage(browser, `${url}?user=bob`)];
  for (const { page } of [ada, bob]) await expectText(page, /connected, here: .*ada.*/);
  await expectText(ada.page, /here: (?:ada, bob|bob, ada)/);
  const words = (text: string) => `${text} at ${url}`;
  await say(ada.page, words("hello"));
  await expectText(bob.page, new RegExp(`ada: ${words("hello")}`));
  await bob.page.context().setOffline(true);
  await say(ada.page, words("one"));
  for (const text of ["three", "four"].map(words)) {
    await bob.page.fill("input", text);
    await bob.page.press("input", "Enter");
  }
  await say(ada.page, words("two"));
  await bob.page.context().setOffline(false);
  // What each wrote is said once, in its order, and has one place in both windows.
  await eventually(async () => {
    const [hers, his] = [await linesIn(ada.page), await linesIn(bob.page)];
    expect(his).toEqual(hers);
    const now = his.filter((line) => line.endsWith(url));
    const of = (user: string) => now.filter((line) => line.startsWith(`${user}:`));
    expect(of("ada")).toEqual(["hello", "one", "two"].map((text) => `ada: ${words(text)}`));
    expect(of("bob")).toEqual(["three", "four"].map((text) => `bob: ${words(text)}`));
  }, PATIENCE);
  // The page has no icon, and Bob has no network for a while.
  const own = ({ errors }: OpenPage) => errors.filter((text) => !/Failed to load resource|ERR_INTERNET/.test(text));
  expect([own(ada), own(bob)]).toEqual([[], []]);
  for (const { page } of [ada, bob]) await page.close();
}

async function say(page: Page, text: string): Promise<void> {
  await page.fill("input", text);
  await page.press("input", "Enter");
  await expectText(page, new RegExp(`: ${text}$`, "m"));
}

async function expectText(page: Page, pattern: RegExp): Promise<void> {
  await eventually(
    async () => expect(await page.evaluate("document.getElementById('root').innerText")).toMatch(pattern),
    PATIENCE,
  );
}

function linesIn(page: Page): Promise<readonly string[]> {
  return page.locator("li").allTextContents();
}

function blocksOf(heading: string, port: number): ReadonlyMap<string, string> {
  const [, section = ""] = README.split(`${heading}\n`);
  const [text = ""] = section.split(/^## /m);
  const blocks = text.matchAll(/`([\w.]+\.\w+)`[^`]*\n\n```\w+\n([\s\S]*?)^```$/gm);
  return new Map(Array.from(blocks, ([, name = "", code = ""]) => [name, elsewhere(code, port)]));
}

function elsewhere(code: string, port: number): string {
  return code.replaceAll("9501", String(port)).replaceAll("8080", String(pagePort));
}
