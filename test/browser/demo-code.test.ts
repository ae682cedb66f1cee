/** The code on the demo page, copied from it and run as it is: what it promises is what happens. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { openBrowser } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { type CliProcess, runCli, spawnCli } from "../support/process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { PATIENCE_MS, shows, startDemo, TEST_MS, visit, WORKSHOP } from "./visit.ts";

setDefaultTimeout(TEST_MS);

const ROOT = join(import.meta.dir, "..", "..");
const PACKAGES = ["@fanfare", "pusher", "pusher-js", "laravel-echo"];

const browser = await openBrowser();
const stateDir = temporaryFolder();
const server = await startDemo({ stateDir });
const { page } = await visit(browser, server);

/** Somebody's own project, with the packages that the code imports. */
const project = temporaryFolder();
mkdirSync(join(project, "node_modules"));
for (const name of PACKAGES) symlinkSync(join(ROOT, "node_modules", name), join(project, "node_modules", name));
symlinkSync(join(ROOT, "packages", "server"), join(project, "node_modules", "fanfare"));

test.each([
  ["Fanfare client", WORKSHOP],
  ["pusher-js", "workshop"],
  ["Laravel Echo", "workshop"],
  ["WebSocket", "workshop"],
])("the lines for %s hear what is pushed", async (tab, channel) => {
  const program = run(await copied(page, tab));
  await eventually(
    async () => {
      await server.toChannel(channel).push({ event: "note", data: { text: "to whom it may concern" } });
      expect(program.stdout).toContain("to whom it may concern");
    },
    { withinMs: PATIENCE_MS, everyMs: 100 },
  );
  expect(program.stderr).toBe("");
});

test("the lines for a back end put a note on the board", async () => {
  const [secret = ""] = server.apps[0]?.secrets ?? [];
  const program = run(await copied(page, "Back end"), { FANFARE_SECRET: secret });
  const ended = await program.ended();
  expect([ended.code, program.output]).toEqual([0, ""]);
  await shows(page, "#notes", "Hello");
});

test("the command line puts a note on the board", async () => {
  const code = await copied(page, "Shell");
  const [, words = ""] = /^npx fanfare (publish .*)$/m.exec(code) ?? [];
  const args = words.split(" ").map((word) => word.replaceAll("'", ""));
  // The data has a space in it, which a shell would have kept.
  const quoted = /'([^']*)'/.exec(words)?.[1] ?? "";
  const at = args.findIndex((word) => word.startsWith("{"));
  args.splice(at, quoted.split(" ").length, quoted.replace("Hello", "Hello by hand"));
  const { code: exit, stderr } = await runCli(args, { env: { FANFARE_STATE_DIR: stateDir } });
  expect([exit, stderr]).toEqual([0, ""]);
  await shows(page, "#notes", "Hello by hand, board");
});

test("lines say how often they ran", async () => {
  await page.getByRole("tab", { name: "pusher-js" }).click();
  const hits = page.locator('[data-hit="public"] .hits');
  const before = Number((await hits.textContent())?.replace("×", ""));
  await server.toChannel("workshop").push({ event: "note", data: { text: "once more" } });
  await eventually(async () => expect(await hits.textContent()).toBe(`${before + 1}×`));
  await page.locator('.hot[data-hit="public"]').waitFor({ state: "detached" });
});

test("the copy button copies, and says so", async () => {
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.getByRole("tab", { name: "pusher-js" }).click();
  await page.click("#code .copy");
  await shows(page, "#code .copy", "Copied");
  const text = await page.evaluate(() => navigator.clipboard.readText());
  expect(text).toContain(`new Pusher("${server.apps[0]?.key}"`);
  expect(text).toContain(`wsHost: "localhost"`);
  expect(text).toContain(`wsPort: ${server.port}`);
  await shows(page, "#code .copy", "Copy");
});

test("the copy button also works where the browser gives no clipboard", async () => {
  const visitor = await visit(browser, server, {
    before: () => {
      Object.defineProperty(navigator, "clipboard", { value: undefined });
      document.addEventListener("copy", () => Reflect.set(window, "copied", String(getSelection())));
    },
  });
  await visitor.page.click("#code .copy");
  await shows(visitor.page, "#code .copy", "Copied");
  const copied: string = await visitor.page.evaluate(() => Reflect.get(window, "copied"));
  expect(copied).toContain("createClient(");
  expect(copied).toContain("{\n");
  expect(copied).not.toContain("×");
});

async function copied(from: Page, tab: string): Promise<string> {
  await from.getByRole("tab", { name: tab }).click();
  return (await from.locator("#code-block .line code").allTextContents()).join("\n");
}

function run(code: string, env: Readonly<Record<string, string>> = {}): CliProcess {
  const file = join(project, `${crypto.randomUUID()}.mjs`);
  writeFileSync(file, code);
  return spawnCli([file], { program: [process.execPath], cwd: project, env });
}
