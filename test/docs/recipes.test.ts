/** The configurations of docs/from, run as a reader would run them. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { connectNative, makeToken } from "../support/native-client.ts";
import { startProcess } from "../support/process.ts";
import { connectPusher, dialPusher, trigger } from "../support/pusher-client.ts";
import { blocksIn, folderWith } from "./guides.ts";

setDefaultTimeout(60_000);

const SHOP = { id: "shop", key: "shop-key", secret: "change-me" };

test.each(["laravel-websockets", "reverb", "sockudo", "soketi"])(
  "the configuration of %s's guide is one that the server runs with (B8)",
  async (guide) => {
    const cwd = folderWith({ "fanfare.config.ts": blocksIn(guide, "ts")[0] ?? "" });
    const { url } = await startProcess({ cwd, config: null });
    const headers = { Origin: "https://shop.example" };
    const client = await connectPusher(url, { app: SHOP, headers });
    await client.subscribe("private-orders");
    client.send("client-x", {}, "private-orders");
    const refused = guide === "reverb";
    if (refused) expect(await client.next("pusher:error")).toMatchObject({ event: "pusher:error" });
    else await client.ping();
    const elsewhere = await dialPusher(url, { app: SHOP, headers: { Origin: "https://evil.example" } });
    const { event } = await elsewhere.next();
    expect(event).toBe(guide === "reverb" ? "pusher:error" : "pusher:connection_established");
  },
);

test("Centrifugo's guide: tokens go on, a namespace is a rule, and who was away gets what it missed", async () => {
  const cwd = folderWith({ "fanfare.config.ts": blocksIn("centrifugo", "ts")[0] ?? "" });
  const { url } = await startProcess({ cwd, config: null });
  const app = { id: "shop", key: "shop-key", secret: "api-secret" };
  // As Centrifugo's documentation has its back ends issue them; and with the one claim that is new.
  const now = Math.floor(Date.now() / 1000);
  const claims = { sub: "42", exp: now + 600, iat: now, info: { name: "Ada" } };
  const reader = await connectNative(url, { token: await makeToken(claims, "change-me") });
  expect(reader.welcome.user).toEqual({ id: "42", info: { name: "Ada" } });
  const { position } = await reader.ask("subscribe", { channel: "news.sport" });
  await trigger(url, app, { name: "publication", channel: "news.sport", data: '{"score":"1:0"}' });
  expect(await reader.next("publication")).toMatchObject({ data: { score: "1:0" } });
  expect(await reader.ask("subscribe", { channel: "presence-chat.1" })).toMatchObject({ code: "unauthorized" });
  const member = await makeToken({ ...claims, channels: ["presence-chat.*"] }, "change-me");
  const back = await connectNative(url, { token: member });
  expect(await back.ask("subscribe", { channel: "news.sport", ...Object(position) })).toMatchObject({
    event: "subscribed",
  });
  const { data } = await back.ask("subscribe", { channel: "presence-chat.1" });
  expect(data).toMatchObject({ members: [{ id: "42", info: { name: "Ada" } }] });
  await back.ask("publish", { channel: "presence-chat.1", event: "message", data: "hi" });
});
