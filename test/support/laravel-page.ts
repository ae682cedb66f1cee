/** A page of a Laravel application, in a browser: Laravel's own session, CSRF token and route for private channels. */

import { appendFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { openPage } from "./chromium.ts";
import { eventually } from "./eventually.ts";
import { freePort } from "./ports.ts";
import { spawnCli } from "./process.ts";

/** The script is the file `page.js` in the application's folder. */
const ROUTES = `
Route::get('/page', fn () => '<meta name="csrf-token" content="'.csrf_token().'"><script type="module" src="/page.js"></script>');
Route::get('/page.js', fn () => response(file_get_contents(base_path('page.js')))->header('Content-Type', 'text/javascript'));
`;

/** Of the application in that folder, which is test/backend/programs/laravel-app with something installed. */
export async function openLaravelPage(browser: Browser, cwd: string, php: string) {
  appendFileSync(join(cwd, "routes", "web.php"), ROUTES);
  const port = await freePort();
  spawnCli(["-S", `localhost:${port}`, "-t", "public", "public/index.php"], { program: [php], cwd });
  const url = `http://localhost:${port}`;
  await eventually(
    async () => {
      const { status } = await fetch(`${url}/migrate`);
      if (status !== 200) throw new Error(`GET ${url}/migrate: ${status}`);
    },
    { withinMs: 20_000 },
  );
  const { page } = await openPage(browser);
  const said: string[] = [];
  page.on("console", (message) => said.push(message.text()));
  return {
    /** What the page wrote on its console. */
    said,
    login: async () => void (await page.goto(`${url}/login/1`)),
    /** Opens the page, and answers with what its question about a private channel was answered. */
    ask: async () => {
      const answered = page.waitForResponse(`${url}/broadcasting/auth`);
      await page.goto(`${url}/page`);
      return (await answered).status();
    },
  };
}
