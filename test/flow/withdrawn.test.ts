/** What a client may no longer: a secret that was replaced, a token that names fewer channels, a node that is cut off. */

import { describe, expect, test } from "bun:test";
import { parseConfig } from "../../packages/server/src/config/load.ts";
import type { EngineHealth } from "../../packages/server/src/domain/ports.ts";
import { memoryEngine } from "../../packages/server/src/engines/memory/engine.ts";
import { bench, settled } from "../support/fakes.ts";
import { connectNative, makeToken } from "../support/native-client.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";

const TOKEN = { sub: "ada", channels: ["private-*"] };

describe("a secret that is replaced", () => {
  const NEW = "another secret";

  test("ends what stands on the old one alone: tokens, sign-ins and subscriptions; everything else stays", async () => {
    const settings = (secrets: readonly [string, ...string[]]) => ({
      apps: [{ id: APP.id, key: APP.key, secrets: [...secrets], anonymous: true }],
    });
    const server = await startServer(settings([APP.secret]));
    await server.reload(settings([NEW, APP.secret]));
    const old = await connectNative(server.url, { token: await makeToken(TOKEN) });
    const [signedIn, inside] = [await connectPusher(server.url), await connectPusher(server.url)];
    await signedIn.signin({ id: "bob" });
    await inside.subscribe("private-room");
    const [fresh, guest] = [
      await connectNative(server.url, { token: await makeToken(TOKEN, NEW) }),
      await connectNative(server.url),
    ];
    await guest.subscribe("public");
    await old.subscribe("private-room");
    const renewed = await connectNative(server.url, { token: await makeToken(TOKEN) });
    await renewed.ask("authenticate", { token: await makeToken(TOKEN, NEW) });
    await server.reload(settings([NEW]));
    expect(await old.next("closing")).toMatchObject({ code: "proof_outdated", reconnect: "later" });
    for (const client of [signedIn, inside]) expect((await client.socket.closed).code).toBe(4100);
    await fresh.subscribe("private-room");
    await guest.ping();
    await renewed.subscribe("private-room");
    const again = await connectNative(server.url, { token: await makeToken(TOKEN, NEW) });
    await again.subscribe("private-room");
  });
});

describe("a newer token that names fewer channels", () => {
  test("takes the client out of those that it entered by the older one, and out of no other", async () => {
    const server = await startServer({}, { anonymous: true });
    const client = await connectNative(server.url, {
      token: await makeToken({ sub: "ada", channels: ["private-a", "private-b"] }),
    });
    for (const channel of ["private-a", "private-b", "public"]) await client.subscribe(channel);
    await client.subscribe("private-signed", client.permission("private-signed"));
    const answer = await client.ask("authenticate", {
      token: await makeToken({ sub: "ada", channels: ["private-b"] }),
    });
    expect(answer.event).toBe("authenticated");
    expect(await client.next("unsubscribed")).toMatchObject({
      channel: "private-a",
      by: "server",
      code: "permission_gone",
    });
    expect(await client.unread()).toEqual([]);
    expect(await client.ask("subscribe", { channel: "private-a" })).toMatchObject({ code: "unauthorized" });
    expect(await client.ask("subscribe", { channel: "private-b" })).toMatchObject({ code: "already_subscribed" });
  });
});

describe("a node that is cut off (accessDoubtS)", () => {
  async function cutOff(accessDoubtS?: number) {
    const health: { now: EngineHealth } = { now: { reachable: true } };
    const made = await bench({
      engine: (clock) => Object.assign(memoryEngine(clock), { health: () => health.now }),
      limits: accessDoubtS === undefined ? {} : { accessDoubtS },
    });
    const [member, user, guest] = [made.open(), made.open(), made.open()];
    member.subscribe("presence-room", "1");
    user.signIn("2");
    guest.subscribe("public");
    await settled();
    const away = (sinceMs: number) => {
      health.now = { reachable: false, why: "test", sinceMs };
      made.hub.sweep();
      return [member, user, guest].map(({ socket }) => socket.closedWith?.reason);
    };
    return away;
  }

  test("keeps its clients, if nothing else is set", async () => {
    const away = await cutOff();
    expect(away(3_600_000)).toEqual([undefined, undefined, undefined]);
  });

  test("lets go whom it cannot vouch for after that time, and not before", async () => {
    const away = await cutOff(60);
    expect(away(59_999)).toEqual([undefined, undefined, undefined]);
    expect(away(60_000)).toEqual(["engine_unavailable", "engine_unavailable", undefined]);
  });

  test("is told so by the configuration", () => {
    expect(parseConfig({}).accessDoubtS).toBeUndefined();
    expect(parseConfig({ accessDoubtS: 30 }).accessDoubtS).toBe(30);
  });
});
