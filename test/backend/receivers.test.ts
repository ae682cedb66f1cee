/** The receivers of docs/hooks: real PHP, Express and FastAPI behind a real server, without a line of TypeScript. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { copyFileSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { external } from "../support/external.ts";
import { connectNative, dialNative } from "../support/native-client.ts";
import { freePort } from "../support/ports.ts";
import { APP, startServer } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

setDefaultTimeout(60_000);

const DOCS = join(import.meta.dir, "..", "..", "docs", "hooks");
const ORIGIN = "https://shop.example";

const RECEIVERS: Readonly<Record<string, (port: number) => { command: string[]; cwd?: string }>> = {
  "plain PHP": (port) => ({ command: [external("php"), "-S", `127.0.0.1:${port}`, join(DOCS, "hooks.php")] }),
  "a Laravel controller": (port) => ({
    command: [external("php"), "-S", `127.0.0.1:${port}`, join(import.meta.dir, "programs", "laravel.php")],
  }),
  Express: () => {
    // It is looked for beside the file that imports it.
    const folder = temporaryFolder();
    copyFileSync(join(DOCS, "express.mjs"), join(folder, "express.mjs"));
    symlinkSync(dirname(dirname(external("express"))), join(folder, "node_modules"));
    return { command: ["node", join(folder, "express.mjs")] };
  },
  FastAPI: (port) => {
    external("fastapi");
    external("uvicorn");
    return { command: [external("python3"), "-m", "uvicorn", "fastapi_hooks:app", "--port", String(port)], cwd: DOCS };
  },
};

async function start(name: string): Promise<string> {
  const port = await freePort();
  const { command, cwd = temporaryFolder() } = (RECEIVERS[name] as (typeof RECEIVERS)[string])(port);
  const env = { ...process.env, FANFARE_SECRET: APP.secret, PORT: String(port), PYTHONDONTWRITEBYTECODE: "1" };
  const child = Bun.spawn(command, { cwd, env, stdout: "ignore", stderr: "ignore" });
  atEnd(async () => {
    child.kill();
    await child.exited;
  });
  const url = `http://127.0.0.1:${port}/fanfare`;
  // What is not signed is refused, which says that it is there.
  await eventually(async () => {
    const { status } = await fetch(url, {
      method: "POST",
      body: "{}",
      headers: { "Content-Type": "application/json" },
    });
    expect(status).toBe(401);
  });
  return url;
}

test.each(Object.keys(RECEIVERS))(
  "%s decides who connects, subscribes and publishes, and answers calls",
  async (name) => {
    const url = await start(name);
    const hooks = { url, forward: ["cookie"], connect: true, subscribe: true, publish: true, call: true, timeoutS: 10 };
    const channels = [{ match: "*", clientPublish: "any" as const }];
    const server = await startServer({}, { hooks, channels, allowedOrigins: [ORIGIN] });
    const stranger = await dialNative(server.url, { headers: { Origin: ORIGIN } });
    expect(await stranger.next("closing")).toMatchObject({ code: "unauthorized", message: "Log in first." });
    const client = await connectNative(server.url, { headers: { Origin: ORIGIN, Cookie: "session=user-ada" } });
    expect(client.welcome.user).toEqual({ id: "ada" });
    expect(client.welcome.reconnectToken).toBeString();
    expect(await client.ask("subscribe", { channel: "private-orders.bob" })).toMatchObject({
      ...{ event: "error", code: "not_yours", message: "That is not yours." },
    });
    const channel = "private-orders.ada";
    await client.subscribe(channel);
    const back = await connectNative(server.url, {
      token: String(client.welcome.reconnectToken),
      headers: { Origin: ORIGIN },
    });
    await back.subscribe(channel);
    await client.ask("publish", { channel, event: "say", data: "buy my spam" });
    await client.ask("publish", { channel, event: "say", data: "hello" });
    expect(await back.next("say")).toMatchObject({ data: "hello" });
    expect(await back.ask("plan")).toMatchObject({ event: "result", data: { plan: "pro", of: "ada" } });
  },
);
