/** pusher-js and laravel-echo as browsers load them, in a real one. */

import { expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { openBrowser, openPage } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { startProcess } from "../support/process.ts";
import { APP, startServer } from "../support/server.ts";
import { type Backend, startBackend } from "./backend.ts";
import type { PusherTransport } from "./pusher-js.ts";

const server = await startServer();
const backend = startBackend(server);
const { library } = backend;
const browser = await openBrowser();

/** A try that finds nobody listening costs pusher-js fifteen seconds before its next one. */
const RETURN = { withinMs: 40_000, everyMs: 50 };

interface Tab {
  readonly page: Page;
  readonly errors: string[];
  log(): Promise<unknown[]>;
  /** What was heard in the channel, the protocol's own events aside. */
  heard(channel: string): Promise<unknown[]>;
}

const TRANSPORTS: readonly PusherTransport[] = ["ws", "xhr_streaming", "xhr_polling"];

/** The page's origin is the back end's, so that over HTTP each request asks first whether it may. */
async function openTab(port: number, { url }: Backend, user: string, transport: PusherTransport = "ws"): Promise<Tab> {
  const { page, errors } = await openPage(browser, url);
  const options = {
    cluster: "",
    wsHost: "127.0.0.1",
    wsPort: port,
    httpHost: "127.0.0.1",
    httpPort: port,
    forceTLS: false,
    enabledTransports: [transport],
    channelAuthorization: { endpoint: `/pusher/auth?user=${user}` },
    userAuthentication: { endpoint: `/pusher/user-auth?user=${user}` },
  };
  await page.evaluate(`connectTo(${JSON.stringify(APP.key)}, ${JSON.stringify(options)})`);
  const log = async () => (await page.evaluate("log")) as unknown[];
  await eventually(async () => expect(await log()).toEqual([["state", "connected"]]));
  const heard = async (channel: string) => (await log()).flatMap((entry) => ownEventOf(entry, channel));
  return { page, errors, log, heard };
}

function ownEventOf(entry: unknown, channel: string): [string, unknown][] {
  const [name, event, data] = entry as [string, string, unknown];
  return name === channel && !event.startsWith("pusher:") ? [[event, data]] : [];
}

async function listen({ page }: Tab, channels: readonly string[]): Promise<void> {
  for (const name of channels) await page.evaluate(`listen(${JSON.stringify(name)})`);
  await eventually(async () => {
    const subscribed = `${JSON.stringify(channels)}.filter((name) => pusher.channel(name).subscribed)`;
    expect(await page.evaluate(subscribed)).toEqual([...channels]);
  });
}

const CHANNELS = [
  "news",
  "private-news",
  "presence-news",
  "private-encrypted-news",
  "cache-news",
  "private-cache-news",
  "private-encrypted-cache-news",
  "presence-cache-news",
];

test.each(TRANSPORTS)(
  "in a browser every kind of channel hears what is triggered, encrypted ones included: %s",
  async (transport) => {
    const named = CHANNELS.map((name) => `${name}-${transport}`);
    const tab = await openTab(server.port, backend, "ada", transport);
    await listen(tab, named);
    for (const name of named) await library.trigger(name, "greeting", { text: `to ${name}` });
    for (const name of named) {
      await eventually(async () => expect(await tab.heard(name)).toEqual([["greeting", { text: `to ${name}` }]]));
    }
    expect(await tab.log()).toContainEqual([`cache-news-${transport}`, "pusher:cache_miss", {}]);

    const late = await openTab(server.port, backend, "bob", transport);
    await listen(late, named.slice(4));
    for (const name of named.slice(4)) {
      await eventually(async () => expect(await late.heard(name)).toEqual([["greeting", { text: `to ${name}` }]]));
    }
    expect([tab.errors, late.errors]).toEqual([[], []]);
  },
  30_000,
);

test.each(TRANSPORTS)(
  "in a browser tabs see each other come, type and go, and a user is reached: %s",
  async (by) => {
    const [ada, bob] = [await openTab(server.port, backend, "ada", by), await openTab(server.port, backend, "bob", by)];
    await listen(ada, ["presence-room"]);
    await listen(bob, ["presence-room"]);
    const arrival = ["presence-room", "pusher:member_added", { id: "bob", info: { name: "BOB" } }];
    await eventually(async () => expect(await ada.log()).toContainEqual(arrival));
    await bob.page.evaluate(`pusher.channel("presence-room").trigger("client-typing", { at: 1 })`);
    await eventually(async () => expect(await ada.heard("presence-room")).toEqual([["client-typing", { at: 1 }]]));

    await bob.page.evaluate(`pusher.user.bind("note", (data) => log.push(["user", "note", data])); pusher.signin()`);
    await eventually(async () =>
      expect(await bob.page.evaluate("pusher.user.serverToUserChannel?.subscribed")).toBe(true),
    );
    await library.sendToUser("bob", "note", { n: 1 });
    await eventually(async () => expect(await bob.heard("user")).toEqual([["note", { n: 1 }]]));

    await library.terminateUserConnections("bob");
    await eventually(async () => expect((await bob.log()).at(-1)).toEqual(["state", "disconnected"]));
    expect(await bob.log()).toContainEqual(["error", 4009]);
    const departure = ["presence-room", "pusher:member_removed", { id: "bob", info: { name: "BOB" } }];
    await eventually(async () => expect(await ada.log()).toContainEqual(departure));
    expect(await bob.heard("presence-room")).toEqual([]);
  },
  30_000,
);

test("in a browser Echo joins, whispers, listens and leaves", async () => {
  const pages = [];
  for (const user of ["ada", "bob"]) {
    const { page, errors } = await openPage(browser, backend.url);
    const options = {
      broadcaster: "reverb",
      key: APP.key,
      wsHost: "127.0.0.1",
      wsPort: server.port,
      forceTLS: false,
      enabledTransports: ["ws"],
      authEndpoint: `/broadcasting/auth?user=${user}`,
    };
    await page.evaluate(`
      const echo = new Echo.default(${JSON.stringify(options)});
      const say = (what) => (data) => log.push([what, data]);
      echo.join("hall").here(say("here")).joining(say("joining")).leaving(say("leaving"))
        .listenForWhisper("hush", say("whisper")).listen(".bell", say("bell"));
      echo.encryptedPrivate("hall").listen(".letter", say("letter"));
      Object.assign(window, { echo });`);
    const log = async () => (await page.evaluate("log")) as [string, unknown][];
    await eventually(async () => expect((await log()).map(([what]) => what)).toContain("here"));
    await eventually(async () =>
      expect(await page.evaluate(`echo.connector.pusher.channel("private-encrypted-hall").subscribed`)).toBe(true),
    );
    pages.push({ page, log, errors });
  }
  const [ada, bob] = pages;
  if (!ada || !bob) throw new Error("Two pages were opened.");
  await bob.page.evaluate(`echo.join("hall").whisper("hush", { softly: true })`);
  await library.trigger("private-encrypted-hall", "letter", { secret: "rosebud" });
  await library.trigger("presence-hall", "bell", { rings: 3 });
  await eventually(async () => expect((await bob.log()).length).toBe(3));
  await bob.page.evaluate(`echo.leave("hall")`);
  await eventually(async () => expect((await ada.log()).at(-1)).toEqual(["leaving", { name: "BOB" }]));
  const sorted = (log: [string, unknown][]) => log.map((entry) => JSON.stringify(entry)).sort();
  const both: [string, unknown][] = [
    ["letter", { secret: "rosebud" }],
    ["bell", { rings: 3 }],
  ];
  expect(sorted(await ada.log())).toEqual(
    sorted([
      ["here", [{ name: "ADA" }]],
      ["joining", { name: "BOB" }],
      ["whisper", { softly: true }],
      ["leaving", { name: "BOB" }],
      ...both,
    ]),
  );
  expect(sorted(await bob.log())).toEqual(sorted([["here", [{ name: "ADA" }, { name: "BOB" }]], ...both]));
  expect([ada.errors, bob.errors]).toEqual([[], []]);
}, 30_000);

test("in a browser pusher-js is back in its channels after the server died and was started again", async () => {
  const before = await startProcess();
  const home = startBackend(before);
  const tab = await openTab(before.port, home, "ada");
  await listen(tab, ["presence-room", "private-encrypted-letters"]);
  await before.kill();
  const after = await startProcess({ port: before.port });
  await eventually(
    async () => expect((await tab.log()).at(-1)?.toString()).toContain("subscription_succeeded"),
    RETURN,
  );
  await eventually(async () => {
    const { users } = (await (await home.library.get({ path: "/channels/presence-room/users" })).json()) as never;
    expect(users).toEqual([{ id: "ada" }] as never);
  }, RETURN);
  await eventually(async () => {
    expect(await tab.page.evaluate(`pusher.channel("private-encrypted-letters").subscribed`)).toBe(true);
  }, RETURN);
  await home.library.trigger("private-encrypted-letters", "back", { after: "restart" });
  await eventually(async () =>
    expect(await tab.heard("private-encrypted-letters")).toEqual([["back", { after: "restart" }]]),
  );
  expect(await tab.page.evaluate(`pusher.channel("presence-room").members.count`)).toBe(1);
  await after.stop();
}, 90_000);
