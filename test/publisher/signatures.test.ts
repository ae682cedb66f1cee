/** What the publisher signs, against the protocol's vectors, the official library, and the libraries that check it elsewhere. */

import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { jwtVerify } from "jose";
import Pusher from "pusher";
import { createPublisher, PublisherError } from "../../packages/publisher/src/index.ts";
import { md5Hex } from "../../packages/publisher/src/md5.ts";
import { atEnd } from "../support/at-end.ts";
import { APP } from "../support/server.ts";

const publisher = createPublisher({ url: "http://127.0.0.1:1", appId: APP.id, key: APP.key, secret: APP.secret });
const official = new Pusher({ appId: APP.id, key: APP.key, secret: APP.secret, host: "127.0.0.1", port: "1" });
const allow = () => true;

test("MD5 is Node's for every length around a block, and for bytes of all kinds", () => {
  for (let length = 0; length <= 200; length++) {
    const bytes = crypto.getRandomValues(new Uint8Array(length));
    expect(md5Hex(bytes)).toBe(createHash("md5").update(bytes).digest("hex"));
  }
  const large = new Uint8Array(1_000_000).fill(7);
  expect(md5Hex(large)).toBe(createHash("md5").update(large).digest("hex"));
});

test("a call is signed and sent as the official library does it", async () => {
  const seen: { url: URL; body: string }[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      seen.push({ url: new URL(request.url), body: await request.text() });
      return Response.json({ channels: {} });
    },
  });
  atEnd(() => server.stop(true));
  const options = { appId: APP.id, key: APP.key, secret: APP.secret };
  const ours = createPublisher({ ...options, url: String(server.url) });
  const theirs = new Pusher({ ...options, host: "127.0.0.1", port: String(server.port) });
  const data = { text: "ü 𝄞 \u2028", n: 1 };
  // Both within one second, as the time is signed.
  for (;;) {
    seen.length = 0;
    await ours.publish(["a", "b"], "e", data, { key: "k" });
    await theirs.trigger(["a", "b"], "e", data, { idempotency_key: "k", info: "position" } as object);
    await ours.channels({ prefix: "presence-" });
    await theirs.get({
      path: "/channels",
      params: { info: "subscription_count,user_count", filter_by_prefix: "presence-" },
    });
    if (new Set(seen.map(({ url }) => url.searchParams.get("auth_timestamp"))).size === 1) break;
  }
  const [publish, trigger, list, get] = seen.map(({ url, body }) => ({
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    body,
  }));
  expect(publish).toEqual(trigger as typeof publish);
  expect(list).toEqual(get as typeof list);
});

describe("permissions are the official library's, byte for byte:", () => {
  test("private and presence channels, and users", async () => {
    expect(await publisher.authorizeChannel("1234.1234", "private-foobar")).toEqual({
      auth: `${APP.key}:58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4`,
    });
    const info = { name: "Ada ü" };
    expect(await publisher.authorizeChannel("1.2", "presence-c", { id: "7", info })).toEqual(
      official.authorizeChannel("1.2", "presence-c", { user_id: "7", user_info: info }),
    );
    expect(await publisher.authorizeUser("1.2", { id: "7", info, watchlist: ["8"] })).toEqual(
      official.authenticateUser("1.2", { id: "7", user_info: info, watchlist: ["8"] }) as never,
    );
  });

  test("many at once, each by its own decision", async () => {
    const answer = await publisher.authorize(
      "1.2",
      ["private-a", "private-b", "private-c", "presence-d", "private-a"],
      {
        member: { id: "7" },
        allow: async (channel) => {
          if (channel === "private-c") return { error: { code: "not_paid", message: "Pay first." } };
          return channel !== "private-b";
        },
      },
    );
    expect(JSON.parse(JSON.stringify(answer))).toEqual({
      channels: {
        "private-a": { ...official.authorizeChannel("1.2", "private-a") },
        "private-b": { error: { code: "forbidden", message: "You may not subscribe to this channel." } },
        "private-c": { error: { code: "not_paid", message: "Pay first." } },
        "presence-d": official.authorizeChannel("1.2", "presence-d", { user_id: "7" }),
      },
    });
  });
});

