/** Publishing to a real server: what arrives, what is refused, and that retries publish once. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createPublisher, type PublisherOptions } from "../../packages/publisher/src/index.ts";
import { atEnd } from "../support/at-end.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";
import { startProxy } from "../support/tcp-proxy.ts";

setDefaultTimeout(30_000);

const server = await startServer();

function publisherAt(url: string, options: Partial<PublisherOptions> = {}) {
  return createPublisher({ url, appId: APP.id, key: APP.key, secret: APP.secret, ...options });
}

const publisher = publisherAt(server.url);

/** A proxy in front of the server that may answer in its place: before the call reaches it, or after. */
function front(answer: (nth: number) => { before?: Response; after?: Response } | undefined) {
  const times: number[] = [];
  const proxy = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      times.push(performance.now());
      const { before, after } = answer(times.length) ?? {};
      if (before) return before;
      const { pathname, search } = new URL(request.url);
      const body = await request.arrayBuffer();
      const passed = await fetch(server.url + pathname + search, { method: request.method, body });
      return after ?? passed;
    },
  });
  atEnd(() => proxy.stop(true));
  return { url: String(proxy.url), times };
}

const unavailable = (headers: Record<string, string> = {}) =>
  Response.json({ error: "Away.", code: "engine_unavailable" }, { status: 503, headers });

describe("publish", () => {
  test("reaches all channels, but not the connection that is excepted", async () => {
    const [ada, bob] = [await connectPusher(server.url), await connectPusher(server.url)];
    for (const client of [ada, bob]) await client.subscribe("both");
    await bob.subscribe("other");
    await publisher.publish(["both", "other"], "paid", { sum: "1 ü" }, { except: ada.socketId });
    expect(await bob.nextIn("both")).toMatchObject({ event: "paid", data: '{"sum":"1 ü"}' });
    expect(await bob.nextIn("other")).toMatchObject({ event: "paid" });
    await ada.ping();
    expect(ada.socket.unread).toEqual([]);
  });

  test.each([
    ["text", '"text"'],
    [42, "42"],
    [null, "null"],
    [[1], "[1]"],
  ])("takes any JSON value: %j", async (data, sent) => {
    const client = await connectPusher(server.url);
    await client.subscribe("any");
    await publisher.publish("any", "e", data);
    expect(await client.nextIn("any")).toMatchObject({ data: sent as string });
  });

  test("refuses what is no JSON, and keys of the wrong length, before it is sent", async () => {
    await expect(publisher.publish("c", "e", undefined)).rejects.toMatchObject({ code: "data_invalid" });
    for (const key of ["", "k".repeat(129)])
      await expect(publisher.publish("c", "e", 1, { key })).rejects.toMatchObject({ code: "data_invalid" });
  });

  test("publishes once for a key", async () => {
    const client = await connectPusher(server.url);
    await client.subscribe("keyed");
    for (let n = 0; n < 3; n++) await publisher.publish("keyed", "e", n, { key: "the same" });
    await publisher.publish("keyed", "end", 1);
    expect((await client.nextIn("keyed")).event).toBe("e");
    expect((await client.nextIn("keyed")).event).toBe("end");
  });

  test("reaches a user on each connection", async () => {
    const client = await connectPusher(server.url);
    const { user_data } = await publisher.authorizeUser(client.socketId, { id: "ada" });
    await client.signin(user_data);
    await publisher.toUser("ada", "hello", 1);
    expect(await client.next("hello")).toMatchObject({ channel: "#server-to-user-ada", data: "1" });
  });
});

describe("batch", () => {
  test("of 25 arrives in order, in three requests", async () => {
    const { url, times } = front(() => undefined);
    const client = await connectPusher(server.url);
    await client.subscribe("batched");
    await publisherAt(url).batch(Array.from({ length: 25 }, (_, n) => ({ channel: "batched", event: "e", data: n })));
    for (let n = 0; n < 25; n++) expect(await client.nextIn("batched")).toMatchObject({ data: String(n) });
    expect(times).toHaveLength(3);
  });

  test("is cut by size, too", async () => {
    const large = await startServer({}, { limits: { eventDataBytes: 600_000 } });
    const client = await connectPusher(large.url);
    await client.subscribe("large");
    const data = "x".repeat(500_000);
    await publisherAt(large.url).batch([1, 2, 3].map((n) => ({ channel: "large", event: `e${n}`, data })));
    for (const n of [1, 2, 3]) expect((await client.nextIn("large")).event).toBe(`e${n}`);
  });

  test("is sent again as a whole, and arrives once", async () => {
    const { url } = front((nth) => (nth === 1 ? { after: unavailable() } : undefined));
    const client = await connectPusher(server.url);
    await client.subscribe("rebatched");
    await publisherAt(url).batch([1, 2, 3].map((n) => ({ channel: "rebatched", event: "e", data: n })));
    for (const n of [1, 2, 3]) expect(await client.nextIn("rebatched")).toMatchObject({ data: String(n) });
    await client.ping();
    expect(client.socket.unread).toEqual([]);
  });
});

