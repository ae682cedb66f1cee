/** A user who was terminated does not get in again by what was issued before, on any node, and does by what is issued after (scenario 37). */

import { describe, expect, test } from "bun:test";
import { type ClusterNode, configOf, ENGINES, startCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative, dialNative, makeToken, type NativeTestClient } from "../support/native-client.ts";
import { signedFetch } from "../support/pusher-client.ts";
import { startRedis } from "../support/redis.ts";
import { APP, type AppKeys, startServer } from "../support/server.ts";
import { startProxy } from "../support/tcp-proxy.ts";

const OTHER: AppKeys = { id: "other", key: "other-key", secret: "another secret" };
/** Within one minute to and one minute from now; the issuer's clock may be 5 s off. */
const BEFORE_S = -60;
const AFTER_S = 60;
const REVOKED = { event: "closing", code: "token_invalid", reconnect: "never" };
const WHY = "The token is refused: it was issued before the user was disconnected; get a new one.";
const PATIENCE = { withinMs: 60_000, everyMs: 50 };

function issued(sub: string, secondsFromNow: number, claims: object = {}, secret?: string): Promise<string> {
  return makeToken({ sub, iat: Math.floor(Date.now() / 1000) + secondsFromNow, ...claims }, secret);
}

async function terminate(url: string, user: string, query: Record<string, string> = {}, app = APP): Promise<void> {
  const path = `/users/${user}/terminate_connections`;
  expect((await signedFetch(url, app, "POST", path, { body: {}, query })).status).toBe(200);
}

/** What the client is told at last, which is that it may not come back with this token. */
async function expectRevoked(client: NativeTestClient): Promise<void> {
  expect(await client.next("closing")).toMatchObject({ ...REVOKED, message: WHY });
  expect((await client.socket.closed).code).toBe(4009);
}

/** Signed in, and free to use what the token grants. */
async function expectIn(client: NativeTestClient): Promise<void> {
  await client.subscribe("private-mine");
}

describe.each(["memory", ...ENGINES] as const)("on %s", (engine) => {
  test("older tokens of the user are refused everywhere, newer ones and everybody else's are not", async () => {
    const { apps = [] } = configOf();
    const config = { ...configOf(), apps: [...apps, { ...OTHER }] };
    const memory = async (): Promise<readonly Pick<ClusterNode, "url" | "native">[]> => {
      const { url } = await startServer(config);
      return [{ url, native: (options) => connectNative(url, options) }];
    };
    const nodes = await (engine === "memory" ? memory() : startCluster(engine, { config }));
    const [a, b = a] = nodes;
    if (!a || !b) throw new Error("There is no node.");
    const mine = { channels: ["private-mine"] };
    const token = await issued("eve", BEFORE_S, mine);
    const clients = [await a.native({ token }), await b.native({ token })];
    for (const client of clients) await expectIn(client);

    await terminate(a.url, "eve");
    for (const client of clients) expect(await client.next("closing")).toMatchObject({ code: "terminated" });
    for (const { url } of [b, a]) await expectRevoked(await connectNative(url, { token }));
    await expectRevoked(await connectNative(b.url, { token: await makeToken({ sub: "eve", ...mine }) }));
    await expectRevoked(await connectNative(b.url, { token: await issued("eve", 0, mine) }));

    const guest = await b.native();
    expect(await guest.ask("authenticate", { token })).toMatchObject({
      event: "error",
      code: "unauthorized",
      message: WHY,
    });
    const newer = await issued("eve", AFTER_S, mine);
    expect(await guest.ask("authenticate", { token: newer })).toMatchObject({ event: "authenticated" });
    await expectIn(guest);
    // An older one, with more rights perhaps, does not take the place of a newer one.
    expect(await guest.ask("authenticate", { token })).toMatchObject({ code: "unauthorized" });
    for (const node of nodes) await expectIn(await node.native({ token: newer }));
    await expectIn(await b.native({ token: await issued("bob", BEFORE_S, mine) }));
    const namesake = await b.native({ app: OTHER.key, token: await issued("eve", BEFORE_S, mine, OTHER.secret) });
    await expectIn(namesake);

    // Some are connected, some on their way in, some not here yet when it happens.
    const early = await issued("mallory", BEFORE_S);
    const arriving = Array.from({ length: 60 }, async (_, n) => {
      await Bun.sleep(5 * (n % 20));
      return dialNative((n % 2 === 0 ? a : b).url, { token: early });
    });
    await Bun.sleep(50);
    await terminate(a.url, "mallory");
    for (const socket of await Promise.all(arriving)) expect((await socket.closed).code).toBe(4009);

    await terminate(b.url, "eve", { revoke: "false" });
    expect((await guest.socket.closed).code).toBe(4009);
    await expectIn(await a.native({ token: newer }));
  });
});

describe("where Redis", () => {
  async function startNodes(behind: number, port: number) {
    const node = (at: number) =>
      startServer({ engine: "redis", redis: { port: at, commandTimeoutS: 1 } }, { anonymous: true });
    return [await node(behind), await node(port)] as const;
  }

  test("could not be reached when the user was terminated, the node closes who is left as soon as it can", async () => {
    const redis = await startRedis();
    const proxy = await startProxy(redis.port);
    const [behind, other] = await startNodes(proxy.port, redis.port);
    const [eve, bob] = [
      await connectNative(behind.url, { token: await issued("eve", BEFORE_S) }),
      await connectNative(behind.url, { token: await issued("bob", BEFORE_S) }),
    ];
    await eve.ping();
    await bob.ping();
    proxy.cut();
    await terminate(other.url, "eve");
    await eve.ping();
    proxy.mend();
    expect(await eve.next("closing", PATIENCE.withinMs)).toMatchObject({ code: "terminated", reconnect: "never" });
    await bob.ping();
  });

  test("does not answer, nobody is signed in by a token, and a revoked one is refused when it does", async () => {
    const redis = await startRedis();
    const [node] = await startNodes(redis.port, redis.port);
    const token = await issued("eve", BEFORE_S);
    await terminate(node.url, "eve");
    redis.signal("SIGSTOP");
    const began = performance.now();
    const client = await connectNative(node.url, { token });
    expect(performance.now() - began).toBeLessThan(1_000);
    const path = "/users/bob/terminate_connections";
    expect((await signedFetch(node.url, APP, "POST", path, { body: {} })).status).toBe(503);
    const farewell = { code: "engine_unavailable", reconnect: "later" };
    expect(await client.next("closing", PATIENCE.withinMs)).toMatchObject(farewell);
    redis.signal("SIGCONT");
    await eventually(async () => {
      const again = await connectNative(node.url, { token });
      expect(await again.next((frame) => frame.event !== "gap", 1_000)).toMatchObject(REVOKED);
    }, PATIENCE);
  });

  test("lost what it knew, the node that terminated the user says so again", async () => {
    const redis = await startRedis();
    const [one, other] = await startNodes(redis.port, redis.port);
    const token = await issued("eve", BEFORE_S);
    await terminate(one.url, "eve");
    await redis.cli("FLUSHALL");
    await eventually(async () => {
      const client = await connectNative(other.url, { token });
      expect(await client.next((frame) => frame.event !== "gap", 1_000)).toMatchObject(REVOKED);
    }, PATIENCE);
  });
});
