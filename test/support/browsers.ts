/** Chromium, Firefox and WebKit behind one small interface, for tests that have to hold in each of them. */

import type { TestBrowser } from "./browser-page.ts";
import { openBrowser as openChromium } from "./chromium.ts";
import { openFirefox } from "./firefox.ts";
import { openWebKit } from "./webkit.ts";

export const BROWSERS = {
  Chromium: openChromiumPages,
  Firefox: openFirefox,
  WebKit: openWebKit,
} as const satisfies Record<string, () => Promise<TestBrowser>>;

export type BrowserName = keyof typeof BROWSERS;

async function openChromiumPages(): Promise<TestBrowser> {
  const browser = await openChromium({ backForwardCache: true });
  const context = await browser.newContext();
  return {
    async openPage(url) {
      const page = await context.newPage();
      await page.goto(url);
      return {
        evaluate: <T>(expression: string) => page.evaluate(expression) as Promise<T>,
        goto: async (target) => void (await page.goto(target)),
        reload: async () => void (await page.reload()),
        // A page out of the cache does not load, so there is no load to wait for.
        back: async () => void (await page.goBack({ waitUntil: "commit" })),
      };
    },
  };
}
