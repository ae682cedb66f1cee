/** `batchAuthorizer` with the real pusher-js: one request for many channels, and what becomes of each answer. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { createPublisher } from "@fanfare/publisher";
import type { Channel } from "pusher-js";
import { type BatchAuthorizerOptions, batchAuthorizer } from "../../packages/client/src/pusher/index.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { APP, startServer } from "../support/server.ts";
import { connect, freshPusher } from "./pusher-js.ts";

setDefaultTimeout(30_000);

const server = await startServer();
const publisher = createPublisher({ url: server.url, appId: APP.id, key: APP.key, secret: APP.secret });

interface Asked {
  readonly connectionId: string;
  readonly channels: readonly string[];
}

/** A back end as docs/publisher.md has it, which first answers with what `instead` gives, if anything. */
function startAuthorizer(instead: (tries: number) => Response | undefined = () => undefined) {
  const requests: { readonly asked: Asked; readonly headers: Headers }[] = [];
  const http = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const asked: Asked = await request.json();
      requests.push({ asked, headers: request.headers });
      const allow = (channel: string) => !channel.includes("forbidden");
      const member = { id: "ada", info: { name: "Ada" } };
      return (
        instead(requests.length) ??
        Response.json(await publisher.authorize(asked.connectionId, [...asked.channels], { member, allow }))
      );
    },
  });
  atEnd(() => http.stop(true));
  return { endpoint: `http://127.0.0.1:${http.port}/auth`, requests };
}

function open(options: BatchAuthorizerOptions) {
  const errors: unknown[] = [];
  const channelAuthorization = { customHandler: batchAuthorizer(options) };
  const { pusher } = connect(freshPusher(), server.port, { channelAuthorization });
  const subscribe = (name: string) => {
    const channel = pusher.subscribe(name);
    channel.bind("pusher:subscription_error", (error: object) => errors.push({ channel: name, ...error }));
    return channel;
  };
  return { pusher, subscribe, errors };
}

function missing(channels: readonly Channel[]): string[] {
  return channels.flatMap(({ name, subscribed }) => (subscribed ? [] : name));
}

test("forty channels are one request, those of presence included, and another one after a reconnect", async () => {
  const { endpoint, requests } = startAuthorizer();
  const { pusher, subscribe } = open({ endpoint });
  const names = Array.from({ length: 40 }, (_, at) => `${at % 2 ? "private" : "presence"}-${at}`);
  const channels = names.map(subscribe);
  await eventually(() => expect(missing(channels)).toEqual([]));
  expect(requests.map(({ asked }) => asked)).toEqual([{ connectionId: pusher.connection.socket_id, channels: names }]);
  expect(await server.members("presence-0")).toMatchObject([{ id: "ada", info: { name: "Ada" } }]);
  pusher.disconnect();
  pusher.connect();
  await eventually(() => expect(missing(channels)).toEqual([]));
  expect(requests.length).toBe(2);
  expect(requests[1]?.asked.connectionId).toBe(pusher.connection.socket_id);
});

test("more than a hundred channels are several requests", async () => {
  const { endpoint, requests } = startAuthorizer();
  const { subscribe, errors } = open({ endpoint });
  const channels = Array.from({ length: 130 }, (_, at) => subscribe(`private-${at}`));
  await eventually(() => expect(missing(channels)).toEqual([]));
  expect(requests.map(({ asked }) => asked.channels.length).sort()).toEqual([100, 30]);
  expect(errors).toEqual([]);
});

test("a channel that is refused, or that the answer forgets, gets an error of its own; the others are subscribed", async () => {
  const signed = await publisher.authorize("1.1", ["private-a"], { allow: () => true });
  const { endpoint } = startAuthorizer();
  const { subscribe, errors } = open({ endpoint });
  const channels = ["private-a", "private-forbidden", "private-b"].map(subscribe);
  await eventually(() => expect(channels.map(({ subscribed }) => subscribed)).toEqual([true, false, true]));
  expect(errors).toMatchObject([{ channel: "private-forbidden", type: "AuthError", error: expect.any(String) }]);

  const forgetful = startAuthorizer(() => Response.json({ channels: { "private-x": signed.channels["private-a"] } }));
  const other = open({ endpoint: forgetful.endpoint });
  other.subscribe("private-lost");
  const error = "The back end's answer does not name the channel.";
  await eventually(() => expect(other.errors).toEqual([{ channel: "private-lost", type: "AuthError", error }]));
});

const FLEETING: readonly [string, () => Response][] = [
  ["answers 503", () => new Response(null, { status: 503 })],
  ["answers 429", () => new Response(null, { status: 429 })],
];

test.each(FLEETING)("a back end that %s twice costs no channel", async (_what, failure) => {
  const { endpoint, requests } = startAuthorizer((tries) => (tries < 3 ? failure() : undefined));
  const { subscribe, errors } = open({ endpoint });
  const channel = subscribe("private-a");
  await eventually(() => expect(channel.subscribed).toBe(true));
  expect([requests.length, errors]).toEqual([3, []]);
});

test("a back end that cannot be reached is tried three times; then the channel gets the error", async () => {
  const { subscribe, errors } = open({ endpoint: "http://127.0.0.1:9/auth" });
  subscribe("private-a");
  await eventually(() => expect(errors).toMatchObject([{ channel: "private-a", type: "AuthError" }]));
});

test.each([
  ["403", () => new Response(null, { status: 403 }), "The back end answered 403."],
  ["no JSON", () => new Response("<html>"), "SyntaxError"],
  ["null", () => Response.json(null), "TypeError"],
  ["a list of channels", () => Response.json({ channels: null }), "does not name the channel"],
])("an answer of %s is not asked for again, and is the channels' error", async (_what, answer, sentence) => {
  const { endpoint, requests } = startAuthorizer(answer);
  const { subscribe, errors } = open({ endpoint });
  subscribe("private-a");
  await eventually(() => expect(errors).toMatchObject([{ error: expect.stringContaining(sentence) }]));
  expect(requests.length).toBe(1);
});

test("headers come from an object, or from a function that is called for each request", async () => {
  let token = 0;
  const { endpoint, requests } = startAuthorizer();
  const { pusher, subscribe } = open({ endpoint, headers: async () => ({ "X-CSRF-TOKEN": String(++token) }) });
  const channel = subscribe("private-a");
  await eventually(() => expect(channel.subscribed).toBe(true));
  pusher.disconnect();
  pusher.connect();
  await eventually(() => expect(requests.length).toBe(2));
  const fixed = open({ endpoint, headers: { "X-CSRF-TOKEN": "fixed" } }).subscribe("private-a");
  await eventually(() => expect(fixed.subscribed).toBe(true));
  expect(requests.map(({ headers }) => headers.get("X-CSRF-TOKEN"))).toEqual(["1", "2", "fixed"]);
  expect(requests[0]?.headers.get("Content-Type")).toBe("application/json");
});
