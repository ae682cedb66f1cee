/** One declaration types handlers, hooks and pushes: what must not compile is marked, and tsc fails where it does compile. */

import { expect, test } from "bun:test";
import { createServer, type Server, type User } from "../../packages/server/src/index.ts";
import { connectNative } from "../support/native-client.ts";
import { startServer } from "../support/server.ts";

interface Events {
  "new-message": { text: string };
  price: number;
  refresh: undefined;
}

interface Customer extends User {
  readonly info: { readonly name: string };
}

type Typed = Server<Events, Customer>;

/** Compiled, never run. */
async function declared(server: Typed): Promise<void> {
  server.handle("price", (connection, data) => {
    const twice: number = data * 2;
    const name: string | undefined = connection.user?.info.name;
    // @ts-expect-error a number has no text
    data.text;
    // @ts-expect-error nobody has an age
    connection.user?.info.age;
    return [twice, name];
  });
  server.handle("*", (_, data: unknown) => data);
  // @ts-expect-error no such event is declared
  server.handle("prize", () => {});

  server.on("message", (_, message) => {
    if (message.event === "price") return message.data.toFixed(2);
    // @ts-expect-error it may be a refresh, which has no text
    message.data.text;
    // @ts-expect-error no such event is declared
    return message.event === "prize";
  });
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

  await server.toChannel("chat").push({ event: "new-message", data: { text: "hi" } });
  await server.toUser("ada").except("1.2").push({ event: "refresh" });
  await server.app("shop").broadcast({ event: "price", data: 1 }, "prices");
  server.push("1.2", { event: "price", data: 1 });
  // @ts-expect-error a price is a number
  await server.toChannel("chat").push({ event: "price", data: "1" });
  // @ts-expect-error no such event is declared
  await server.toUser("ada").push({ event: "prize", data: 1 });
  // @ts-expect-error a price needs data
  server.push("1.2", { event: "price" });
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
  server.handle("anything", ({ user }, data: unknown) => [user?.info, data]);
  server.on("message", (_, { event, data }) => [event.length, data]);
  await server.toChannel("chat").push(1);
  await server.broadcast({ metric: "cpu" });
  server.push("1.2", "hello");
}

test("a declaration is for the compiler only: a typed server is a server", async () => {
  expect([declared.length, undeclared.length]).toEqual([1, 1]);
  const untyped = createServer();
  const typed: Typed = createServer<Events, Customer>();
  expect(Object.getPrototypeOf(typed)).toBe(Object.getPrototypeOf(untyped));
  const server = (await startServer({}, { anonymous: true })) as unknown as Typed;
  server.handle("price", (_, data) => data + 1);
  const client = await connectNative(server.url);
  expect(await client.ask("price", 1)).toMatchObject({ event: "result", data: 2 });
});
