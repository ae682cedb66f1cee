/** A server with nothing configured, as a newcomer starts it, and people who open its page. */

import type { Browser, Page } from "playwright-core";
import type { ConfigInput, Server } from "../../packages/server/src/index.ts";
import { openPage } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { startServer } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** A page that has to work for more than one machine's worth of load. */
export const PATIENCE_MS = 15_000;
export const TEST_MS = 60_000;

export interface Visitor {
  readonly page: Page;
  /** What the page threw or complained of. */
  readonly errors: readonly string[];
  /** What its Content-Security-Policy forbade. */
  violations(): Promise<readonly string[]>;
}

export interface Visit {
  /** A made-up one where not given. */
  readonly name?: string;
  readonly path?: string;
  readonly width?: number;
  readonly height?: number;
  readonly colors?: "light" | "dark";
  /** Runs in the page before anything of its own. */
  readonly before?: () => void;
}

/** No apps, so that the server makes the demo app. */
export function startDemo(config: ConfigInput = {}): Promise<Server> {
  return startServer({ apps: [], stateDir: temporaryFolder(), ...config });
}

/** Opens the page and waits until it is in the lobby. */
export async function visit(browser: Browser, server: Server, options: Visit = {}): Promise<Visitor> {
  const { name, path = "/", width = 1280, height = 800, colors = "light", before } = options;
  const { page, errors } = await openPage(browser);
  page.setDefaultTimeout(PATIENCE_MS);
  await page.setViewportSize({ width, height });
  await page.emulateMedia({ colorScheme: colors });
  await page.addInitScript(rememberViolations);
  if (before) await page.addInitScript(before);
  if (name !== undefined) await page.addInitScript(`sessionStorage["fanfare-demo-name"] ??= ${JSON.stringify(name)}`);
  // Loopback counts as a secure context by any of its names; this is the one that people are shown.
  await page.goto(`http://localhost:${server.port}${path}`);
  await isInLobby(page);
  return { page, errors, violations: () => page.evaluate(() => Reflect.get(window, "violations") as string[]) };
}

export async function isInLobby(page: Page): Promise<void> {
  await page.locator("#send:enabled").waitFor();
}

export async function say(page: Page, text: string): Promise<void> {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
}

/** The page's text at this place, as soon as it has this in it. */
export async function shows(page: Page, selector: string, wanted: string): Promise<string> {
  return await eventually(
    async () => {
      const found = await page.locator(selector).allInnerTexts();
      const text = found.join("\n");
      if (!text.includes(wanted)) throw new Error(`${selector} does not show ${wanted}, but:\n${text}`);
      return text;
    },
    { withinMs: PATIENCE_MS, everyMs: 30 },
  );
}

/** Who is here, oneself first. */
export async function people(page: Page): Promise<string[]> {
  return [await page.inputValue("#name"), ...(await page.locator("#people .person-name").allInnerTexts())];
}

function rememberViolations(): void {
  const violations: string[] = [];
  Reflect.set(window, "violations", violations);
  document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => {
    violations.push(`${violatedDirective} ${blockedURI}`);
  });
}