describe("a call is repeated, and published once,", () => {
  test.each([
    ["the server never got it", { before: () => unavailable() }],
    ["only its answer was lost", { after: () => unavailable() }],
    ["a proxy answered in HTML", { after: () => new Response("<h1>Bad gateway", { status: 502 }) }],
  ])("where %s", async (name, lost: { before?: () => Response; after?: () => Response }) => {
    const { url, times } = front((nth) => {
      if (nth > 2) return undefined;
      return lost.before ? { before: lost.before() } : { after: (lost.after ?? unavailable)() };
    });
    const channel = `once-${name.replaceAll(" ", "-")}`;
    const client = await connectPusher(server.url);
    await client.subscribe(channel);
    await publisherAt(url).publish(channel, "e", 1);
    expect(times).toHaveLength(3);
    expect((await client.nextIn(channel)).event).toBe("e");
    await client.ping();
    expect(client.socket.unread).toEqual([]);
  });

  test("where the connection is cut before the answer", async () => {
    const proxy = await startProxy(Number(new URL(server.url).port));
    const client = await connectPusher(server.url);
    await client.subscribe("cut");
    proxy.swallow("answers");
    const published = publisherAt(`http://127.0.0.1:${proxy.port}`).publish("cut", "e", 1);
    expect((await client.nextIn("cut")).event).toBe("e");
    proxy.cut();
    await Bun.sleep(300);
    proxy.mend();
    await published;
    await client.ping();
    expect(client.socket.unread).toEqual([]);
  });

  test("where there is no answer in time", async () => {
    const proxy = await startProxy(Number(new URL(server.url).port));
    const client = await connectPusher(server.url);
    await client.subscribe("slow");
    proxy.swallow("answers");
    const published = publisherAt(`http://127.0.0.1:${proxy.port}`, { timeoutMs: 500 }).publish("slow", "e", 1);
    expect((await client.nextIn("slow")).event).toBe("e");
    await Bun.sleep(550);
    proxy.mend();
    await published;
    await client.ping();
    expect(client.socket.unread).toEqual([]);
  });

  test("not before Retry-After", async () => {
    const { url, times } = front((nth) => (nth === 1 ? { before: unavailable({ "Retry-After": "1" }) } : undefined));
    await publisherAt(url).publish("c", "e", 1);
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(950);
  });
});

describe("a call fails", () => {
  test("at once, with the server's words, where repeating it is of no use", async () => {
    const { url, times } = front(() => undefined);
    const error = await publisherAt(url)
      .publish("a b", "e", 1)
      .catch((thrown) => thrown);
    expect(error).toMatchObject({ name: "PublisherError", status: 400, code: "channel_invalid", retryable: false });
    expect(error.message).toStartWith("The server answered 400: ");
    expect(times).toHaveLength(1);
    const wrong = publisherAt(server.url, { secret: "wrong" });
    await expect(wrong.publish("c", "e", 1)).rejects.toMatchObject({ status: 401, code: "signature_invalid" });
    const large = publisher.publish("c", "e", "x".repeat(200_000));
    await expect(large).rejects.toMatchObject({ status: 413, code: "data_too_large" });
  });

  test("after the retries it was given", async () => {
    const { url, times } = front(() => ({ before: unavailable() }));
    const refused = publisherAt(url, { retries: 2 }).publish("c", "e", 1);
    expect(await refused.catch((error) => error)).toMatchObject({
      status: 503,
      code: "engine_unavailable",
      retryable: true,
    });
    expect(times).toHaveLength(3);
  });

  test("at once where the server asks for a longer pause than a key is known", async () => {
    const { url, times } = front(() => ({ before: unavailable({ "Retry-After": "600" }) }));
    expect(
      await publisherAt(url)
        .publish("c", "e", 1)
        .catch((error) => error),
    ).toMatchObject({ retryAfterMs: 600_000 });
    expect(times).toHaveLength(1);
  });

  test("where nothing listens, where it is no server of this kind, and where it sends elsewhere", async () => {
    const unreachable = publisherAt("http://127.0.0.1:1", { retries: 0 });
    await expect(unreachable.publish("c", "e", 1)).rejects.toMatchObject({ code: "unreachable", status: undefined });
    const html = front(() => ({ before: new Response("<html>") }));
    await expect(publisherAt(html.url).connections()).rejects.toMatchObject({ code: "answer_invalid" });
    const elsewhere = front(() => ({ before: Response.redirect("http://127.0.0.1:1/") }));
    await expect(publisherAt(elsewhere.url).publish("c", "e", 1)).rejects.toMatchObject({
      code: "http_error",
      status: 302,
    });
  });

  test("with the signal's reason, also while it waits to try again", async () => {
    const { url, times } = front(() => ({ before: unavailable({ "Retry-After": "60" }) }));
    const reason = new Error("Enough.");
    const stop = new AbortController();
    const call = publisherAt(url).publish("c", "e", 1, { signal: stop.signal });
    setTimeout(() => stop.abort(reason), 200);
    expect(await call.catch((error) => error)).toBe(reason);
    expect(times).toHaveLength(1);
    await expect(publisher.publish("c", "e", 1, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

test("a server behind a path is called with it, and a client's address will do", async () => {
  const behind = await startServer({ path: "/ws" });
  const url = `${behind.url.replace(/^http/, "ws").replace(/\/ws\/?$/, "")}/ws/`;
  expect(await publisherAt(url).connections()).toBe(0);
});
