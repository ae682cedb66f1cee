/** An example, started as its README says, on ports that are free. */

import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { openPage } from "../support/chromium.ts";
import { type CliProcess, spawnCli } from "../support/process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const EXAMPLES = join(import.meta.dir, "..", "..", "examples");
const PORTS = { PORT: "0", FANFARE_PORT: "0" };

export interface Example {
  readonly process: CliProcess;
  /** `http://localhost:…/` */
  readonly url: string;
}

/** Resolves when it prints its address. `file` is below examples/. */
export async function startExample(file: string, env: Readonly<Record<string, string>> = {}): Promise<Example> {
  const cwd = temporaryFolder();
  const program = [file.endsWith(".mjs") ? "node" : process.execPath] as const;
  const child = spawnCli([join(EXAMPLES, file)], { program, cwd, env: { ...PORTS, CHAT_DB: join(cwd, "db"), ...env } });
  const [, url = ""] = await child.prints(/(http:\/\/localhost:\d+\/)/);
  return { process: child, url };
}

/** A person with a browser. Whatever the page complains of fails the test that looks at `errors`. */
export async function openAs(browser: Browser, url: string): Promise<{ page: Page; errors: string[] }> {
  const { page, errors } = await openPage(browser);
  page.setDefaultTimeout(30_000);
  await page.route("**/favicon.ico", (route) => route.fulfill({ status: 204 }));
  await page.goto(url);
  return { page, errors };
}
