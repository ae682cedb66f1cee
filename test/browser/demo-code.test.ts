/** The code on the demo page, copied from it and run as it is: what it promises is what happens. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { openBrowser } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { type CliProcess, runCli, spawnCli } from "../support/process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { PATIENCE_MS, shows, startDemo, TEST_MS, visit } from "./visit.ts";

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

test.each(["WebSocket", "@fanfare/client", "pusher-js", "Laravel Echo"])(
  "the lines for %s hear what is pushed",
  async (tab) => {
    const program = run(await copied(page, "#client-code", tab));
    await eventually(
      async () => {
        await server.toChannel("lobby").push({ event: "message", data: { text: "to whom it may concern" } });
        expect(program.stdout).toContain("to whom it may concern");
      },
      { withinMs: PATIENCE_MS, everyMs: 100 },
    );
    expect(program.stderr).toBe("");
  },
);

test("the lines for HTTP push to the chat", async () => {
  const [secret = ""] = server.apps[0]?.secrets ?? [];
  const program = run(await copied(page, "#server-code", "HTTP"), { SECRET: secret });
  const ended = await program.ended();
  expect([ended.code, program.output]).toEqual([0, ""]);
  await shows(page, ".message.server", "Hello, lobby");
});

test("the command line pushes to the chat", async () => {
  const code = await copied(page, "#server-code", "Command line");
  const [, words = ""] = /^npx fanfare (publish .*)$/m.exec(code) ?? [];
  const args = words.split(" ").map((word) => word.replaceAll("'", ""));
  // The data has a space in it, which a shell would have kept.
  const quoted = /'([^']*)'/.exec(words)?.[1] ?? "";
  const at = args.findIndex((word) => word.startsWith("{"));
  args.splice(at, quoted.split(" ").length, quoted.replace("Hello", "Hello by hand"));
  const { code: exit, stderr } = await runCli(args, { env: { FANFARE_STATE_DIR: stateDir } });
  expect([exit, stderr]).toEqual([0, ""]);
  await shows(page, ".message.server", "Hello by hand, lobby");
});

test("the lines to embed a server run", async () => {
  const code = await copied(page, "#server-code", "Embedded");
  expect(code).toContain(`port: ${server.port}`);
  const program = run(`${code.replace(String(server.port), "0")}\nawait server.stop();`, {
    FANFARE_LOG_LEVEL: "silent",
  });
  const ended = await program.ended();
  expect([ended.code, program.output.includes("rror")]).toEqual([0, false]);
});

test("the copy button copies, and says so", async () => {
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.getByRole("tab", { name: "pusher-js" }).click();
  await page.click("#client-code .copy");
  await shows(page, "#client-code .copy", "Copied");
  const text = await page.evaluate(() => navigator.clipboard.readText());
  expect(text).toContain(`new Pusher("${server.apps[0]?.key}"`);
  expect(text).toContain(`wsHost: "localhost", wsPort: ${server.port}`);
  await shows(page, "#client-code .copy", "Copy");
});

test("the copy button also works where the browser gives no clipboard", async () => {
  const visitor = await visit(browser, server, {
    before: () => {
      Object.defineProperty(navigator, "clipboard", { value: undefined });
      document.addEventListener("copy", () => Reflect.set(window, "copied", String(getSelection())));
    },
  });
  await visitor.page.click("#server-code .copy");
  await shows(visitor.page, "#server-code .copy", "Copied");
  expect(await visitor.page.evaluate(() => Reflect.get(window, "copied"))).toContain('import Pusher from "pusher";');
});

async function copied(from: Page, panel: string, tab: string): Promise<string> {
  await from.locator(panel).getByRole("tab", { name: tab }).click();
  return (await from.locator(`${panel} pre`).textContent()) ?? "";
}

function run(code: string, env: Readonly<Record<string, string>> = {}): CliProcess {
  const file = join(project, `${crypto.randomUUID()}.mjs`);
  writeFileSync(file, code);
  return spawnCli([file], { program: [process.execPath], cwd: project, env });
}
