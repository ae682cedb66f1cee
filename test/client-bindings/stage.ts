/** A page of one framework in a real browser, and every frame that it sends. What is on the page is described by data, alike for all. */

import { join } from "node:path";
import type { BunPlugin } from "bun";
import type { Browser, Page } from "playwright-core";
import type { Server } from "../../packages/server/src/index.ts";
import { atEnd } from "../support/at-end.ts";
import { openPage } from "../support/chromium.ts";
import type { AppInput } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** One component. Its text is in the element with this id. */
export interface Part {
  readonly id: string;
  readonly kind: "connection" | "channel" | "event" | "events" | "members" | "live";
  readonly name?: string | null;
  /** What is said of an event, so that a test sees whether the newest listener is called. */
  readonly label?: string;
  readonly rewind?: boolean;
  readonly suspense?: boolean;
}

export interface Scene {
  readonly parts: readonly Part[];
  /** Shown, but put into the background: React's Activity, Vue's KeepAlive. */
  readonly isHidden?: boolean;
}

/** What the page of each framework gives to the test. */
export interface StageWindow {
  render(scene: Scene): void;
  unmount(): void;
  /** Closes the socket without a word, as a network does. */
  cut(): void;
  readonly loads: number;
}

/** Channels whose names begin with `kept-` have history. */
export const APP_OPTIONS: Partial<AppInput> = {
  anonymous: true,
  channels: [{ match: "kept-*", history: { size: 2_000, ttlS: 600 } }],
};

export interface Stage {
  readonly page: Page;
  readonly errors: string[];
  /** `["subscribe room", …]`, of the channels' commands. */
  readonly sent: string[];
  render(scene: Scene): Promise<void>;
  /** Unmounts all and renders this in one turn of the page: on a slow machine, too, before the client leaves a channel that nobody uses. */
  replace(scene: Scene): Promise<void>;
  text(id: string): Promise<string | null>;
  call(method: "unmount" | "cut"): Promise<void>;
}

/** Bundled once; `markup` is what a server has rendered. */
export async function bundlePage(file: string, plugins: BunPlugin[] = []): Promise<string> {
  const built = await Bun.build({
    entrypoints: [join(import.meta.dir, "pages", file)],
    target: "browser",
    format: "esm",
    define: { "process.env.NODE_ENV": '"development"', __VUE_OPTIONS_API__: "false", __VUE_PROD_DEVTOOLS__: "false" },
    plugins,
  });
  return (await built.outputs[0]?.text()) ?? "";
}

/** A module for this process, with the same replacements. */
export async function importBundle<T>(file: string, plugins: BunPlugin[] = []): Promise<T> {
  const outdir = temporaryFolder();
  const entrypoints = [join(import.meta.dir, "pages", file)];
  const built = await Bun.build({ entrypoints, outdir, target: "bun", plugins });
  return await import(built.outputs[0]?.path ?? "");
}

export async function openStage(
  browser: Browser,
  server: Server,
  script: string,
  { markup = "", query = {} }: { readonly markup?: string; readonly query?: Readonly<Record<string, string>> } = {},
): Promise<Stage> {
  const html = `<!doctype html><html lang="en"><div id="root">${markup}</div><script type="module" src="/page.js"></script></html>`;
  const web = Bun.serve({
    port: 0,
    routes: {
      "/": new Response(html, { headers: { "content-type": "text/html" } }),
      "/page.js": new Response(script, { headers: { "content-type": "text/javascript" } }),
      "/state": async () => {
        const { position, events } = await server.history("kept-state", { limit: 1_000 });
        return Response.json({ state: events.map(({ data }) => data), position });
      },
      "/favicon.ico": new Response(null, { status: 204 }),
    },
  });
  atEnd(() => web.stop(true));
  const { page, errors } = await openPage(browser);
  const sent: string[] = [];
  page.on("websocket", (socket) =>
    socket.on("framesent", ({ payload }) => {
      const { event, data } = JSON.parse(String(payload));
      if (event === "subscribe" || event === "unsubscribe") sent.push(`${event} ${data.channel}`);
    }),
  );
  const address = new URLSearchParams({ ...query, server: `ws://127.0.0.1:${server.port}` });
  await page.goto(`${web.url}?${address}`);
  return {
    page,
    errors,
    sent,
    render: (scene) => page.evaluate((it) => (window as unknown as StageWindow).render(it), scene),
    replace: (scene) =>
      page.evaluate((it) => {
        const stage = window as unknown as StageWindow;
        stage.unmount();
        stage.render(it);
      }, scene),
    text: (id) => page.evaluate((it) => document.getElementById(it)?.textContent ?? null, id),
    call: (method) => page.evaluate((it) => (window as unknown as StageWindow)[it](), method),
  };
}
