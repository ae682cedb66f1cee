/** How often one connection may publish and subscribe. */

import { expect, test } from "bun:test";
import { connectNative } from "../support/native-client.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { startServer } from "../support/server.ts";
import { publishRefusal, subscribeRefusal } from "./refusals.ts";

/** So slow that nothing is refilled while a test runs, however slow the machine: one a second, of which the bucket holds one. */
const slow = await startServer({}, { anonymous: true, limits: { clientEventsPerSecond: 1, subscribesPerSecond: 1 } });

/** Tries until the bucket is empty; a token may have come back on the way. */
async function untilRefused<T>(attempt: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < 50; tries++) {
    const refused = await attempt().catch(() => undefined);
    if (refused !== undefined) return refused;
  }
  throw new Error("Nothing was refused in fifty tries");
}

test("a Pusher client that publishes too often is told 4301, stays connected, and may go on a second later", async () => {
  const [eager, reader] = [await connectPusher(slow.url), await connectPusher(slow.url)];
  await eager.subscribe("private-a");
  await reader.subscribe("private-a");
  for (let i = 0; i < 20; i++) eager.send("client-x", { i }, "private-a");
  expect((await eager.next("pusher:error")).data).toEqual({
    code: 4301,
    message: "More than 1 client events in a second (clientEventsPerSecond).",
  });
  await eager.ping();
  expect((await reader.nextIn("private-a")).data).toBe('{"i":0}');
  await Bun.sleep(1100);
  eager.send("client-late", {}, "private-a");
  expect((await reader.next("client-late")).event).toBe("client-late");
});

test("a native client that publishes too often is told so, and stays connected (S30)", async () => {
  const client = await connectNative(slow.url);
  await client.subscribe("private-b", client.permission("private-b"));
  const refusal = await untilRefused(() => publishRefusal(client, "private-b", "client-x"));
  expect(refusal).toEqual({
    code: "rate_limited",
    message: "More than 1 client events in a second (clientEventsPerSecond).",
  });
  await client.ping();
});

test("a program's own commands count as events, too", async () => {
  const client = await connectNative(slow.url);
  for (let i = 0; i < 20; i++) client.send("custom", { i });
  const refusal = await client.next(({ code }) => code === "rate_limited");
  expect(refusal.message).toBe("More than 1 client events in a second (clientEventsPerSecond).");
  expect(refusal.retryAfterMs).toBeWithin(1, 1001);
});

test("a native client that waits as long as the refusal says is let through", async () => {
  const { url } = await startServer(
    {},
    { anonymous: true, limits: { clientEventsPerSecond: 5, subscribesPerSecond: 5 } },
  );
  const client = await connectNative(url);
  const refused = await untilRefused(async () => {
    const answer = await client.ask("subscribe", { channel: `room-${crypto.randomUUID()}` });
    return answer.code === "rate_limited" ? answer : undefined;
  });
  expect(refused.retryAfterMs).toBeWithin(1, 201);
  await Bun.sleep(Number(refused.retryAfterMs));
  await client.subscribe("at-last");
});

test("the rate is one connection's own", async () => {
  const [noisy, quiet] = [await connectPusher(slow.url), await connectPusher(slow.url)];
  await noisy.subscribe("private-c");
  await quiet.subscribe("private-c");
  for (let i = 0; i < 20; i++) noisy.send("client-x", { i }, "private-c");
  await noisy.next("pusher:error");
  quiet.send("client-quiet", {}, "private-c");
  expect((await noisy.next("client-quiet")).event).toBe("client-quiet");
});

test("a client that subscribes too often is refused with 429 or rate_limited, and stays connected", async () => {
  const pusher = await connectPusher(slow.url);
  const native = await connectNative(slow.url);
  let n = 0;
  for (const client of [pusher, native]) {
    const refusal = await untilRefused(() => subscribeRefusal(client, `room-${n++}`));
    expect(refusal).toMatchObject({
      code: "rate_limited",
      message: "More than 1 subscriptions in a second (subscribesPerSecond).",
    });
    if (client === pusher) expect(refusal.status).toBe(429);
    await client.ping();
  }
});

test("a client may publish as many in one go as configured", async () => {
  const { url } = await startServer({}, { limits: { clientEventsPerSecond: 50 } });
  const [sender, reader] = [await connectPusher(url), await connectPusher(url)];
  await sender.subscribe("private-a");
  await reader.subscribe("private-a");
  for (let i = 0; i < 50; i++) sender.send("client-x", i, "private-a");
  for (let i = 0; i < 50; i++) expect((await reader.nextIn("private-a")).data).toBe(String(i));
  await sender.ping();
  await sender.silence(0);
});
