/**
 * The guides for Alphavel, Sentixtech and Ody, followed to the letter: a folder with the `.env` that the guide prints and nothing
 * else, the real program in it, and the guide's own client. Only the port is another.
 */

import { expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative, makeToken } from "../support/native-client.ts";
import { freePort } from "../support/ports.ts";
import { runCli, spawnCli } from "../support/process.ts";
import { trigger } from "../support/pusher-client.ts";
import { blocksIn, folderWith } from "./guides.ts";

setDefaultTimeout(120_000);

/** Starting eight workers takes a while on a machine that is busy. */
const PATIENCE = { withinMs: 60_000 };
/** The app that both guides add. */
const APP = { id: "chat", key: "chat-key", secret: "change-me" };

/** A new folder with the guide's `.env`, on a free port. */
async function seed(guide: string, files: Readonly<Record<string, string>> = {}) {
  const port = await freePort();
  const env = blocksIn(guide, "ini")
    .join("")
    .replace(/^WEBSOCKET_PORT=\d+$/m, `WEBSOCKET_PORT=${port}`);
  expect(env).toContain(`WEBSOCKET_PORT=${port}`);
  return { port, url: `http://127.0.0.1:${port}`, cwd: folderWith({ ".env": env, ...files }) };
}

async function untilItListens(url: string): Promise<void> {
  await eventually(async () => expect((await fetch(`${url}/health`)).status).toBe(200), PATIENCE);
}

/** Runs the guide's program, with what the reader has around it. */
async function runProgram(guide: string, before: string, after = "") {
  const [program = ""] = blocksIn(guide, "ts");
  const { cwd, ...place } = await seed(guide, { "program.ts": `${before}\n${program}\n${after}` });
  const child = spawnCli(["program.ts"], { program: [process.execPath, "--no-env-file"], cwd });
  await untilItListens(place.url);
  return { ...place, printed: () => child.output };
}

/** Runs the guide's client in this process. What it says to the console. */
function runClient(guide: string, port: number, token = ""): string[] {
  const [text = ""] = blocksIn(guide, "js");
  const said: string[] = [];
  const say = (...values: unknown[]) => {
    said.push(values.map((value) => (typeof value === "string" ? value : JSON.stringify(value))).join(" "));
  };
  class ClosedAtEnd extends WebSocket {
    constructor(url: string) {
      super(url);
      atEnd(() => this.close());
    }
  }
  const code = text.replace(/(localhost|127\.0\.0\.1):\d+/, `$1:${port}`).replace("YOUR_JWT_TOKEN", token);
  expect(code).toContain(`:${port}`);
  new Function("WebSocket", "console", code)(ClosedAtEnd, { log: say, error: say });
  return said;
}

function secretOfTokens(guide: string): string {
  return /^WEBSOCKET_SECRET_KEY=(.*)$/m.exec(blocksIn(guide, "ini").join(""))?.[1] ?? "";
}

test("Alphavel: `.env`, tokens and browsers go on, and what PHP pushes arrives (A25, A29 to A33, A48)", async () => {
  const { cwd, port, url } = await seed("alphavel");
  spawnCli([], { cwd });
  await untilItListens(url);
  const token = await makeToken({ sub: 123 as never }, secretOfTokens("alphavel"));
  const said = runClient("alphavel", port, token);
  await eventually(() => expect(said).toEqual(["Subscribed to: chat.room.1"]));
  await trigger(url, APP, { name: "new-message", channel: "chat.room.1", data: '{"text":"hi"}' });
  await eventually(() => expect(said.slice(1)).toEqual(['Message: {"text":"hi"}']));
});

