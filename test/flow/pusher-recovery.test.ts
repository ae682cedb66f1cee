/** Recovery of Pusher clients over real sockets: who asks for it, what is answered, and that nobody else notices. */

import { describe, expect, test } from "bun:test";
import type { Server } from "../../packages/server/src/index.ts";
import { eventually } from "../support/eventually.ts";
import { scrape } from "../support/metrics.ts";
import { connectPusher, type PusherTestClient, RECOVER } from "../support/pusher-client.ts";
import { startServer } from "../support/server.ts";

const RULES = [
  { match: "room*", history: { size: 200, ttlS: 60 } },
  { match: "presence-room", history: { size: 200, ttlS: 60 } },
  { match: "small", history: { size: 2, ttlS: 60 } },
  { match: "cache-kept", history: { size: 10, ttlS: 60 } },
];
const start = () => startServer({}, { channels: RULES });
const recovering = ({ url }: Server) => connectPusher(url, { query: RECOVER });
const push = (server: Server, channel: string, data: unknown) => server.toChannel(channel).push({ event: "e", data });
const last = ({ socket }: PusherTestClient) => String(socket.raw.at(-1));

describe("a client that connects with recover=1", () => {
  test("is told so, and all others are welcomed as ever", async () => {
    const server = await start();
    const [plain, recover] = [await connectPusher(server.url), await recovering(server)];
    const other = await connectPusher(server.url, { query: "protocol=7&recover=true" });
    expect(Object.keys(plain.socket.frames[0] ?? {})).toEqual(["event", "data"]);
    expect(Object.keys(other.socket.frames[0] ?? {})).toEqual(["event", "data"]);
    expect(recover.socket.frames[0]).toEqual({
      event: "pusher:connection_established",
      data: JSON.stringify({ socket_id: recover.socketId, activity_timeout: recover.activityTimeoutS }),
      recover: true,
    });
  });

  test("reads positions in the channels of which something is kept, and nobody else does", async () => {
    const server = await start();
    const [plain, recover] = [await connectPusher(server.url), await recovering(server)];
    for (const channel of ["room", "plain"]) {
      await plain.subscribe(channel);
      await recover.subscribe(channel);
    }
    await push(server, "plain", 1);
    await recover.nextIn("plain");
    expect(last(recover)).toBe('{"event":"e","channel":"plain","data":"1"}');
    await push(server, "room", 2);
    await recover.nextIn("room");
    expect(last(recover)).toMatch(
      /^\{"event":"e","channel":"room","data":"2","position":\{"epoch":"[^"]+","offset":1\}\}$/,
    );
    await plain.nextIn("room");
    expect(last(plain)).toBe('{"event":"e","channel":"room","data":"2"}');
    expect(plain.socket.raw.join()).not.toMatch(/position|recover/);
  });

  test("is counted among the clients of the Pusher protocol", async () => {
    const server = await startServer({ metrics: { enabled: true } });
    await connectPusher(server.url);
    await recovering(server);
    const samples = [...(await scrape(server.url))].filter(([, value]) => value > 0);
    const opened = samples.filter(([name]) => name.startsWith("fanfare_connections_opened_total"));
    expect(opened).toEqual([["fanfare_connections_opened_total{app=app,protocol=pusher}", 2]]);
  });
});

describe("resuming", () => {
  test("is no business of a client that did not ask for it when it connected", async () => {
    const server = await start();
    const plain = await connectPusher(server.url);
    await push(server, "room", 1);
    const answer = await plain.subscribed("room", {
      past: { recover: true, position: "nonsense", previous_socket_ids: 1 },
    });
    expect(answer).toEqual({ event: "pusher_internal:subscription_succeeded", channel: "room", data: "{}" });
    await plain.ping();
    expect(plain.socket.unread).toEqual([]);
  });

  test("says that something is lost where less is kept than was missed, and where nothing is kept", async () => {
    const server = await start();
    const first = await recovering(server);
    const { position } = await first.subscribed("small");
    for (const data of [1, 2, 3]) await push(server, "small", data);
    const back = await recovering(server);
    expect(await back.subscribed("small", { past: { position } })).toMatchObject({
      recovered: false,
      position: { offset: 3 },
    });
    const answer = await back.subscribed("plain", { past: { position } });
    expect([answer.recovered, "position" in answer]).toEqual([false, false]);
  });

  test("without a position brings all that is kept", async () => {
    const server = await start();
    for (const data of [1, 2]) await push(server, "room", data);
    const late = await recovering(server);
    expect(await late.subscribed("room", { past: { recover: true } })).toMatchObject({
      recovered: true,
      position: { offset: 0 },
    });
    expect([(await late.nextIn("room")).data, (await late.nextIn("room")).data]).toEqual(["1", "2"]);
  });

  test("in a cache channel brings what was missed, and not the cached event", async () => {
    const server = await start();
    const first = await recovering(server);
    await push(server, "cache-kept", 1);
    const { position } = await first.subscribed("cache-kept");
    expect(await first.nextIn("cache-kept")).toEqual({ event: "e", channel: "cache-kept", data: "1" });
    const back = await recovering(server);
    expect(await back.subscribed("cache-kept", { past: { position } })).toMatchObject({ recovered: true });
    await back.ping();
    expect(back.socket.unread).toEqual([]);
    await push(server, "cache-kept", 2);
    expect(await back.nextIn("cache-kept")).toMatchObject({ data: "2", position: { offset: 2 } });
  });

  test("refuses what is no position, in an answer that names the channel, and the connection lives", async () => {
    const server = await start();
    const client = await recovering(server);
    client.sendSubscribe("room", { past: { position: { epoch: 1 } } });
    const answer = await client.next("pusher:subscription_error");
    expect(answer.channel).toBe("room");
    expect(JSON.parse(String(answer.data))).toMatchObject({ status: 400, code: "malformed" });
    expect(await client.subscribed("room")).toMatchObject({ position: { offset: 0 } });
  });

  test("of the user's own channel is answered: nothing is kept there", async () => {
    const server = await start();
    const client = await recovering(server);
    await client.signin({ id: "ada" });
    const answer = await client.subscribed("#server-to-user-ada", { past: { recover: true } });
    expect(answer).toEqual({
      event: "pusher_internal:subscription_succeeded",
      channel: "#server-to-user-ada",
      data: "{}",
      recovered: false,
    });
  });
});

test("a server that stops tells such a client when to come back", async () => {
  const server = await start();
  const [plain, recover] = [await connectPusher(server.url), await recovering(server)];
  await server.stop();
  const { data } = await recover.next("pusher:error");
  expect(data).toEqual({ code: 4200, message: expect.any(String), after_ms: expect.any(Number) });
  expect((data as { after_ms: number }).after_ms).toBeLessThanOrEqual(1_000);
  expect((await plain.next("pusher:error")).data).toEqual({ code: 4200, message: expect.any(String) });
});

test("thousands of events reach both kinds of client, each encoded once for each kind", async () => {
  const server = await start();
  const clients = [await connectPusher(server.url), await recovering(server), await recovering(server)];
  for (const client of clients) await client.subscribe("room");
  for (let n = 1; n <= 500; n++) await push(server, "room", n);
  const heard = clients.map(
    ({ socket }) =>
      () =>
        socket.unread.filter(({ event }) => event === "e"),
  );
  await eventually(() => expect(heard.map((events) => events().length)).toEqual([500, 500, 500]));
  for (const events of heard)
    expect(events().map(({ data }) => Number(data))).toEqual(Array.from({ length: 500 }, (_, n) => n + 1));
});
