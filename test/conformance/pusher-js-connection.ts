/** pusher-js and its connection: pings, refusals, errors that do not end it, farewells that do, and coming back. */

import { expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { startBackend } from "./backend.ts";
import { Client, connectClient, type Heard, own, type PusherWorld } from "./pusher-js.ts";

/** A try that finds nobody listening costs pusher-js fifteen seconds before its next one. */
const RETURN = { withinMs: 40_000 };

export async function connectionContract(world: PusherWorld): Promise<void> {
  const server = await world.start({}, { limits: { clientEventsPerSecond: 3 } });
  const backend = startBackend(server);
  const { library } = backend;

  test("pusher-js asks whether the server is there, and is answered", async () => {
    const client = await connectClient(server, backend, { activityTimeout: 100, pongTimeout: 5_000 });
    const { socketId } = client;
    if (server.connections) {
      const connection = [...server.connections].find(({ id }) => id === socketId);
      const seenAtMs = new Set<unknown>();
      await eventually(() => expect(seenAtMs.add(connection?.lastSeenMs).size).toBeGreaterThan(4));
    } else await Bun.sleep(6_000);
    // Over HTTP it takes any line for the answer.
    if (server.transport === "ws") expect(client.frames).toContain("pusher:pong");
    expect([client.states, client.socketId]).toEqual([["connected"], socketId]);
  }, 20_000);

  test("pusher-js answers the server's ping, and so stays", async () => {
    // Told as 2, so it is the server that asks first.
    const curious = await world.start({ activityTimeoutS: 1.001, pongTimeoutS: 0.5 });
    const client = await connectClient(curious, backend);
    await eventually(() => expect(client.frames).toContain("pusher:ping"), RETURN);
    const [connection] = curious.connections ?? [];
    if (connection) await eventually(() => expect(connection.pingedAtMs).toBe(0));
    const pings = client.frames.length;
    await eventually(() => expect(client.frames.length).toBeGreaterThan(pings), RETURN);
    expect(client.states).toEqual(["connected"]);
  }, 90_000);

  test("a key that is nobody's is refused with 4001, and pusher-js does not try again", async () => {
    const client = new Client(server, backend, { key: "no-such-key" });
    await eventually(() => expect(client.state).toBe("disconnected"));
    expect(client.errors).toContain(4001);
    await Bun.sleep(300);
    expect(client.states).toEqual(["disconnected"]);
  });

  test("wsPath is a prefix: the server's own path, or whatever a proxy leaves on", async () => {
    const prefixed = await world.start({ path: "/realtime/ws" });
    const client = await connectClient(prefixed, backend, { wsPath: "/realtime/ws" });
    await client.subscribe("public");
    const proxied = await connectClient(server, backend, { wsPath: "/left/on" });
    await proxied.subscribe("public");
    expect([client.errors, proxied.errors]).toEqual([[], []]);
  });

  test("a permission that somebody else signed is told as subscription_error with status 401", async () => {
    const client = await connectClient(server, backend);
    const { channel, heard } = client.listen("private-forged");
    await eventually(() => expect(heard.length).toBe(1));
    const [event, data] = heard[0] ?? [];
    expect(event).toBe("pusher:subscription_error");
    expect(data).toMatchObject({ type: "AuthError", status: 401, error: expect.stringContaining("Invalid signature") });
    expect([channel.subscribed, client.state]).toEqual([false, "connected"]);
    await client.subscribe("private-honest");
  });

  test("a refusal by the back end is told by pusher-js itself, and the server hears nothing of it", async () => {
    const client = await connectClient(server, backend);
    const { heard } = client.listen("private-forbidden");
    await eventually(() => expect(heard).toMatchObject([["pusher:subscription_error", { status: 403 }]]));
    expect(await server.channel("private-forbidden").info()).toBeUndefined();
  });

  test("a client's event on a public channel is refused, reaches nobody, and the socket stays", async () => {
    const talker = await connectClient(server, backend);
    const listener = await connectClient(server, backend);
    const { channel } = await talker.subscribe("public");
    const { heard } = await listener.subscribe("public");
    channel.trigger("client-shout", {});
    await eventually(() => expect(talker.errors).toEqual([null]));
    await library.trigger("public", "end", {});
    await eventually(() => expect(own(heard)).toEqual([["end", {}]]));
    expect(talker.state).toBe("connected");
  });

  test("client events beyond the rate are refused with 4301, and the socket stays", async () => {
    const talker = await connectClient(server, backend);
    const listener = await connectClient(server, backend);
    const { channel } = await talker.subscribe("private-burst");
    const { heard } = await listener.subscribe("private-burst");
    const { socketId } = talker;
    for (let n = 1; n <= 30; n++) channel.trigger("client-n", n);
    await eventually(() => expect(talker.errors.length + own(heard).length).toBe(30));
    expect(new Set(talker.errors)).toEqual(new Set([4301]));
    const first = own(heard).slice(0, 3);
    expect(first.map(([event]) => event)).toEqual(Array(3).fill("client-n"));
    // What pusher-js sends over HTTP are requests side by side, and of several nodes none knows which came first.
    if (!server.isCluster) expect(first.map(([, n]) => n)).toEqual([1, 2, 3]);
    expect([talker.state, talker.socketId]).toEqual(["connected", socketId]);
  });

  test("after a restart of the server pusher-js is back, in its channels, and members are right", async () => {
    const before = await world.start();
    const { port } = before;
    const home = startBackend(before);
    const clients = [
      await connectClient(before, home, { user: "ada", activityTimeout: 1_000 }),
      await connectClient(before, home, { user: "bob" }),
    ];
    const rooms = [];
    for (const client of clients) {
      await client.signIn();
      const { channel, heard } = await client.subscribe("presence-room");
      rooms.push({ client, room: channel, letters: await client.subscribe("private-encrypted-letters"), heard });
    }
    // A poll that is on its way when the port is closed is refused; where other nodes stay, a balancer gives it to one of those.
    await before.settled();
    const stopping = before.stop();
    // The next one listens as soon as the port is free, before the clients hear the farewell, as behind a load balancer.
    const after = await eventually(() => world.start({ port }));
    await stopping;
    await eventually(() => expect(clients.map(({ errors }) => errors.includes(4200))).toEqual([true, true]));
    for (const { client, room, letters } of rooms) {
      await eventually(() => expect(client.state).toBe("connected"), RETURN);
      await eventually(() => expect([room.subscribed, letters.channel.subscribed]).toEqual([true, true]), RETURN);
    }
    for (const { room } of rooms) {
      const { members } = room as unknown as { members: { count: number; members: object } };
      await eventually(() => expect([members.count, Object.keys(members.members).sort()]).toEqual([2, ["ada", "bob"]]));
    }
    expect((await after.members("presence-room")).map(({ id }) => id).sort()).toEqual(["ada", "bob"]);
    await home.library.trigger("private-encrypted-letters", "back", { after: "restart" });
    const back: Heard[] = [["back", { after: "restart" }]];
    for (const { letters } of rooms) await eventually(() => expect(own(letters.heard)).toEqual(back));
  }, 60_000);
}
