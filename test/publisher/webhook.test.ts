/** Webhooks that a real server sends, and requests that only look like them. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { createPublisher, type Webhook } from "../../packages/publisher/src/index.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { connectPusher, sign } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";
import { sqliteFile } from "../support/sqlite.ts";

setDefaultTimeout(30_000);

const publisher = createPublisher({ url: "http://127.0.0.1:1", appId: APP.id, key: APP.key, secret: APP.secret });

test("the server's own are read, as a Request and as Node has them", async () => {
  const webhooks: Webhook[] = [];
  const receiver = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const body = await request.clone().text();
      const headers = Object.fromEntries([...request.headers].map(([name, value]) => [name.toLowerCase(), value]));
      const webhook = await publisher.webhook(request);
      expect(await publisher.webhook({ headers, body })).toEqual(webhook);
      expect(await publisher.webhook({ headers, body: new TextEncoder().encode(body) })).toEqual(webhook);
      webhooks.push(webhook);
      return new Response();
    },
  });
  atEnd(() => receiver.stop(true));
  const server = await startServer(
    { webhooks: { allowPrivate: true }, database: { url: sqliteFile() } },
    { webhooks: [{ url: String(receiver.url) }] },
  );
  const client = await connectPusher(server.url);
  await client.subscribe("presence-ü".replace("ü", "room"), { data: { user_id: "ada" } });
  client.send("client-typing", { text: "ü 𝄞" }, "presence-room");
  await eventually(() => expect(webhooks.flatMap(({ events }) => events)).toHaveLength(3), { withinMs: 10_000 });
  const events = webhooks.flatMap((webhook) => webhook.events);
  expect(events).toContainEqual({ name: "channel_occupied", channel: "presence-room" });
  expect(events).toContainEqual({ name: "member_added", channel: "presence-room", user_id: "ada" });
  const typing = events.find((event) => event.name === "client_event");
  expect(typing).toMatchObject({ event: "client-typing", socket_id: client.socketId, user_id: "ada" });
  expect(JSON.parse(typing?.data ?? "")).toEqual({ text: "ü 𝄞" });
  expect(Math.abs((webhooks[0]?.timeMs ?? 0) - Date.now())).toBeLessThan(60_000);
});

const BODY = '{"time_ms":1,"events":[]}';
const RIGHT = { "X-Pusher-Key": APP.key, "X-Pusher-Signature": sign(APP.secret, BODY) };

test.each([
  ["no headers", {}, BODY],
  ["the key of another app", { ...RIGHT, "X-Pusher-Key": "other" }, BODY],
  ["another body", RIGHT, `${BODY} `],
  ["another secret", { ...RIGHT, "X-Pusher-Signature": sign("other", BODY) }, BODY],
  ["half a signature", { ...RIGHT, "X-Pusher-Signature": RIGHT["X-Pusher-Signature"].slice(0, 32) }, BODY],
  ["a signature that is none", { ...RIGHT, "X-Pusher-Signature": "z".repeat(64) }, BODY],
])("one with %s is refused with 401", async (_, headers, body) => {
  const refused = { name: "PublisherError", status: 401, code: "webhook_invalid" };
  const request = new Request("http://127.0.0.1/hook", { method: "POST", headers, body });
  expect(await publisher.webhook(request).catch((error) => error)).toMatchObject(refused);
  expect(await publisher.webhook({ headers, body }).catch((error) => error)).toMatchObject(refused);
});

test("while secrets are rotated, one that either of them signed is read", async () => {
  const options = { url: "http://127.0.0.1:1", appId: APP.id, key: APP.key };
  const rotating = createPublisher({ ...options, secret: ["the new one", APP.secret] });
  for (const secret of ["the new one", APP.secret]) {
    const headers = { ...RIGHT, "X-Pusher-Signature": sign(secret, BODY) };
    expect(await rotating.webhook({ headers, body: BODY })).toEqual({ timeMs: 1, events: [] });
  }
  const headers = { ...RIGHT, "X-Pusher-Signature": sign("a third one", BODY) };
  await expect(rotating.webhook({ headers, body: BODY })).rejects.toMatchObject({ status: 401 });
  for (const secret of ["", [], ["new", ""]])
    expect(() => createPublisher({ ...options, secret })).toThrow("secret is missing");
});

test.each(["not JSON", "null", "[]", '{"time_ms":"1","events":[]}'])(
  "one that is signed but reads %j is refused with 400",
  async (body) => {
    const headers = { ...RIGHT, "X-Pusher-Signature": sign(APP.secret, body) };
    const refused = { status: 400, code: "webhook_invalid" };
    expect(await publisher.webhook({ headers, body }).catch((error) => error)).toMatchObject(refused);
  },
);