describe("nothing is signed that means something else:", () => {
  test.each(["1.2::user", "1.2:private-a", "", "1", "1.2\n"])("the connection id %j", async (id) => {
    const refused = { name: "PublisherError", status: 400, code: "data_invalid" };
    expect(await publisher.authorize(id, ["private-a"], { allow }).catch((error) => error)).toMatchObject(refused);
    expect(await publisher.authorizeChannel(id, "private-a").catch((error) => error)).toMatchObject(refused);
    expect(await publisher.authorizeUser(id, { id: "7" }).catch((error) => error)).toMatchObject(refused);
  });

  test.each([":user:{}", "private-a:{}", "#server-to-user-7", "", "x".repeat(201)])(
    "the channel %j",
    async (channel) => {
      const answer = await publisher.authorize("1.2", [channel, "private-a"], { allow });
      expect(answer.channels[channel]).toMatchObject({ error: { code: "data_invalid" } });
      expect(answer.channels["private-a"]).toHaveProperty("auth");
      await expect(publisher.authorizeChannel("1.2", channel)).rejects.toBeInstanceOf(PublisherError);
    },
  );

  test("a list that is none, or too long", async () => {
    const many = Array.from({ length: 101 }, (_, n) => `private-${n}`);
    for (const channels of [many, "private-a", undefined] as string[][])
      await expect(publisher.authorize("1.2", channels, { allow })).rejects.toMatchObject({ code: "data_invalid" });
  });

  test("a channel called __proto__ is one as any other", async () => {
    const { channels } = await publisher.authorize("1.2", ["__proto__"], { allow });
    expect(Object.keys(channels)).toEqual(["__proto__"]);
  });
});

test("end-to-end encrypted channels are left to the official library, and nothing is published in clear", async () => {
  const refused = { code: "encryption_unsupported", retryable: false };
  await expect(publisher.publish("private-encrypted-a", "e", 1)).rejects.toMatchObject(refused);
  await expect(publisher.batch([{ channel: "private-encrypted-a", event: "e", data: 1 }])).rejects.toMatchObject(
    refused,
  );
  const { channels } = await publisher.authorize("1.2", ["private-encrypted-a"], { allow });
  expect(channels["private-encrypted-a"]).toMatchObject({ error: { code: "encryption_unsupported" } });
});

test("a token is a JWT that others verify", async () => {
  const claims = { info: { name: "Ada ü 𝄞" }, channels: ["private-*"], watch: ["presence-*"], watchlist: ["bob"] };
  const token = await publisher.token({ user: "ada", ...claims, expiresInS: 60, audience: "a", issuer: "i" });
  const secret = new TextEncoder().encode(APP.secret);
  const { payload, protectedHeader } = await jwtVerify(token, secret, { audience: "a", issuer: "i" });
  expect(protectedHeader).toEqual({ alg: "HS256", typ: "JWT" });
  expect(payload).toMatchObject({ sub: "ada", ...claims });
  expect(Number(payload.exp) - Number(payload.iat)).toBe(60);
  await expect(publisher.token({ user: "" })).rejects.toMatchObject({ code: "data_invalid" });
  await expect(publisher.token({ user: "ada", expiresInS: -1 })).rejects.toMatchObject({ code: "data_invalid" });
});

test.each([0, -1, Number.NaN])("a permission that ends after %p seconds is signed for nobody", async (expiresInS) => {
  const refused = { code: "data_invalid" };
  await expect(publisher.authorizeChannel("1.2", "private-a", undefined, { expiresInS })).rejects.toMatchObject(
    refused,
  );
  await expect(publisher.authorize("1.2", ["private-a"], { allow: () => true, expiresInS })).rejects.toMatchObject(
    refused,
  );
});

test.each([
  { url: "ws" },
  { url: "ftp://a" },
  { key: "" },
  { secret: undefined },
  { timeoutMs: 0 },
  { timeoutMs: Number.POSITIVE_INFINITY },
  { retries: -1 },
])("options that cannot work are refused: %j", (wrong) => {
  const options = { url: "http://a", appId: "a", key: "k", secret: "s", ...wrong } as never;
  expect(() => createPublisher(options)).toThrow(TypeError);
});
