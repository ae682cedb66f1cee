/** WebKit, as GNOME's browser has it, on a display that nobody sees, driven by WebDriver. */

import { atEnd } from "./at-end.ts";
import type { BrowserPage, TestBrowser } from "./browser-page.ts";
import { eventually } from "./eventually.ts";
import { external } from "./external.ts";
import { freePort } from "./ports.ts";
import { spawnCli } from "./process.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const DRIVER = external("WebKitWebDriver");
const EXECUTABLE = external("MiniBrowser");
const DISPLAY = external("Xvfb");

type Call = (method: "GET" | "POST" | "DELETE", path: string, body?: object) => Promise<unknown>;

/** Call it at the top level of a file. Nothing that it stores is kept. */
export async function openWebKit(): Promise<TestBrowser> {
  const display = spawnCli(["-displayfd", "1", "-screen", "0", "1024x768x24", "-nolisten", "tcp"], {
    program: [DISPLAY],
  });
  const [, number = ""] = await display.prints(/^(\d+)$/m);
  const port = await freePort();
  const driver = spawnCli([`--port=${port}`], {
    program: [DRIVER],
    env: { DISPLAY: `:${number}`, HOME: temporaryFolder() },
  });
  const call = callerOf(`http://127.0.0.1:${port}`);
  await eventually(() => call("GET", "/status"), { withinMs: 20_000 });
  const options = { binary: EXECUTABLE, args: ["--automation"] };
  const capabilities = { alwaysMatch: { "webkitgtk:browserOptions": options } };
  const { sessionId } = (await call("POST", "/session", { capabilities })) as { sessionId: string };
  atEnd(async () => {
    if (!driver.hasEnded) await call("DELETE", `/session/${sessionId}`);
  });
  return new Session((method, path, body) => call(method, `/session/${sessionId}${path}`, body));
}

/** Its commands go to one window at a time, so each is sent after those before it. */
class Session implements TestBrowser {
  readonly #call: Call;
  #last: Promise<unknown> = Promise.resolve();

  constructor(call: Call) {
    this.#call = call;
  }

  async openPage(url: string): Promise<BrowserPage> {
    const { handle } = (await this.#inTurn(() => this.#call("POST", "/window/new", { type: "window" }))) as {
      handle: string;
    };
    const inWindow = (path: string, body: object = {}) =>
      this.#inTurn(async () => {
        await this.#call("POST", "/window", { handle });
        return await this.#call("POST", path, body);
      });
    await inWindow("/url", { url });
    return {
      goto: async (address) => void (await inWindow("/url", { url: address })),
      reload: async () => void (await inWindow("/refresh")),
      back: async () => void (await inWindow("/back")),
      evaluate: async <T>(expression: string) => {
        const script = `const done = arguments[0];
          (async () => await (${expression}))().then((value) => done({ value }), (error) => done({ error: String(error) }));`;
        const { value, error } = (await inWindow("/execute/async", { script, args: [] })) as {
          value: T;
          error?: string;
        };
        if (error !== undefined) throw new Error(error);
        return value;
      },
    };
  }

  #inTurn(action: () => Promise<unknown>): Promise<unknown> {
    const done = this.#last.then(action);
    this.#last = done.catch(() => undefined);
    return done;
  }
}

function callerOf(url: string): Call {
  return async (method, path, body) => {
    const response = await fetch(url + path, { method, ...(body && { body: JSON.stringify(body) }) });
    const { value } = (await response.json()) as { value: unknown };
    if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(value)}`);
    return value;
  };
}
