/** A real server with its dashboard, and people who look at it. */

import { expect } from "bun:test";
import type { Browser, Locator, Page } from "playwright-core";
import type { ConfigInput, Server } from "../../packages/server/src/index.ts";
import { openPage } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { startServer } from "../support/server.ts";
import { sqliteFile } from "../support/sqlite.ts";

/** For a page that has to work on a machine that does much else. */
export const PATIENCE_MS = 20_000;
export const TEST_MS = 90_000;

/** Every page that is about no single thing. */
export const PLACES = [
  "overview",
  "console",
  "channels",
  "people",
  "insights",
  "webhooks",
  "connect",
  "connect?channel=private",
  "settings",
  "settings?tab=nodes",
  "settings?tab=limits",
  "settings?tab=audit",
  "settings?tab=appearance",
  "app?app=app",
  "explain",
];

/** With everything that needs a database. */
export function startWithDashboard(config: ConfigInput = {}): Promise<Server> {
  return startServer({ database: { url: sqliteFile() }, ...config });
}

export interface Looking {
  /** Behind `#/`: a page and its parameters. */
  readonly place?: string;
  /** In front of the dashboard's path. */
  readonly prefix?: string;
  readonly width?: number;
  readonly height?: number;
  readonly colors?: "light" | "dark";
  /** Not waited for; there is a sign-in instead. */
  readonly isOutside?: boolean;
}

export interface Looker {
  readonly page: Page;
  /** What the page threw or complained of. */
  readonly errors: readonly string[];
  /** What its Content-Security-Policy forbade. */
  violations(): Promise<readonly string[]>;
}

/** Opens the dashboard and waits until what it shows is live. */
export async function look(
  browser: Browser,
  server: Pick<Server, "port" | "dashboardUrl">,
  options: Looking = {},
): Promise<Looker> {
  const { place = "console", prefix = "", width = 1280, height = 800, colors = "light", isOutside = false } = options;
  const { page, errors } = await openPage(browser);
  page.setDefaultTimeout(PATIENCE_MS);
  await page.setViewportSize({ width, height });
  await page.emulateMedia({ colorScheme: colors });
  await page.addInitScript(rememberViolations);
  const key = isOutside ? "" : (URL.parse(server.dashboardUrl ?? "")?.search ?? "");
  await page.goto(`http://localhost:${server.port}${prefix}/dashboard/${key}#/${place}`);
  if (!isOutside) await isLive(page);
  return { page, errors, violations: () => page.evaluate(() => Reflect.get(window, "violations") as string[]) };
}

/** By the address, as somebody does who was sent it; until the page is there. */
export async function goTo(page: Page, place: string): Promise<void> {
  await page.evaluate(async (to) => {
    location.hash = `#/${to}`;
    // The page hears of it, and draws.
    for (let frames = 0; frames < 2; frames++) await new Promise(requestAnimationFrame);
  }, place);
  await page.locator("h1").waitFor();
  await eventually(async () => expect(await page.locator(".waiting").count()).toBe(0), { withinMs: PATIENCE_MS });
}

export async function isLive(page: Page): Promise<void> {
  await page.locator('.live[data-state="live"]').waitFor();
}

const SETTINGS: readonly string[] = ["Apps & keys", "Nodes", "Limits", "Audit log", "Appearance"];

/** As somebody would: by the menu, and where it has none of that name by the settings. */
export async function openPageOf(page: Page, name: string): Promise<void> {
  const isSetting = SETTINGS.includes(name);
  const menu = page.getByRole("navigation", { name: "Pages", exact: true });
  await menu.getByRole("link", { name: isSetting ? "Settings" : name, exact: true }).click();
  if (isSetting) await page.getByRole("navigation", { name: "Settings" }).getByRole("link", { name }).click();
}

/** The form for sending an event. */
export async function openSend(page: Page): Promise<Locator> {
  await page.getByRole("button", { name: "Send event" }).click();
  return page.getByRole("form", { name: "Event" });
}

export function row(page: Page, type: string, text = ""): Locator {
  return page.locator(".row-line", { has: page.locator(".type", { hasText: new RegExp(`^${type}$`) }) }).filter({
    hasText: text,
  });
}

/** Until the place has this in it. */
export async function shows(page: Page, selector: string, wanted: string): Promise<string> {
  return await eventually(
    async () => {
      const text = (await page.locator(selector).allInnerTexts()).join("\n");
      if (!text.includes(wanted)) throw new Error(`${selector} does not show ${wanted}, but:\n${text}`);
      return text;
    },
    { withinMs: PATIENCE_MS, everyMs: 50 },
  );
}

function rememberViolations(): void {
  const violations: string[] = [];
  Reflect.set(window, "violations", violations);
  document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => {
    violations.push(`${violatedDirective} ${blockedURI}`);
  });
}
