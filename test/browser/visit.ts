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

export const WORKSHOP = "presence-workshop";

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
  /** The robot comes where somebody is alone. Tests that count what is on the board send it away before. */
  readonly robot?: boolean;
  /** Runs in the page before anything of its own. */
  readonly before?: () => void;
}

/** No apps, so that the server makes the demo app. */
export function startDemo(config: ConfigInput = {}): Promise<Server> {
  return startServer({ apps: [], stateDir: temporaryFolder(), ...config });
}

/** Opens the page and waits until it is on the board. */
export async function visit(browser: Browser, server: Server, options: Visit = {}): Promise<Visitor> {
  const { name, path = "/", width = 1280, height = 800, colors = "light", before, robot = false } = options;
  const { page, errors } = await openPage(browser);
  page.setDefaultTimeout(PATIENCE_MS);
  await page.setViewportSize({ width, height });
  await page.emulateMedia({ colorScheme: colors });
  await page.addInitScript(rememberViolations);
  if (before) await page.addInitScript(before);
  if (!robot) await page.addInitScript(`sessionStorage["fanfare-demo-robot"] ??= "away"`);
  if (name !== undefined) await page.addInitScript(`sessionStorage["fanfare-demo-name"] ??= ${JSON.stringify(name)}`);
  // Loopback counts as a secure context by any of its names; this is the one that people are shown.
  await page.goto(`http://localhost:${server.port}${path}`);
  await isOnBoard(page);
  return { page, errors, violations: () => page.evaluate(() => Reflect.get(window, "violations") as string[]) };
}

export async function isOnBoard(page: Page): Promise<void> {
  await page.locator('body[data-room="attached"]').waitFor();
}

/** Writes a note and waits until the server has it, unless it cannot. */
export async function write(page: Page, text: string, state = ""): Promise<void> {
  await page.locator("#tool-note").press("Enter");
  await page.fill(".draft textarea", text);
  await page.press(".draft textarea", "Enter");
  await page.locator(`.nt[data-state="${state}"]`, { hasText: text.slice(0, 40) }).waitFor();
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
  const names = await page.locator("#people .vh").allInnerTexts();
  return names.map((name) => name.replace(/ \(you\)$/, ""));
}

function rememberViolations(): void {
  const violations: string[] = [];
  Reflect.set(window, "violations", violations);
  document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => {
    violations.push(`${violatedDirective} ${blockedURI}`);
  });
}
