/** What the publisher asks a real server, and what the server accepts of what it signed. */

import { expect, test } from "bun:test";
import { createPublisher, type NodeList } from "../../packages/publisher/src/index.ts";
import { atEnd } from "../support/at-end.ts";
import { connectNative } from "../support/native-client.ts";
import { connectPusher, sign } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";

const RULES = ["kept", "pages", "purged"].map((match) => ({
  match,
  history: { size: 50, ttlS: 60 },
  clientPublish: "any" as const,
}));
const server = await startServer({}, { channels: RULES });
const publisher = createPublisher({ url: server.url, appId: APP.id, key: APP.key, secret: APP.secret });

test("history comes in pages, and says where it stands", async () => {
  const empty = await publisher.history("kept");
  expect(empty).toMatchObject({ events: [], isComplete: true, keeps: { size: 50, ttlS: 60 } });
  for (let n = 1; n <= 5; n++) await publisher.publish("kept", "e", { n });
  const { events, position, isComplete } = await publisher.history<{ n: number }>("kept", { limit: 2 });
  expect(events.map(({ data }) => data.n)).toEqual([4, 5]);
  expect(events[1]).toMatchObject({ event: "e", position });
  expect(events[1]?.expiresInS).toBeGreaterThan(50);
  expect(isComplete).toBe(true);
  expect(await publisher.position("kept")).toEqual(position);

  const seen: number[] = [];
  let since = { epoch: position.epoch, offset: 0 };
  for (;;) {
    const page = await publisher.history<{ n: number }>("kept", { since, limit: 2 });
    if (page.events.length === 0) break;
    seen.push(...page.events.map(({ data }) => data.n));
    since = page.events.at(-1)?.position ?? since;
  }
  expect(seen).toEqual([1, 2, 3, 4, 5]);

  const lost = await publisher.history("kept", { since: { epoch: "another", offset: 3 } });
  expect(lost.isComplete).toBe(false);
  expect(await publisher.history("kept", { limit: 0 })).toMatchObject({ events: [], position });
  await expect(publisher.history("kept", { limit: -1 })).rejects.toMatchObject({ status: 400, code: "data_invalid" });
});

test("history is read page by page in both directions, and by time", async () => {
  for (let n = 1; n <= 5; n++) await publisher.publish("pages", "e", n);
  const numbers: Record<string, unknown[]> = {};
  for (const direction of ["oldest", "newest"] as const) {
    const pages: unknown[] = [];
    let cursor: string | undefined;
    do {
      const page = await publisher.history("pages", { direction, limit: 2, ...(cursor !== undefined && { cursor }) });
      pages.push(page.events.map(({ data }) => data));
      cursor = page.next;
    } while (cursor !== undefined);
    numbers[direction] = pages;
  }
  expect(numbers).toEqual({ oldest: [[1, 2], [3, 4], [5]], newest: [[4, 5], [2, 3], [1]] });

  const { events } = await publisher.history("pages");
  const [second, fourth] = [events[1], events[3]];
  if (!second || !fourth) throw new Error("There are five.");
  const between = await publisher.history("pages", { after: second.position, before: fourth.position });
  expect(between.events.map(({ data }) => data)).toEqual([3]);
  const onwards = await publisher.history("pages", { since: second.position, limit: 2 });
  expect(onwards.next).toBeDefined();
  const rest = await publisher.history("pages", {
    since: second.position,
    limit: 2,
    cursor: onwards.next ?? "",
  });
  expect(rest.events.map(({ data }) => data)).toEqual([5]);
  const early = await publisher.history("pages", { fromMs: events[0]?.atMs ?? 0, toMs: (events[4]?.atMs ?? 0) + 1 });
  expect(early.events).toHaveLength(5);
  expect((await publisher.history("pages", { toMs: events[0]?.atMs ?? 0 })).events).toEqual([]);
  const gone = publisher.history("pages", { after: { epoch: "another", offset: 1 } });
  await expect(gone).rejects.toMatchObject({ status: 410, code: "epoch_gone" });
});

