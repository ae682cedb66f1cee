/** Firefox without a window, driven by WebDriver BiDi, which it speaks by itself. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { atEnd } from "./at-end.ts";
import type { BrowserPage, TestBrowser } from "./browser-page.ts";
import { external } from "./external.ts";
import { spawnCli } from "./process.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const EXECUTABLE = external("firefox");

/** It asks its maker for nothing, as far as being driven does not turn that off already. */
const PREFERENCES = {
  "app.normandy.enabled": false,
  "browser.backup.enabled": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
};

type Command = (method: string, params: object) => Promise<unknown>;

/** Call it at the top level of a file. The profile is new, and goes with the browser. */
export async function openFirefox(): Promise<TestBrowser> {
  const profile = temporaryFolder();
  const lines = Object.entries(PREFERENCES).map(
    (entry) => `user_pref(${entry.map((it) => JSON.stringify(it)).join(", ")});`,
  );
  writeFileSync(join(profile, "user.js"), lines.join("\n"));
  const child = spawnCli(["--headless", "--no-remote", "--remote-debugging-port", "0", "--profile", profile], {
    program: [EXECUTABLE],
    env: { HOME: profile },
  });
  const [, url = ""] = await child.prints(/WebDriver BiDi listening on (ws:\S+)/);
  const command = await openSession(`${url}/session`);
  return { openPage: (address) => openPage(command, address) };
}

async function openPage(command: Command, url: string): Promise<BrowserPage> {
  const { context } = (await command("browsingContext.create", { type: "window" })) as { context: string };
  const goto = async (address: string) => {
    await command("browsingContext.navigate", { context, url: address, wait: "complete" });
  };
  await goto(url);
  return {
    goto,
    evaluate: (expression) => evaluate(command, context, expression),
    reload: async () => void (await command("browsingContext.reload", { context, wait: "complete" })),
    back: async () => void (await command("browsingContext.traverseHistory", { context, delta: -1 })),
  };
}

interface Evaluated {
  readonly result?: { readonly value?: string };
  readonly exceptionDetails?: { readonly text: string };
}

async function evaluate<T>(command: Command, context: string, expression: string): Promise<T> {
  // As text, since BiDi has a notation of its own for values.
  const wrapped = `(async () => JSON.stringify({ value: await (${expression}) }))()`;
  const params = { expression: wrapped, target: { context }, awaitPromise: true };
  const { result, exceptionDetails } = (await command("script.evaluate", params)) as Evaluated;
  if (exceptionDetails) throw new Error(exceptionDetails.text);
  return JSON.parse(result?.value ?? "{}").value;
}

interface Answer {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: string;
  readonly message?: string;
}

async function openSession(url: string): Promise<Command> {
  const socket = new WebSocket(url);
  atEnd(() => socket.close());
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  socket.addEventListener("message", ({ data }) => {
    const { id = 0, result, error, message }: Answer = JSON.parse(String(data));
    if (error === undefined) waiting.get(id)?.resolve(result);
    else waiting.get(id)?.reject(new Error(`${error}: ${message}`));
    waiting.delete(id);
  });
  socket.addEventListener("close", () => {
    for (const { reject } of waiting.values()) reject(new Error("Firefox has ended."));
  });
  const opened = Promise.withResolvers<void>();
  socket.addEventListener("open", () => opened.resolve());
  socket.addEventListener("error", () => opened.reject(new Error(`No WebDriver BiDi at ${url}`)));
  await opened.promise;
  let last = 0;
  const command: Command = (method, params) => {
    const id = ++last;
    const answer = Promise.withResolvers<unknown>();
    waiting.set(id, answer);
    socket.send(JSON.stringify({ id, method, params }));
    return answer.promise;
  };
  await command("session.new", { capabilities: {} });
  return command;
}
