/** Everybody comes back at once: how often the back end is asked then. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createClient } from "../../packages/client/src/index.ts";
import { atEnd } from "../support/at-end.ts";
import { startBackEnd } from "../support/back-end.ts";
import { EVERY_ENGINE, startPair } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { dialNative } from "../support/native-client.ts";
import { freePort } from "../support/ports.ts";
import { signedFetch } from "../support/pusher-client.ts";
import { APP, socketUrl, startServer } from "../support/server.ts";
import { scaled } from "../support/soak.ts";

setDefaultTimeout(240_000);

const CLIENTS = scaled(5_000, 500);
/** Handshakes of this test under way at a time: the kernel's queue takes 512. */
const AT_ONCE = 250;
const USERS = CLIENTS / 50;

interface Ended {
  readonly welcomed: number;
  readonly sentAway: number;
  readonly tokens: readonly string[];
}

/** Connects that many, each with the headers and the token of its number, until all are welcome or sent away. */
async function storm(
  url: string,
  about: (n: number) => { headers?: Record<string, string>; token?: string },
): Promise<Ended> {
  const sockets: WebSocket[] = [];
  const tokens: string[] = [];
  let [welcomed, sentAway, next] = [0, 0, 0];
  const one = (n: number) =>
    new Promise<void>((resolve) => {
      const { headers = {}, token } = about(n);
      const address = socketUrl(url, token === undefined ? "/" : `/?token=${token}`);
      const socket = new WebSocket(address, { headers } as unknown as string[]);
      sockets.push(socket);
      socket.onmessage = ({ data }) => {
        const frame = JSON.parse(String(data));
        if (frame.event === "welcome") {
          welcomed++;
          if (frame.data.reconnectToken) tokens.push(frame.data.reconnectToken);
        } else if (frame.event === "closing" && frame.code === "backend_unavailable") sentAway++;
        resolve();
      };
      socket.onclose = () => resolve();
    });
  const worker = async () => {
    while (next < CLIENTS) await one(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  for (const socket of sockets) socket.close();
  return { welcomed, sentAway, tokens };
}

/** Takes so many a second, one after the other, and fails whoever waits longer than it may. */
function slowBackEnd(perSecond: number, connect: (user: string) => object) {
  let freeAt = 0;
  const backEnd = startBackEnd({
    connect: async (_, { headers }) => {
      freeAt = Math.max(freeAt, performance.now()) + 1_000 / perSecond;
      await Bun.sleep(freeAt - performance.now());
      return connect(String(headers["x-user"]));
    },
  });
  return { backEnd };
}

test("thousands of reconnects against a back end of 50 a second: kept answers and sealed ones ask it nothing; without, it gets no more than it may", async () => {
  const user = (n: number) => ({ headers: { "X-User": `user-${n % USERS}` } });
  const { backEnd } = slowBackEnd(50, (id) => ({ user: { id }, cache_s: 300, token: true }));
  const hooks = { url: backEnd.url, forward: ["X-User"], connect: true, timeoutS: 10 };
  const server = await startServer({}, { ...APP, hooks });
  const first = await storm(server.url, user);
  expect(first).toMatchObject({ welcomed: CLIENTS, sentAway: 0 });
  expect(backEnd.questions).toHaveLength(USERS);
  expect((await storm(server.url, user)).welcomed).toBe(CLIENTS);
  // A node that knows nothing of all that.
  const other = await startServer({}, { ...APP, hooks });
  expect((await storm(other.url, (n) => ({ token: first.tokens[n] as string }))).welcomed).toBe(CLIENTS);
  expect(backEnd.questions).toHaveLength(USERS);
  // As it were, it is asked about each.
  const bare = slowBackEnd(50, (id) => ({ user: { id } }));
  const hasty = { ...hooks, url: bare.backEnd.url, timeoutS: 1 };
  const app = { ...APP, hooks: hasty };
  const third = await startServer({ hooks: { concurrency: 40, waiting: 100 }, apps: [app] });
  const ended = await storm(third.url, (n) => ({ headers: { "X-User": `user-${n}` } }));
  expect(ended.welcomed + ended.sentAway).toBe(CLIENTS);
  expect(ended.sentAway).toBeGreaterThan(0);
  expect(bare.backEnd.questions.length).toBeLessThan(CLIENTS / 2);
});

describe.each(EVERY_ENGINE)("on %s", (engine) => {
  test("what one node was told a user brings along to another, until the user is terminated", async () => {
    let calls = 0;
    const backEnd = startBackEnd({
      connect: () => ({ user: { id: "ada" }, channels: ["private-x"], meta: { n: ++calls }, cache_s: 60, token: true }),
    });
    const hooks = {
      url: backEnd.url,
      connect: true,
      subscribe: true,
      publish: { channels: ["private-x"] },
      call: true,
    };
    const [one, other] = await startPair(engine, { app: { hooks } });
    const first = await one.native();
    const token = String(first.welcome.reconnectToken);
    const second = await other.native({ token });
    expect(second.welcome.user).toEqual({ id: "ada" });
    await second.subscribe("private-x");
    await first.subscribe("private-x");
    await first.ask("publish", { channel: "private-x", event: "n", data: 1 });
    expect(await second.next("n")).toMatchObject({ data: 1 });
    await second.subscribe("private-y");
    // Of workers, either may have been asked on the way to the one that was meant.
    const asked = backEnd.of("connect").length;
    expect(asked).toBeLessThanOrEqual(engine === "workers" ? 2 : 1);
    const subscription = { channel: "private-y", connection: { meta: { n: expect.any(Number) } }, user: { id: "ada" } };
    expect(backEnd.of("subscribe")).toMatchObject([subscription]);
    expect(backEnd.of("publish")).toMatchObject([{ channel: "private-x", payload: 1 }]);
    const path = "/users/ada/terminate_connections";
    expect((await signedFetch(one.url, APP, "POST", path, { body: {} })).status).toBe(200);
    for (const { socket } of [first, second]) expect((await socket.closed).code).toBe(4009);
    // What was said of the user before counts no more, kept or sealed.
    await eventually(async () => {
      const back = await one.native();
      await back.ping();
    });
    expect(backEnd.of("connect").length).toBeGreaterThan(asked);
    const late = await dialNative(other.url, { token });
    expect((await late.closed).code).toBe(4009);
    expect(backEnd.unsigned).toEqual([]);
  });
});

test("the client comes back by the token of its welcome, and without it where that is refused", async () => {
  const backEnd = startBackEnd({ connect: () => ({ user: { id: "ada" }, token: true }) });
  const hooks = { url: backEnd.url, connect: true };
  const port = await freePort();
  const start = (secret: string) => startServer({ port }, { hooks, secret });
  const server = await start(APP.secret);
  const client = createClient({ url: socketUrl(server.url) });
  atEnd(() => client.close());
  client.connect();
  const ids = new Set<unknown>();
  const connected = async (times: number) => {
    await eventually(() => {
      const { state, user, id } = client.snapshot;
      expect([state, user?.id, ids.has(id)]).toEqual(["connected", "ada", false]);
      ids.add(id);
    });
    expect(backEnd.of("connect")).toHaveLength(times);
  };
  await connected(1);
  await server.stop();
  const second = await start(APP.secret);
  await connected(1);
  await second.stop();
  // Another secret seals in another way.
  const third = await start("another-secret-of-the-app");
  await connected(2);
  await third.stop();
});