test("history is forgotten: one event, what came before a position, what is older than a time, and all", async () => {
  const kept = async () => (await publisher.history("purged")).events.map(({ data }) => data);
  for (let n = 1; n <= 5; n++) await publisher.publish("purged", "e", n);
  const { events } = await publisher.history("purged");
  expect(await kept()).toEqual([1, 2, 3, 4, 5]);
  const [, , third, fourth] = events;
  if (!third || !fourth) throw new Error("There are five.");
  expect(await publisher.purgeHistory("purged", { event: fourth.position })).toBe(1);
  expect(await kept()).toEqual([1, 2, 3, 5]);
  expect(await publisher.purgeHistory("purged", { before: third.position })).toBe(2);
  expect(await kept()).toEqual([3, 5]);
  expect(await publisher.purgeHistory("purged", { toMs: events[0]?.atMs ?? 0 })).toBe(0);
  expect(await publisher.purgeHistory("purged")).toBe(2);
  expect(await kept()).toEqual([]);
  const another = publisher.purgeHistory("purged", { event: { epoch: "another", offset: 1 } });
  await expect(another).rejects.toMatchObject({ status: 410, code: "epoch_gone" });
});

test("a channel without history has neither events nor a position", async () => {
  expect(await publisher.history("plain")).toMatchObject({ events: [], keeps: undefined });
  expect(await publisher.position("plain")).toBeUndefined();
});

test("an event's position is known where it was published", async () => {
  const { positions } = await publisher.publish(["kept", "plain"], "e", 1, { key: "positioned" });
  expect(positions).toEqual({ kept: (await publisher.position("kept")) ?? { epoch: "", offset: 0 } });
  const client = await connectNative(server.url, { token: await publisher.token({ user: "ada" }) });
  await publisher.publish("kept", "after", 2);
  expect(await client.subscribe("kept", { position: positions.kept })).toMatchObject({ recovered: true });
  expect(await client.next("after")).toMatchObject({ data: 2 });
  // The second is answered as the first.
  const again = await publisher.publish(["kept", "plain"], "e", 1, { key: "positioned" });
  expect(again.positions).toEqual(positions);
});

test("a server that does not know positions is published to all the same", async () => {
  const asked: unknown[] = [];
  const other = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const body = (await request.json()) as { info?: string; name: string };
      asked.push(body.info);
      const isRefused = body.info !== undefined || body.name === "bad";
      return isRefused ? Response.json({ error: "Invalid info." }, { status: 400 }) : Response.json({});
    },
  });
  atEnd(() => other.stop(true));
  const elsewhere = createPublisher({ url: String(other.url), appId: APP.id, key: APP.key, secret: APP.secret });
  await expect(elsewhere.publish("c", "bad", 1)).rejects.toMatchObject({ status: 400 });
  expect(await elsewhere.publish("c", "e", 1)).toEqual({ positions: {} });
  expect(await elsewhere.publish("c", "e", 2)).toEqual({ positions: {} });
  expect(asked).toEqual(["position", undefined, "position", undefined, undefined]);
});

test("the list of nodes is checked", async () => {
  const url = "wss://ws-1.example.com";
  const node = await startServer({ nodeUrl: url });
  const options = { url: node.url, appId: APP.id, key: APP.key };
  const list = await createPublisher({ ...options, secret: APP.secret }).nodes({ strategy: "least_connections" });
  expect(list).toMatchObject({ app: APP.key, strategy: "least_connections", nodes: [{ url, connections: 0 }] });
  const rotated = createPublisher({ ...options, secret: [APP.secret, "an older one"] });
  expect((await rotated.nodes()).strategy).toBe("round_robin");
  const answers: Record<string, object> = {
    "no list": { nodes: 1 },
    "another app": { ...list, app: "other" },
    "another address": { ...list, nodes: [{ ...list.nodes[0], url: "wss://evil.example.com" }] },
    "a later end": { ...list, expiresAt: list.expiresAt + 1 },
    "no signature": { ...list, signature: "0".repeat(64) },
    "one that is over": signedList({ ...list, expiresAt: 1 }),
  };
  for (const [what, answer] of Object.entries(answers)) {
    const forged = createPublisher({ ...options, secret: APP.secret, fetch: stubFetch(answer) });
    const error = await forged.nodes().catch(({ code }) => code);
    expect([what, error]).toEqual([what, "answer_invalid"]);
  }
});

