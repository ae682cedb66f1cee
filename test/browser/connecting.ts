/** Somebody who copies the code of Connect into a project of their own, and runs it there; and the lights that turn on by it. */

import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Page } from "playwright-core";
import { eventually } from "../support/eventually.ts";
import { external } from "../support/external.ts";
import { type CliProcess, spawnCli } from "../support/process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { PATIENCE_MS, shows } from "./dashboard.ts";

const ROOT = join(import.meta.dir, "..", "..");

/** A new project, with the packages that the code imports. */
export function newProject(): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "node_modules"));
  for (const name of ["@fanfare", "pusher", "pusher-js", "laravel-echo"])
    symlinkSync(join(ROOT, "node_modules", name), join(folder, "node_modules", name));
  symlinkSync(dirname(external("express")), join(folder, "node_modules", "express"));
  return folder;
}

/** Exactly these are on. */
export async function lights(page: Page, wanted: readonly string[]): Promise<void> {
  await eventually(
    async () => {
      const on = await page.locator('.lights [data-on="true"] b').allInnerTexts();
      if (on.join() !== wanted.join()) throw new Error(`These lights are on: ${on.join(", ")}`);
    },
    { withinMs: PATIENCE_MS, everyMs: 50 },
  );
}

export async function copied(page: Page, step: "Connect" | "Permit" | "Publish", tab: string): Promise<string> {
  const card = page.locator("section", { has: page.getByRole("tablist", { name: step, exact: true }) });
  await card.getByRole("tab", { name: tab, exact: true }).click();
  const code = card.getByRole("tabpanel", { name: tab, exact: true }).locator("pre").last();
  return (await code.textContent()) ?? "";
}

/** As the page shows it when it is asked to. */
export async function copiedSecret(page: Page): Promise<string> {
  await page.getByRole("button", { name: "Show secret" }).click();
  const shown = await shows(page, ".snippet pre", "FANFARE_SECRET=");
  return /FANFARE_SECRET=(\S+)/.exec(shown)?.[1] ?? "";
}

type Env = Readonly<Record<string, string>>;

export function run(code: string, env: Env = {}): CliProcess {
  return runBy([process.execPath], code, "mjs", env);
}

/** As a file with that ending, which is handed to that program. */
export function runBy(program: readonly [string, ...string[]], code: string, ending: string, env: Env): CliProcess {
  const cwd = newProject();
  writeFileSync(join(cwd, `program.${ending}`), code);
  return spawnCli([`program.${ending}`], { program, cwd, env });
}

export function shell(code: string, env: Env): CliProcess {
  return spawnCli(["-c", code], { program: ["sh"], cwd: newProject(), env });
}

/** An application with what Composer would have put there, and these lines as its `.env`. */
export function laravel(environment: string) {
  external("laravel");
  external("php_curl");
  external("pdo_sqlite");
  const php = external("php");
  const cwd = temporaryFolder();
  cpSync(join(ROOT, "test", "backend", "programs", "laravel-app"), cwd, { recursive: true });
  for (const folder of ["bootstrap/cache", "database", "storage/framework", "storage/logs", "vendor/composer"])
    mkdirSync(join(cwd, folder), { recursive: true });
  writeFileSync(join(cwd, "database", "shop.sqlite"), "");
  const sources = JSON.stringify(join(ROOT, "packages", "laravel", "src"));
  writeFileSync(
    join(cwd, "vendor", "autoload.php"),
    `<?php
spl_autoload_register(function ($name) {
  foreach (['Fanfare\\\\Laravel\\\\' => ${sources}, 'App\\\\' => __DIR__ . '/../app'] as $prefix => $folder) {
    $file = $folder . '/' . str_replace('\\\\', '/', substr($name, strlen($prefix))) . '.php';
    if (str_starts_with($name, $prefix) && is_file($file)) require $file;
  }
});`,
  );
  const extra = { laravel: { providers: ["Fanfare\\Laravel\\FanfareServiceProvider"] } };
  const installed = { packages: [{ name: "fanfare/laravel", extra }] };
  writeFileSync(join(cwd, "vendor", "composer", "installed.json"), JSON.stringify(installed));
  writeFileSync(join(cwd, "composer.json"), "{}");
  writeFileSync(
    join(cwd, ".env"),
    `${environment.replace("BROADCAST_CONNECTION=pusher", "BROADCAST_DRIVER=fanfare")}\n`,
  );
  const boot =
    '$app = require "bootstrap/app.php"; $app->make(Illuminate\\Contracts\\Console\\Kernel::class)->bootstrap();';
  /** As `artisan tinker` does, which is a package that Debian does not have. */
  const runCode = (code: string) => spawnCli(["-r", boot + code], { program: [php], cwd });
  return { cwd, php, runCode };
}
