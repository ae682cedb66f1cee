/** `server.reload`: what changes for those who are here and for those who come, and that no client has to leave without need. */

import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { ConfigError, type ConfigInput, createServer, type Server } from "../../packages/server/src/index.ts";
import { atEnd } from "../support/at-end.ts";
import { Authority } from "../support/certificates.ts";
import { connectNative, dialNative, makeToken } from "../support/native-client.ts";
import { channelAuth, connectPusher, dialPusher, signedFetch, trigger } from "../support/pusher-client.ts";
import { APP, type AppInput, startServer } from "../support/server.ts";

const OTHER = { id: "other", key: "other-key", secret: "other-secret" } as const satisfies AppInput;
const BASE = { host: "127.0.0.1", port: 0, drainTimeoutS: 1, log: { level: "silent" } } as const satisfies ConfigInput;

function withApps(...apps: AppInput[]): ConfigInput {
  return { ...BASE, apps };
}

/** Round trips of both protocols. */
async function lives(...clients: readonly { ping(): Promise<unknown> }[]): Promise<void> {
  await Promise.all(clients.map((client) => client.ping()));
}

describe("a reload (O9)", () => {
  test("without changes says so, and leaves everybody where they are", async () => {
    const server = await startServer({}, { anonymous: true });
    const [pusher, native] = [await connectPusher(server.url), await connectNative(server.url)];
    const nothing = { added: [], removed: [], changed: [] };
    expect(await server.reload()).toEqual({ applied: [], needsRestart: [], apps: nothing, closed: 0 });
    await lives(pusher, native);
  });

  test("takes in an app that is new, and closes the connections of one that is gone, and no other (4001)", async () => {
    const server = await startServer({ ...withApps(APP, OTHER) });
    const stays = await connectPusher(server.url);
    const [first, second] = [
      await connectPusher(server.url, { app: OTHER }),
      await connectNative(server.url, { app: OTHER.key, token: await makeToken({ sub: "1" }, OTHER.secret) }),
    ];
    const fresh = { id: "fresh", key: "fresh-key", secret: "s" };
    const answer = await server.reload(withApps(APP, fresh));
    expect(answer).toMatchObject({ apps: { added: ["fresh"], removed: ["other"], changed: [] }, closed: 2 });
    expect((await first.socket.closed).code).toBe(4001);
    expect((await second.socket.closed).code).toBe(4001);
    await lives(stays);
    await connectPusher(server.url, { app: fresh });
    const refused = await dialPusher(server.url, { app: OTHER });
    expect((await refused.closed).code).toBe(4001);
    expect(server.apps.map(({ id }) => id)).toEqual(["app", "fresh"]);
  });

  test("closes the connections of an app that was disabled (4003)", async () => {
    const server = await startServer({ ...withApps(APP, OTHER) });
    const [stays, goes] = [await connectPusher(server.url), await connectPusher(server.url, { app: OTHER })];
    expect(await server.reload(withApps(APP, { ...OTHER, enabled: false }))).toMatchObject({ closed: 1 });
    expect((await goes.socket.closed).code).toBe(4003);
    await lives(stays);
  });

  test("asks clients whose app has another id to connect again, for their key still counts (4200)", async () => {
    const server = await startServer();
    const client = await connectPusher(server.url);
    await server.reload(withApps({ ...APP, id: "renamed" }));
    expect((await client.socket.closed).code).toBe(4200);
    await connectPusher(server.url);
  });

  test("rotates secrets: the new one counts at once for those who are here, the old one no more", async () => {
    const server = await startServer();
    const [client, old] = [await connectPusher(server.url), await connectPusher(server.url)];
    await client.subscribe("before");
    await old.subscribe("private-before");
    const rotated = { ...APP, secret: "another" };
    expect(await server.reload(withApps(rotated))).toMatchObject({ apps: { changed: ["app"] }, closed: 1 });
    expect((await old.socket.closed).code).toBe(4100);
    await expect(client.subscribe("private-after")).rejects.toThrow("refused");
    await client.subscribe("private-after", { auth: channelAuth(rotated, client.socketId, "private-after") });
    expect((await signedFetch(server.url, APP, "GET", "/channels")).status).toBe(401);
    await trigger(server.url, rotated, { name: "e", data: "1", channel: "before" });
    expect((await client.nextIn("before")).data).toBe("1");
  });

  test("changes limits and channel rules for those who are here", async () => {
    const server = await startServer({}, { anonymous: true });
    const client = await connectNative(server.url);
    await client.subscribe("chat.1");
    const publish = async () => (await client.ask("publish", { channel: "chat.1", event: "hello", data: 1 })).event;
    expect(await publish()).toBe("error");
    const channels = [{ match: "chat.*", clientPublish: "any" as const }];
    await server.reload(withApps({ ...APP, anonymous: true, channels, limits: { channelsPerConnection: 1 } }));
    expect(await publish()).toBe("published");
    await expect(client.subscribe("chat.2")).rejects.toThrow();
  });

  test("changes defaults, and through them what apps did not say themselves", async () => {
    const server = await startServer();
    const answer = await server.reload({ ...withApps(APP), defaults: { limits: { eventDataBytes: 10 } } });
    expect(answer).toMatchObject({ applied: expect.arrayContaining(["defaults.limits.eventDataBytes"]) });
    const event = { name: "e", data: "x".repeat(11), channel: "c" };
    expect((await signedFetch(server.url, APP, "POST", "/events", { body: event })).status).toBe(413);
  });

  test("changes origins for those who come", async () => {
    const server = await startServer();
    const headers = { Origin: "https://b.example" };
    const stays = await connectPusher(server.url, { headers });
    await server.reload(withApps({ ...APP, allowedOrigins: ["https://a.example"] }));
    expect((await (await dialPusher(server.url, { headers })).closed).code).toBe(4009);
    await lives(stays);
  });

  test("closes those whose address may not come any more (4009), and answers them 403", async () => {
    const server = await startServer({ ...withApps(APP), trustedProxies: ["loopback"] });
    const from = (address: string) => ({ headers: { "X-Forwarded-For": address } });
    const [stays, goes] = [
      await connectPusher(server.url, from("192.0.2.1")),
      await connectPusher(server.url, from("192.0.2.2")),
    ];
    const wanted = { ...withApps(APP), trustedProxies: ["loopback"], denyIps: ["192.0.2.2"] };
    expect(await server.reload(wanted)).toMatchObject({ applied: ["denyIps"], closed: 1 });
    expect((await goes.socket.closed).code).toBe(4009);
    await expect(connectPusher(server.url, from("192.0.2.2"))).rejects.toThrow();
    await lives(stays);
  });

  test("counts the connections of an address that were there before it was limited", async () => {
    const proxied = { ...withApps(APP), trustedProxies: ["loopback"] };
    const server = await startServer(proxied);
    const headers = { "X-Forwarded-For": "192.0.2.1" };
    const first = await connectPusher(server.url, { headers });
    await server.reload({ ...proxied, limits: { connectionsPerIp: 1 } });
    await expect(connectPusher(server.url, { headers })).rejects.toThrow();
    await first.close();
    await connectPusher(server.url, { headers });
  });

  test("changes the most connections, the timeouts and the log level", async () => {
    const server = await startServer();
    const [client] = [await connectPusher(server.url)];
    const wanted = {
      ...withApps(APP),
      limits: { connections: 1 },
      activityTimeoutS: 7,
      log: { level: "error" as const },
    };
    const { applied } = await server.reload(wanted);
    expect(applied.toSorted()).toEqual(["activityTimeoutS", "limits.connections", "log.level"]);
    expect((await (await dialPusher(server.url)).closed).code).toBe(4100);
    expect(server.log.level).toBe("error");
    await client.close();
    expect((await connectPusher(server.url)).activityTimeoutS).toBe(7);
  });

  test("names what needs a restart, each time, and goes on with what it was", async () => {
    const server = await startServer();
    const wanted = { ...withApps(APP), port: 1, path: "/ws", workers: 1, stateDir: "elsewhere" };
    for (let time = 0; time < 2; time++) {
      const { needsRestart } = await server.reload(wanted);
      expect(needsRestart.toSorted()).toEqual(["path", "port", "stateDir"]);
    }
    await connectPusher(server.url);
    expect(server.config.path).toBe("");
  });

  test("with an error changes nothing, and throws what is wrong", async () => {
    const server = await startServer();
    const client = await connectPusher(server.url);
    const wrong = { ...withApps(OTHER), activityTimeoutS: -1 };
    await expect(server.reload(wrong)).rejects.toThrow(ConfigError);
    await expect(server.reload(withApps(OTHER, OTHER))).rejects.toThrow("every app needs an id of its own");
    await lives(client);
    expect(server.apps.map(({ id }) => id)).toEqual(["app"]);
  });

  test("with a certificate that cannot be used changes nothing either, and counts when it can", async () => {
    const { certFile, keyFile } = new Authority().issue("server");
    const tls = { certFile, keyFile, watchS: 0 };
    const server = await startServer({ tls });
    const good = readFileSync(certFile);
    const wanted: ConfigInput = { ...withApps(APP, OTHER), tls, activityTimeoutS: 7, log: { level: "fatal" } };
    writeFileSync(certFile, "half of it");
    await expect(server.reload(wanted)).rejects.toThrow("holds no certificate");
    expect(server.apps.map(({ id }) => id)).toEqual(["app"]);
    expect(server.config.activityTimeoutS).toBe(30);
    expect(server.log.level).toBe("silent");
    writeFileSync(certFile, good);
    const { applied, apps } = await server.reload(wanted);
    expect(applied.toSorted()).toEqual(["activityTimeoutS", "apps", "log.level"]);
    expect(apps.added).toEqual(["other"]);
  });

  test("asks the launch's source where it is given no settings", async () => {
    let apps: AppInput[] = [APP];
    const server = createServer(withApps(APP), { source: async () => withApps(...apps) });
    atEnd(() => server.stop());
    await server.start();
    apps = [APP, OTHER];
    expect(await server.reload()).toMatchObject({ apps: { added: ["other"] } });
    await connectPusher(server.url, { app: OTHER });
  });

  test("of a server that does not run is refused", async () => {
    await expect(createServer(withApps(APP)).reload()).rejects.toThrow("not running");
  });

  test("lets no client in whose app went while a guard was asked", async () => {
    const server = await startServer(withApps(APP, { ...OTHER, anonymous: true }));
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<false>();
    server.setAuthenticator(() => {
      asked.resolve();
      return answer.promise.then(() => ({ id: "1" }));
    });
    const dialling = dialNative(server.url, { app: OTHER.key, token: "not-a-jwt" });
    await asked.promise;
    await server.reload(withApps(APP));
    answer.resolve(false);
    expect((await (await dialling).closed).code).toBe(4001);
    expect([...server.app().connections]).toEqual([]);
  });

  test("loses no message of those who stay, whatever is published meanwhile", async () => {
    const server = await startServer();
    const clients = await Promise.all(Array.from({ length: 20 }, () => connectPusher(server.url)));
    for (const client of clients) await client.subscribe("c");
    for (let n = 0; n < 100; n++) {
      void server.toChannel("c").push({ event: "n", data: n });
      if (n % 10 === 0) await reloadWith(server, n);
    }
    for (const client of clients) {
      const heard = [];
      while (heard.length < 100) heard.push((await client.next("n")).data);
      expect(heard).toEqual(Array.from({ length: 100 }, (_, n) => String(n)));
    }
  });
});

function reloadWith(server: Server, n: number): Promise<unknown> {
  return server.reload(withApps({ ...APP, limits: { eventDataBytes: 1000 + n } }, { ...OTHER, id: `app-${n}` }));
}
