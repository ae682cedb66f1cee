/** A private channel by the README alone, in a folder of one's own: its files and commands as they are. Only ports are others. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "../../scripts/llms.ts";
import { openBrowser, openPage } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { external } from "../support/external.ts";
import { openLaravelPage } from "../support/laravel-page.ts";
import { freePort } from "../support/ports.ts";
import { spawnCli, startProcess } from "../support/process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { blocksIn } from "./blocks.ts";

setDefaultTimeout(120_000);

const PATIENCE = { withinMs: 60_000 };
const [, section = ""] = readFileSync(join(ROOT, "README.md"), "utf8").split("**A private channel in your own app**");
const [app = "", echo = ""] = blocksIn(section, "js");
const [page = ""] = blocksIn(section, "html");
const [commands = ""] = blocksIn(section, "sh");
const [php = ""] = blocksIn(section, "php");
const browser = await openBrowser();

test("Express: the page hears what the back end publishes, and of no other channel", async () => {
  const stateDir = temporaryFolder();
  const server = await startProcess({ config: null, env: { FANFARE_STATE_DIR: stateDir } });
  const { id, key, secret } = JSON.parse(readFileSync(join(stateDir, "demo-app.json"), "utf8"));
  const port = await freePort();
  const filledIn = (text: string) =>
    text
      .replaceAll("9501", String(server.port))
      .replaceAll("3000", String(port))
      .replace("APP_ID", id)
      .replace("APP_KEY", key)
      .replace("APP_SECRET", secret);
  const cwd = temporaryFolder();
  mkdirSync(join(cwd, "node_modules"));
  for (const name of ["pusher", "pusher-js"])
    symlinkSync(join(ROOT, "node_modules", name), join(cwd, "node_modules", name));
  symlinkSync(dirname(external("express")), join(cwd, "node_modules", "express"));
  writeFileSync(join(cwd, "app.mjs"), filledIn(app));
  writeFileSync(join(cwd, "index.html"), filledIn(page));
  const program = spawnCli(["app.mjs"], { program: ["node"], cwd });
  const url = `http://localhost:${port}`;
  await eventually(async () => expect((await fetch(url)).status).toBe(200), PATIENCE);
  const { page: tab, errors } = await openPage(browser, url);
  await eventually(async () => {
    expect((await fetch(`${url}/pay`, { method: "POST" })).status).toBe(204);
    expect(await tab.textContent("body")).toContain("7 is paid");
  }, PATIENCE);
  const body = new URLSearchParams({ socket_id: "1.2", channel_name: "private-other" });
  expect((await fetch(`${url}/pusher/auth`, { method: "POST", body })).status).toBe(403);
  // A page without an icon.
  expect([errors.filter((text) => !text.includes("404")), program.stderr]).toEqual([[], ""]);
});

test("Laravel: Echo hears what Laravel publishes, as a user who is logged in", async () => {
  const cwd = makeApplication();
  for (const line of commands.trim().split("\n").slice(0, 3)) {
    const env = { COMPOSER_HOME: join(cwd, ".composer"), COMPOSER_ALLOW_SUPERUSER: "1", COMPOSER_NO_INTERACTION: "1" };
    const typed = spawnCli(["-c", line], { program: ["bash"], cwd, env });
    expect([line, (await typed.ended()).code]).toEqual([line, 0]);
  }
  const port = await freePort();
  const env = join(cwd, ".env");
  writeFileSync(env, readFileSync(env, "utf8").replace("PUSHER_PORT=9501", `PUSHER_PORT=${port}`));
  const start = commands.trim().split("\n").at(-1) ?? "";
  const server = spawnCli(["-c", start], { program: ["bash"], cwd, env: { FANFARE_PORT: String(port) } });
  await server.prints(/Press Ctrl\+C/);

  const [may = "", publish = ""] = php.trim().split("\n");
  const channels = join(cwd, "routes", "channels.php");
  writeFileSync(channels, `${readFileSync(channels, "utf8")}\n${may}\n`);
  await build(cwd);
  const site = await openLaravelPage(browser, cwd, external("php"));
  expect(await site.ask()).toBe(403);
  await site.login();
  expect(await site.ask()).toBe(200);
  await eventually(async () => {
    const code = `${BOOT} use Illuminate\\Support\\Facades\\Broadcast; ${publish}`;
    const program = spawnCli(["-r", code], { program: [external("php")], cwd });
    expect([(await program.ended()).code, program.output]).toEqual([0, ""]);
    expect(site.said.join()).toContain("7 is paid");
  }, PATIENCE);
});

const BOOT =
  '$app = require "bootstrap/app.php"; $app->make(Illuminate\\Contracts\\Console\\Kernel::class)->bootstrap();';

/** Beside the checkout. Debian brings what Composer would fetch, so no registry is asked. */
function makeApplication(): string {
  external("laravel");
  external("composer");
  external("php_curl");
  external("pdo_sqlite");
  const folder = temporaryFolder();
  symlinkSync(ROOT, join(folder, "fanfare"));
  const cwd = join(folder, "shop");
  cpSync(join(ROOT, "test", "backend", "programs", "laravel-app"), cwd, { recursive: true });
  for (const name of ["bootstrap/cache", "database", "storage/framework"])
    mkdirSync(join(cwd, name), { recursive: true });
  writeFileSync(join(cwd, "database", "shop.sqlite"), "");
  writeFileSync(join(cwd, ".env"), "APP_NAME=Shop\nBROADCAST_DRIVER=log\n");
  const parts = ["broadcasting", "console", "database", "http", "queue", "routing", "support"];
  const provide = Object.fromEntries(parts.map((part) => [`illuminate/${part}`, "8.83.26"]));
  const autoload = { "psr-4": { "App\\": "app/" } };
  const repositories = { "packagist.org": false };
  writeFileSync(join(cwd, "composer.json"), JSON.stringify({ name: "shop/app", repositories, autoload, provide }));
  symlinkSync(join(ROOT, "node_modules"), join(cwd, "node_modules"));
  return cwd;
}

/** As Laravel has its scripts built: by Vite, with the `.env`. */
async function build(cwd: string): Promise<void> {
  writeFileSync(join(cwd, "app.js"), echo);
  const lib = { entry: "app.js", formats: ["es"] };
  const config = JSON.stringify({ build: { lib, outDir: ".", emptyOutDir: false }, logLevel: "error" });
  writeFileSync(
    join(cwd, "vite.config.mjs"),
    `const config = ${config}; config.build.lib.fileName = () => "page.js"; export default config;`,
  );
  const vite = join(ROOT, "node_modules", "vite", "bin", "vite.js");
  const program = spawnCli([vite, "build"], { program: [external("node-22")], cwd });
  expect([(await program.ended()).code, program.stderr]).toEqual([0, ""]);
}
