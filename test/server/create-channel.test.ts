/** Channels that a program makes, and rules by pattern: who may come, how many, who may speak (S2 to S7, S17, S37). */

import { describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ChannelOptions, ConfigError, createServer, type Server } from "../../packages/server/src/index.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { connectAs, connectNative, type NativeTestClient } from "../support/native-client.ts";
import { connectPusher, signedFetch } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";

const ANONYMOUS = { anonymous: true };

async function codeOf(client: NativeTestClient, event: string, data: object): Promise<unknown> {
  const answer = await client.ask(event, data);
  return answer.code ?? answer.event;
}

describe.each([
  [
    "made by the program",
    (server: Server, name: string, options: ChannelOptions) => server.createChannel(name, options),
  ],
  ["made by the program before the start", undefined],
  ["ruled by the configuration", "rules"],
] as const)("a channel that is %s", (_, how) => {
  /** With the options for `room.1`, whichever way they come. */
  async function startWith(options: Omit<ChannelOptions, "maxClients">): Promise<Server> {
    if (how === "rules") return startServer({}, { ...ANONYMOUS, channels: [{ match: "room.*", ...options }] });
    if (how) {
      const server = await startServer({}, ANONYMOUS);
      return how(server, "room.1", options);
    }
    const apps = [{ ...APP, ...ANONYMOUS }];
    const early = createServer({ host: "127.0.0.1", port: 0, drainTimeoutS: 1, log: { level: "silent" }, apps });
    atEnd(() => early.stop());
    await early.createChannel("room.1", options).start();
    return early;
  }

  test("takes as many subscribers as it may, of both protocols together (S4)", async () => {
    const server = await startWith({ maxSubscribers: 2 });
    const [a, b] = [await connectNative(server.url), await connectNative(server.url)];
    const pusher = await connectPusher(server.url);
    await a.subscribe("room.1");
    await pusher.subscribe("room.1");
    expect(await codeOf(b, "subscribe", { channel: "room.1" })).toBe("channel_full");
    pusher.unsubscribe("room.1");
    await pusher.ping();
    await b.subscribe("room.1");
    await expect(pusher.subscribe("room.1")).rejects.toThrow("which is as many as it may");
  });

  test("and private needs permission, whatever its name (S6)", async () => {
    const server = await startWith({ private: true });
    const client = await connectNative(server.url);
    expect(await codeOf(client, "subscribe", { channel: "room.1" })).toBe("unauthorized");
    expect(await codeOf(client, "subscribe", { channel: "other" })).toBe("subscribed");
    await client.subscribe("room.1", client.permission("room.1"));
    const granted = await connectAs(server.url, "ada", { channels: ["room.*"] });
    await granted.subscribe("room.1");
    await expect((await connectPusher(server.url)).subscribe("room.1")).rejects.toThrow("subscription_error");
    expect(await server.channel("room.1").info()).toMatchObject({ type: "private", subscribers: 2 });
    server.on("authorize", (_, channel) => channel === "room.1");
    await (await connectPusher(server.url)).subscribe("room.1");
  });

  test("and for signed-in users needs nothing else, but that (S7)", async () => {
    const server = await startWith({ auth: true });
    const [client, pusher] = [await connectNative(server.url), await connectPusher(server.url)];
    expect(await codeOf(client, "subscribe", { channel: "room.1" })).toBe("unauthorized");
    await expect(pusher.subscribe("room.1")).rejects.toThrow("signed in");
    await (await connectAs(server.url, "ada")).subscribe("room.1");
    await pusher.signin({ id: "bob" });
    await pusher.subscribe("room.1");
    server.setAuthenticator(({ username }) => username === "cyd" && { id: "cyd" });
    await client.ask("authenticate", { username: "cyd" });
    await client.subscribe("room.1");
  });

  test("lets its subscribers publish what it says (S17)", async () => {
    const server = await startWith({ clientPublish: "any" });
    const [ada, bob] = [await connectNative(server.url), await connectPusher(server.url)];
    for (const client of [ada, bob]) for (const channel of ["room.1", "other"]) await client.subscribe(channel);
    expect(await codeOf(ada, "publish", { channel: "other", event: "said", data: 1 })).toBe("publish_forbidden");
    expect(await codeOf(ada, "publish", { channel: "room.1", event: "said", data: 1 })).toBe("published");
    expect(await bob.nextIn("room.1")).toMatchObject({ event: "said", data: "1" });
  });
});

