/** The programs and configurations of docs/from, run as a reader would run them. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { connectAs } from "../support/native-client.ts";
import { spawnCli, startProcess, temporaryFolder } from "../support/process.ts";
import { connectPusher, dialPusher } from "../support/pusher-client.ts";
import { freePort } from "../support/redis.ts";
import { APP } from "../support/server.ts";
import { connect } from "../support/socket.ts";
import { GUIDES } from "./guides.ts";

setDefaultTimeout(60_000);

const ROOT = join(import.meta.dir, "..", "..");
const ENV = { PUSHER_APP_ID: APP.id, PUSHER_APP_KEY: APP.key, PUSHER_APP_SECRET: APP.secret };
const SHOP = { id: "shop", key: "shop-key", secret: "change-me" };

function programOf(guide: string): string {
  const { text = "" } = GUIDES.find(({ name }) => name === `${guide}.md`) ?? {};
  return /^```ts\n([\s\S]*?)^```$/m.exec(text)?.[1] ?? "";
}

/** A folder in which `fanfare` can be imported, with the guide's program in it. */
function folderWith(file: string, text: string): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(ROOT, join(folder, "node_modules", "fanfare"));
  writeFileSync(join(folder, file), text);
  return folder;
}

/** Runs the guide's program on a free port, between what it takes for granted and what the test adds. */
async function run(guide: string, before = "", after = ""): Promise<{ url: string; printed: () => string }> {
  const port = await freePort();
  const program = `${before}\n${programOf(guide).replace(/port: \d+/, `port: ${port}`)}\n${after}`;
  const cwd = folderWith("program.ts", program);
  const child = spawnCli(["program.ts"], { program: [process.execPath], cwd, env: ENV });
  const url = `http://127.0.0.1:${port}`;
  await eventually(async () => expect((await fetch(`${url}/health`)).status).toBe(200), { withinMs: 20_000 });
  return { url, printed: () => child.stdout };
}

test("Alphavel's program: who may not read is refused, and who is there hears what is pushed (A38, A45)", async () => {
  const mayRead = "globalThis.mayRead = (user, channel) => user === channel.split('.').at(-1);";
  // What the guide pushes once at its start, a client has to be there for.
  const again =
    "setInterval(() => server.toChannel('chat.room.1').push({ event: 'new-message', data: { text: 'hi' } }), 200);";
  const { url } = await run("alphavel", mayRead, again);
  const ada = await connectAs(url, "ada");
  await ada.subscribe("private-of.ada");
  await expect(ada.subscribe("private-of.bob")).rejects.toThrow("unauthorized");
  await ada.subscribe("chat.room.1");
  expect(await ada.next("new-message")).toMatchObject({ data: { text: "hi" }, channel: "chat.room.1" });
});

test("Sentixtech's program: its authenticator, its listener for a channel, what is kept, and how many may come (S2, S3, S10, S11, S12)", async () => {
  const store = "globalThis.store = (data) => console.log('stored ' + JSON.stringify(data));";
  const { url, printed } = await run("sentixtech", store);
  const ada = await connectAs(url, "ada");
  const answer = await ada.ask("subscribe", { channel: "lobby" });
  expect(answer).toMatchObject({ event: "subscribed", position: { offset: 0 } });
  await ada.ask("publish", { channel: "lobby", data: { text: "hi" } });
  await eventually(() => expect(printed()).toContain('stored {"text":"hi"}'));
  const bob = await connectAs(url, "bob");
  expect(bob.welcome.activityTimeoutS).toBe(30);
  expect(await bob.ask("subscribe", { channel: "lobby", recover: true })).toMatchObject({ recovered: true });
  expect(await bob.next("message")).toMatchObject({ data: { text: "hi" } });
  expect(await bob.ask("authenticate", { username: "bob", token: "bad" })).toMatchObject({ code: "unauthorized" });
  expect(await bob.ask("authenticate", { username: "bob", token: "good" })).toMatchObject({
    data: { user: { id: "bob" } },
  });
});

test("Ody's controller: raw frames are echoed, and ordinary HTTP is answered at its path (O2, O12, O14, O26)", async () => {
  const { url } = await run("ody");
  const socket = await connect(`${url.replace("http", "ws")}/chat`);
  socket.send("hello");
  await eventually(() => expect(socket.raw).toContain("Recv: hello"));
  expect(await (await fetch(`${url}/chat`)).text()).toBe("pushed");
});

test.each(["laravel-websockets", "reverb", "soketi"])(
  "the configuration of %s's guide is one that the server runs with (B8)",
  async (guide) => {
    const cwd = folderWith("fanfare.config.ts", programOf(guide));
    const { url } = await startProcess({ cwd, config: null });
    const headers = { Origin: "https://shop.example" };
    const client = await connectPusher(url, { app: SHOP, headers });
    await client.subscribe("private-orders");
    client.send("client-x", {}, "private-orders");
    const refused = guide === "reverb";
    if (refused) expect(await client.next("pusher:error")).toMatchObject({ event: "pusher:error" });
    else await client.ping();
    const elsewhere = await dialPusher(url, { app: SHOP, headers: { Origin: "https://evil.example" } });
    const { event } = await elsewhere.next();
    expect(event).toBe(guide === "reverb" ? "pusher:error" : "pusher:connection_established");
  },
);
