/** Who and what is behind what the console shows: the person's name, the client's kind, its headers, and what it sent. */

import { expect, test } from "bun:test";
import type { FeedEntry, FeedType } from "../../packages/server/src/admin/api-types.ts";
import { eventually } from "../support/eventually.ts";
import { connectPusher, dialPusher, signedFetch } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";
import { keyHolder, type Live } from "./visitor.ts";

const OPEN = { apps: [{ ...APP, anonymous: true }] };
const LIBRARY = "protocol=7&client=js&version=8.4.0";
const HEADERS = { "User-Agent": "Shop/4.1", Origin: "https://shop.example", Cookie: "session=hush-hush" };

/** The newest of that kind that was told, once it is. */
function told(live: Live, type: FeedType): Promise<FeedEntry> {
  return eventually(() => {
    const all = live.socket.frames.flatMap(({ event, data }) =>
      event === "feed" ? (data as { readonly entries: readonly FeedEntry[] }).entries : [],
    );
    const found = all.findLast((entry) => entry.type === type);
    if (!found) throw new Error(`no ${type} among ${all.map((entry) => entry.type).join()}`);
    return found;
  });
}

test("a refusal names the person, the client and what it sent, and shows no secret of it", async () => {
  const server = await startServer(OPEN);
  const live = await (await keyHolder(server)).watch();
  await live.subscribe({ type: "feed" });
  const client = await connectPusher(server.url, { query: LIBRARY, headers: HEADERS });
  await client.subscribe("presence-room", { data: { user_id: "42", user_info: { name: "Mara Lindqvist" } } });
  const auth = `${APP.key}:${"0".repeat(64)}`;
  client.socket.send({ event: "pusher:subscribe", data: { channel: "private-orders", auth } });
  const refused = await told(live, "refused");
  expect(refused).toMatchObject({ user: "42", name: "Mara Lindqvist", library: "pusher-js 8.4.0", agent: "Shop/4.1" });
  expect(refused.headers).toMatchObject({ origin: "https://shop.example", "user-agent": "Shop/4.1" });
  expect(refused.payload?.text).toContain('"event":"pusher:subscribe"');
  expect(refused.payload?.text).toContain('"channel":"private-orders"');
  expect(JSON.stringify([refused.payload, refused.headers])).not.toMatch(/hush-hush|0{64}|cookie/i);
  client.send("client-typing", {}, "presence-room");
  expect(await told(live, "client_event")).toMatchObject({ user: "42", name: "Mara Lindqvist" });
  expect(await told(live, "subscribed")).toMatchObject({ name: "Mara Lindqvist", library: "pusher-js 8.4.0" });
});

test("a message of a back end says from where it came and by which client, without its signature", async () => {
  const server = await startServer(OPEN);
  const live = await (await keyHolder(server)).watch();
  await live.subscribe({ type: "feed" });
  const headers = { "User-Agent": "pusher-http-php/7.2.7", Authorization: "Bearer hush-hush" };
  const body = { name: "paid", channel: "orders", data: "{}" };
  await signedFetch(server.url, APP, "POST", "/events", { body, headers });
  const message = await told(live, "api_message");
  expect(message.address).toBe("127.0.0.1");
  expect(message.headers).toMatchObject({ "user-agent": "pusher-http-php/7.2.7" });
  expect(JSON.stringify(message)).not.toMatch(/hush-hush|authorization/i);
  await signedFetch(server.url, { ...APP, secret: "another" }, "POST", "/events", { body, headers });
  const refused = await told(live, "refused");
  expect(refused.headers).toMatchObject({ "user-agent": "pusher-http-php/7.2.7" });
  expect(refused.payload?.text).toContain('"name":"paid"');
});

test("a client that is turned away says what it was", async () => {
  const server = await startServer(OPEN);
  const live = await (await keyHolder(server)).watch();
  await live.subscribe({ type: "feed" });
  await dialPusher(server.url, { app: { ...APP, key: "no-such-key" }, query: LIBRARY, headers: HEADERS });
  expect(await told(live, "turned_away")).toMatchObject({ library: "pusher-js 8.4.0", agent: "Shop/4.1" });
});

test("headers are kept only where somebody would look at them", async () => {
  const server = await startServer({ ...OPEN, dashboard: { recentEvents: false } });
  const before = await connectPusher(server.url, { query: LIBRARY, headers: HEADERS });
  const live = await (await keyHolder(server)).watch();
  await live.subscribe({ type: "feed" });
  await before.subscribe("orders");
  const subscribed = await told(live, "subscribed");
  expect([subscribed.library, subscribed.headers]).toEqual(["pusher-js 8.4.0", undefined]);
  await connectPusher(server.url, { query: LIBRARY, headers: HEADERS });
  expect((await told(live, "connected")).headers).toMatchObject({ "user-agent": "Shop/4.1" });
});