describe("createChannel", () => {
  test("counts at once for those who are in the channel already, and again when said again", async () => {
    const server = await startServer({}, ANONYMOUS);
    const [ada, bob] = [await connectNative(server.url), await connectNative(server.url)];
    await ada.subscribe("room");
    const say = () => codeOf(ada, "publish", { channel: "room", data: 1 });
    expect(await say()).toBe("publish_forbidden");
    server.createChannel("room", { clientPublish: "any", maxClients: 1 });
    expect(await say()).toBe("published");
    expect(await codeOf(bob, "subscribe", { channel: "room" })).toBe("channel_full");
    server.createChannel("room", { private: true });
    expect(await say()).toBe("publish_forbidden");
    expect(await codeOf(bob, "subscribe", { channel: "room" })).toBe("unauthorized");
    await server.toChannel("room").push({ event: "still", data: "here" });
    expect((await ada.next("still")).data).toBe("here");
    expect([server.removeChannel("room"), server.removeChannel("room")]).toEqual([true, false]);
    expect(await codeOf(bob, "subscribe", { channel: "room" })).toBe("subscribed");
  });

  test("goes over the rule for the name, option by option, and stays when everybody has left and after a restart (S3)", async () => {
    const rules = [{ match: "room.*", clientPublish: "any" as const, maxSubscribers: 5 }];
    const server = await startServer({}, { ...ANONYMOUS, channels: rules });
    server.createChannel("room.1", { maxClients: 1 });
    for (let round = 0; round < 2; round++) {
      const [ada, bob] = [await connectNative(server.url), await connectNative(server.url)];
      await ada.subscribe("room.1");
      expect(await codeOf(ada, "publish", { channel: "room.1", data: 1 })).toBe("published");
      expect(await codeOf(bob, "subscribe", { channel: "room.1" })).toBe("channel_full");
      await ada.close();
      await eventually(() => bob.subscribe("room.1"));
      await server.stop();
      await server.start();
    }
  });

  test("says how long a cache channel keeps its last event, with subscribers or without", async () => {
    const server = await startServer({}, ANONYMOUS);
    const ttlOf = async (name: string): Promise<number> => {
      await server.toChannel(name).push({ event: "e", data: 1 });
      const response = await signedFetch(server.url, APP, "GET", `/channels/${name}`, { query: { info: "cache" } });
      return ((await response.json()) as { cache: { ttl: number } }).cache.ttl;
    };
    await (await connectNative(server.url)).subscribe("cache-full");
    for (const name of ["cache-full", "cache-empty"]) {
      expect(await ttlOf(name)).toBeGreaterThan(1000);
      server.createChannel(name, { cacheTtlS: 60 });
      expect(await ttlOf(name)).toBeLessThanOrEqual(60);
    }
  });

  test("of one app says nothing of another's", async () => {
    const other = { id: "other", key: "other-key", secret: "s", anonymous: true };
    const server = await startServer({ apps: [{ ...APP, ...ANONYMOUS }, other] });
    server.app("other").createChannel("room", { private: true });
    await (await connectNative(server.url)).subscribe("room");
    const theirs = await connectNative(server.url, { app: other.key });
    expect(await codeOf(theirs, "subscribe", { channel: "room" })).toBe("unauthorized");
  });

  test("before the start waits for the demo app, where no app is configured", async () => {
    const stateDir = await mkdtemp(join(tmpdir(), "fanfare-"));
    atEnd(() => rm(stateDir, { recursive: true }));
    const server = createServer({ host: "127.0.0.1", port: 0, log: { level: "silent" }, stateDir });
    atEnd(() => server.stop());
    await server.createChannel("room", { private: true }).start();
    const key = server.apps[0]?.key ?? "";
    const pusher = await connectPusher(server.url, { app: { id: "", key, secret: "" } });
    await expect(pusher.subscribe("room")).rejects.toThrow("needs permission");
  });

  const mistakes: readonly (readonly [object, string])[] = [
    [{ persistent: 1 }, "`persistent` has to be true or false, but is the number 1"],
    [{ persistent: false, history: {} }, "a channel with `history` is `persistent`: leave one of them out"],
    [{ history: { size: 0 } }, "`history.size` has to be a whole number from 1 to 10000, but is the number 0"],
    [{ history: { ttl: 5 } }, "unknown option `history.ttl`"],
    [{ history: true }, "`history` has to be an object with `size` and `ttlS`, both optional, but is true"],
    [{ maxClients: 0 }, '`maxClients` has to be a whole number from 1 up, or "unlimited", but is the number 0'],
    [{ maxClients: 1, maxSubscribers: 1 }, "`maxClients` and `maxSubscribers` are the same"],
    [{ private: "yes" }, '`private` has to be true or false, but is "yes"'],
    [{ clientPublish: "all" }, '`clientPublish` has to be "none", "client-events" or "any", but is "all"'],
    [{ public: true }, "unknown option `public`"],
  ];
  test.each(mistakes)("refuses %j with a sentence, and changes nothing", async (options, sentence) => {
    const server = await startServer({}, ANONYMOUS);
    expect(() => server.createChannel("room", options)).toThrow(ConfigError);
    expect(() => server.createChannel("room", options)).toThrow(`createChannel("room"): ${sentence}`);
    expect(server.removeChannel("room")).toBe(false);
  });

  test("takes options that switch something off, and no patterns", async () => {
    const server = await startServer({}, ANONYMOUS);
    server.createChannel("room", { persistent: false, maxClients: "unlimited" } as ChannelOptions);
    expect(server.removeChannel("room")).toBe(true);
    expect(() => server.createChannel("room.*")).toThrow("A channel name consists of");
  });
});
