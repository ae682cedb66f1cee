/** A real browser for tests: Debian's Chromium, without a window, and without a word to anybody but the test's own server. */

import { type Browser, chromium, type Page } from "playwright-core";
import { atEnd } from "./at-end.ts";
import { external } from "./external.ts";

const EXECUTABLE = external("chromium");

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

interface BrowserOptions {
  /** As people have it; while it is driven it is off otherwise. */
  readonly backForwardCache?: boolean;
}

/** Call it at the top level of a file, so that its tests share one. The profile is new and empty, and goes with it. */
export async function openBrowser({ backForwardCache = false }: BrowserOptions = {}): Promise<Browser> {
  const launching = chromium.launch({
    executablePath: EXECUTABLE,
    args: FLAGS,
    timeout: 20_000,
    ...(backForwardCache && { ignoreDefaultArgs: ["--disable-back-forward-cache"] }),
  });
  atEnd(async () => (await launching).close());
  return await launching;
}

export interface OpenPage {
  readonly page: Page;
  /** What the page threw, and what it wrote to the console as an error. */
  readonly errors: string[];
}

/** In a context of its own: no cookie or storage is shared with other pages. */
export async function openPage(browser: Browser, url = "about:blank"): Promise<OpenPage> {
  const context = await browser.newContext();
  atEnd(() => context.close());
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  await page.goto(url);
  return { page, errors };
}