function stubFetch(answer: object): typeof fetch {
  return Object.assign(async () => Response.json(answer), { preconnect: () => {} });
}

function signedList(list: NodeList): NodeList {
  const lines = list.nodes.map(({ url, connections, lagMs }) => `${url} ${connections} ${lagMs}`);
  const text = ["fanfare-nodes", list.app, list.strategy, list.expiresAt, ...lines].join("\n");
  return { ...list, signature: sign(APP.secret, text) };
}

test("channels, their numbers, members, and connections", async () => {
  const [ada, bob] = [await connectPusher(server.url), await connectPusher(server.url)];
  for (const [client, id] of [
    [ada, "ada"],
    [bob, "bob"],
  ] as const) {
    const { auth, channel_data = "" } = await publisher.authorizeChannel(client.socketId, "presence-room", { id });
    await client.subscribe("presence-room", { auth, data: channel_data });
  }
  await ada.subscribe("lobby");
  expect(await publisher.connections()).toBeGreaterThanOrEqual(2);
  expect(await publisher.channels({ prefix: "presence-" })).toEqual([
    { channel: "presence-room", subscriptions: 2, members: 2 },
  ]);
  expect(await publisher.channels()).toContainEqual({ channel: "lobby", subscriptions: 1 });
  expect(await publisher.channel("lobby")).toEqual({ channel: "lobby", subscriptions: 1 });
  expect(await publisher.channel("presence-none")).toEqual({ channel: "presence-none", subscriptions: 0, members: 0 });
  expect((await publisher.members("presence-room")).map(({ id }) => id).sort()).toEqual(["ada", "bob"]);
  await expect(publisher.members("lobby")).rejects.toMatchObject({ status: 400 });
});

test("names that have to be escaped are found", async () => {
  const client = await connectPusher(server.url);
  await client.subscribe("a=b@c,d;e");
  expect(await publisher.channel("a=b@c,d;e")).toEqual({ channel: "a=b@c,d;e", subscriptions: 1 });
});

test("the server takes the signatures of many channels, and only for that connection", async () => {
  const [ada, eve] = [
    await connectNative(server.url, { token: await publisher.token({ user: "ada" }) }),
    await connectPusher(server.url),
  ];
  const { channels } = await publisher.authorize(ada.id, ["private-a", "presence-b"], {
    member: { id: "ada", info: { name: "Ada" } },
    allow: () => true,
  });
  for (const [channel, permission] of Object.entries(channels)) await ada.subscribe(channel, permission);
  const { auth } = await publisher.authorizeChannel(ada.id, "private-a");
  await expect(eve.subscribe("private-a", { auth })).rejects.toThrow("signature_invalid");
});

test("a token lets in, with its channels; a terminated user is out, and the token with the user", async () => {
  const token = await publisher.token({ user: "mallory", channels: ["private-*"] });
  const client = await connectNative(server.url, { token });
  expect(client.welcome.user?.id).toBe("mallory");
  await client.subscribe("private-x");
  await publisher.terminate("mallory");
  expect(await client.next("closing")).toMatchObject({ code: "terminated" });
  const again = await connectNative(server.url, { token });
  expect(await again.next("closing")).toMatchObject({ code: "token_invalid" });
});
