/** A declaration types handlers, hooks and pushes: what must not compile is marked, and tsc fails where it does compile. */

import { expect, test } from "bun:test";
import { z } from "zod";
import { type AnyDeclaration, defineEvents, unchecked } from "../../packages/schema/src/index.ts";
import { createServer, type Server, type User } from "../../packages/server/src/index.ts";
import { connectNative } from "../support/native-client.ts";
import { APP } from "../support/server.ts";

const events = defineEvents({
  channels: {
    prices: { price: z.number() },
    "chat-*": { "new-message": z.object({ text: z.string() }), refresh: unchecked<undefined>() },
  },
  user: { notification: z.object({ title: z.string() }), refresh: unchecked<undefined>() },
  calls: {
    price: { input: z.number(), output: z.string() },
    vote: { input: z.object({ option: z.string(), weight: z.number().default(1) }) },
  },
});

interface Customer extends User {
  readonly info: { readonly name: string };
}

type Typed = Server<typeof events, Customer>;

/** Compiled, never run. */
async function declared(server: Typed): Promise<void> {
  server.handle("price", (connection, data) => {
    const name: string | undefined = connection.user?.info.name;
    // @ts-expect-error a number has no text
    data.text;
    // @ts-expect-error nobody has an age
    connection.user?.info.age;
    return `${name}: ${data.toFixed(2)}`;
  });
  server.handle("vote", (_, { option, weight }) => option.repeat(weight));
  server.handle("*", (_, data: unknown) => data);
  // @ts-expect-error no such call is declared
  server.handle("prize", () => {});
  // @ts-expect-error the answer is a text
  server.handle("price", async (_, data) => data * 2);

  server.on("message", (_, message) => {
    if (message.event === "new-message") return message.data.text.length + message.channel.length;
    if (message.channel === "prices") return message.data.toFixed(2);
    // Before its defaults are applied.
    if (message.event === "vote") return message.data.weight?.toFixed();
    // @ts-expect-error it may be a refresh, which has no text
    message.data.text;
    // @ts-expect-error no such event is declared
    return message.event === "prize";
  });
  server.subscribe("chat-1", ({ event, data, channel }) => {
    if (event === "new-message") return data.text.length + channel.length;
    // @ts-expect-error it is a refresh, which has no text
    return data.text;
  });
  server
    .channel("prices")
    .subscribe(({ data }) => data.toFixed(2), { onGap: () => server.channel("prices").history() });
  server.channel("prices").push({ event: "price", data: 42 });
  // @ts-expect-error a price is a number
  server.channel("prices").push({ event: "price", data: "42" });
  // @ts-expect-error no such channel is declared
  server.subscribe("price", () => {});

  server.on("message.received", (_, { channel }) => channel?.length, "chat.*");
  server.on("authorize", ({ user }, channel) => user?.info.name === channel);
  server.on("authorize", ({ id }) => ({ id, info: 1 }), "presence-*");
  server.on("close", (_, { code, why }) => why ?? code.toFixed());
  // @ts-expect-error there is no such hook
  server.on("opened", () => {});
  // @ts-expect-error opening is not about a channel
  server.on("open", () => {}, "chat");
  // @ts-expect-error a member has an id
  server.on("authorize", () => ({ info: 1 }));

  await server.toChannel(`chat-${server.port}`).push({ event: "new-message", data: { text: "hi" } });
  await server.toUser("ada").except("1.2").push({ event: "refresh" });
  await server.toConnection("1.2").push({ event: "notification", data: { title: "hi" } });
  await server.app("shop").broadcast({ event: "price", data: 1 }, "prices");
  await server.broadcast({ event: "refresh" });
  server.push("1.2", { event: "notification", data: { title: "hi" } });
  // @ts-expect-error a price is a number
  await server.toChannel("prices").push({ event: "price", data: "1" });
  // @ts-expect-error the event is one of another channel
  await server.toChannel("prices").push({ event: "refresh" });
  // @ts-expect-error no such channel is declared
  server.toChannel("price");
  // @ts-expect-error no such event is declared for users
  await server.toUser("ada").push({ event: "price", data: 1 });
  // @ts-expect-error a notification needs data
  server.push("1.2", { event: "notification" });
  // @ts-expect-error once events are declared, there is nothing else to push
  await server.broadcast("hello");

  server.setAuthenticator(({ name }) => typeof name === "string" && { id: 7, info: { name } });
  // @ts-expect-error the customer's info has a name
  server.setAuthenticator(() => ({ id: 7, info: {} }));
  const info: Customer | undefined = server.connections.getUserInfo("1.2");
  for (const { user } of server.connections) user?.info.name.at(info?.info.name.length ?? 0);
  // @ts-expect-error a connection is looked at, not changed
  for (const connection of server.connections) connection.user = undefined;
  server.createChannel("chat", { history: { size: 1 } }).createChannel("news", { persistent: true });
  // @ts-expect-error a history has a size and a time, and no unit but seconds
  server.createChannel("chat", { history: { ttlMs: 1 } });
}

/** Compiled, never run. */
async function undeclared(server: Server): Promise<void> {
  server.handle("anything", ({ user }, data) => {
    // @ts-expect-error what clients send is unknown
    data.text;
    return [user?.info, data];
  });
  server.on("message", (_, { event, data }) => [event.length, data]);
  await server.toChannel("chat").push(1);
  await server.broadcast({ metric: "cpu" });
  server.push("1.2", "hello");
}

/** Compiled, never run: a part that is left out allows everything. */
async function callsOnly(): Promise<void> {
  const server = createServer({ events: defineEvents({ calls: { now: { input: z.null(), output: z.number() } } }) });
  server.handle("now", () => Date.now());
  await server.toChannel("any").push("thing");
  // @ts-expect-error no such call is declared
  server.handle("then", () => Date.now());
  createServer<AnyDeclaration, Customer>({ port: 0 }).handle("any", ({ user }) => user?.info.name);
  // @ts-expect-error a channel has events
  createServer({ events: { channels: { orders: 1 } } });
}

test("a typed server is a server, whose handlers get what is declared", async () => {
  expect([declared.length, undeclared.length, callsOnly.length]).toEqual([1, 1, 0]);
  const app = { ...APP, anonymous: true };
  const server = createServer({ host: "127.0.0.1", port: 0, log: { level: "silent" }, apps: [app], events });
  server.handle("price", (_, data) => `${data + 1} €`);
  await server.start();
  const client = await connectNative(server.url);
  expect(await client.ask("price", 1)).toMatchObject({ event: "result", data: "2 €" });
  await server.stop();
});