test("Alphavel's program: who may not read is refused, and who is there hears what is pushed (A38, A39, A45)", async () => {
  const mayRead = "globalThis.mayRead = (user, channel) => user === channel.split('.').at(-1);";
  // What the guide pushes once at its start, a client has to be there for.
  const push = blocksIn("alphavel", "ts")[0]?.split("if (server.isPrimary)")[1];
  expect(push).toContain("toUser(123)");
  const { url } = await runProgram("alphavel", mayRead, `if (server.isPrimary) setInterval(async () => ${push}, 200);`);
  const options = { token: await makeToken({ sub: 123 as never }, secretOfTokens("alphavel")) };
  const ada = await connectNative(url, options);
  await ada.subscribe("private-user.123");
  await expect(ada.subscribe("private-user.456")).rejects.toThrow("unauthorized");
  expect(await ada.next("notification")).toMatchObject({ data: { title: "New order" } });
  await ada.subscribe("chat.room.1");
  expect(await ada.next("new-message")).toMatchObject({ data: { text: "hi" }, channel: "chat.room.1" });
});

test("Sentixtech: the `.env` goes on (S38, S39, S41)", async () => {
  const { cwd, url } = await seed("sentixtech");
  spawnCli([], { cwd });
  await untilItListens(url);
  const client = await connectNative(url);
  expect(client.welcome.activityTimeoutS).toBe(30);
  await client.subscribe("lobby");
  await trigger(url, APP, { name: "news", channel: "lobby", data: "hi" });
  expect(await client.next("news")).toMatchObject({ data: "hi" });
});

test("Sentixtech's program: its clients, its authenticator, its listener, what is kept (S2, S3, S10, S11, S12, S17)", async () => {
  const store = "globalThis.store = (data) => console.log('stored ' + JSON.stringify(data));";
  const { port, url, printed } = await runProgram("sentixtech", store);
  const bob = await connectNative(url);
  expect(await bob.ask("subscribe", { channel: "lobby" })).toMatchObject({ position: { offset: 0 } });
  const said = runClient("sentixtech", port);
  expect(await bob.next("message")).toMatchObject({ data: "hi", user: "ada" });
  await eventually(() => expect(printed()).toContain('stored "hi"'));
  expect(await bob.ask("publish", { channel: "lobby", data: "spam" })).toMatchObject({ code: "publish_forbidden" });
  await bob.ask("publish", { channel: "lobby", data: "hello" });
  await eventually(() => expect(said).toEqual(["lobby hello"]));
  expect(printed()).not.toContain("spam");
  const cyd = await connectNative(url);
  expect(await cyd.ask("subscribe", { channel: "lobby", recover: true })).toMatchObject({ recovered: true });
  expect(await cyd.next("message")).toMatchObject({ data: "hi" });
  expect(await cyd.next("message")).toMatchObject({ data: "hello" });
  expect(await cyd.ask("authenticate", { username: "cyd", token: "bad" })).toMatchObject({ code: "unauthorized" });
});

test("Ody: `.env`, `init`, the controller at `/` and its clients go on, in the background (O2, O3, O7, O8, O12, O14, O26)", async () => {
  const { cwd, port, url } = await seed("ody", { "controller.ts": blocksIn("ody", "ts").at(-1) ?? "" });
  expect((await runCli(["init"], { cwd })).code).toBe(0);
  const file = join(cwd, "fanfare.config.ts");
  const [line = ""] = blocksIn("ody", "ts");
  expect(line).toStartWith("controllers: [");
  writeFileSync(file, readFileSync(file, "utf8").replace("export default {\n", `export default {\n  ${line}`));
  const started = await runCli(["serve", "-d"], { cwd });
  try {
    expect([started.code, started.stderr]).toEqual([0, ""]);
    await untilItListens(url);
    const said = runClient("ody", port);
    await eventually(() => expect(said).toEqual(["Opened", "Recv: hello"]));
    expect(await (await fetch(url)).text()).toBe("pushed");
    const key = /key: "([^"]+)"/.exec(readFileSync(file, "utf8"))?.[1] ?? "";
    const token = await makeToken({ sub: "ada" }, secretOfTokens("ody"));
    expect((await connectNative(url, { app: key, token })).welcome.user).toEqual({ id: "ada" });
  } finally {
    expect((await runCli(["stop"], { cwd })).code).toBe(0);
  }
});
