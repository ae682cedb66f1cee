/** pusher-js and users: signing in, messages to one user, who of the watched is there, and being sent away. */

import { expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { connectPusher, userAuth } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { startBackend } from "./backend.ts";
import { type Client, connectClient, type PusherWorld } from "./pusher-js.ts";

export async function usersContract(world: PusherWorld): Promise<void> {
  const server = await world.start();
  const backend = startBackend(server);
  const { library } = backend;

  test("what is sent to a user reaches each of the user's signed-in connections and nobody else's", async () => {
    const phone = await connectClient(server, backend, { user: "ada" });
    const laptop = await connectClient(server, backend, { user: "ada" });
    const bob = await connectClient(server, backend, { user: "bob" });
    const heard = [phone, laptop, bob].map((client) => {
      const list: unknown[] = [];
      client.pusher.user.bind_global((event: string, data: unknown) => list.push([event, data]));
      return list;
    });
    for (const client of [phone, laptop, bob]) await client.signIn();
    // pusher-js subscribes to the user's channel by itself, after it is signed in.
    for (const { frames } of [phone, laptop, bob]) {
      await eventually(() => expect(frames).toContain("pusher_internal:subscription_succeeded"));
    }
    await library.sendToUser("ada", "note", { text: "to Ada" });
    await library.sendToUser("bob", "note", { text: "to Bob" });
    const note = (text: string) => [["note", { text }]];
    await eventually(() => expect(heard).toEqual([note("to Ada"), note("to Ada"), note("to Bob")]));
    expect(phone.pusher.user.user_data).toEqual({ id: "ada", user_info: { admin: false }, watchlist: [] });
  });

  test("a watched user is told of when it comes online and when the last of its connections goes", async () => {
    const early = await connectClient(server, backend, { user: "early" });
    await early.signIn();
    const watcher = await connectClient(server, backend, { user: "watcher", watch: "early,late" });
    const heard = watchlistOf(watcher);
    await watcher.signIn();
    await eventually(() =>
      expect(heard).toEqual([
        ["online", ["early"]],
        ["offline", ["late"]],
      ]),
    );
    const tabs = [
      await connectClient(server, backend, { user: "late" }),
      await connectClient(server, backend, { user: "late" }),
    ];
    for (const tab of tabs) await tab.signIn();
    await eventually(() => expect(heard.slice(2)).toEqual([["online", ["late"]]]));
    tabs[0]?.pusher.disconnect();
    early.pusher.disconnect();
    await eventually(() => expect(heard.slice(3)).toEqual([["offline", ["early"]]]));
    tabs[1]?.pusher.disconnect();
    await eventually(() => expect(heard.slice(4)).toEqual([["offline", ["late"]]]));
  });

  test("a watchlist that is too long is cut, told with 4302, and the client stays signed in", async () => {
    const strict = await world.start({}, { limits: { watchlistSize: 2 } });
    const client = await connectClient(strict, startBackend(strict), { user: "ada", watch: "u1,u2,u3" });
    const heard = watchlistOf(client);
    await client.signIn();
    await eventually(() => expect(client.errors).toEqual([4302]));
    expect(heard).toEqual([["offline", ["u1", "u2"]]]);
    expect(client.state).toBe("connected");
  });

  test("a terminated user's connections are all closed with 4009 and do not come back (scenario 37)", async () => {
    const tabs = [
      await connectClient(server, backend, { user: "mallory" }),
      await connectClient(server, backend, { user: "mallory" }),
    ];
    const innocent = await connectClient(server, backend, { user: "bob" });
    for (const client of [...tabs, innocent]) await client.signIn();
    await library.terminateUserConnections("mallory");
    for (const tab of tabs) {
      await eventually(() => expect(tab.state).toBe("disconnected"));
      expect(tab.errors).toContain(4009);
    }
    await Bun.sleep(300);
    expect(tabs.map(({ state }) => state)).toEqual(["disconnected", "disconnected"]);
    expect(innocent.state).toBe("connected");
  });

  test("what was signed before the user was terminated counts no more, and what is signed after it does (scenario 37)", async () => {
    const user = { id: "oscar" };
    const [waiting, late] = [await connectPusher(server.url), await connectClient(server, backend, { user: "oscar" })];
    const auth = userAuth(APP, waiting.socketId, JSON.stringify(user));
    await library.terminateUserConnections("oscar");

    const another = await connectPusher(server.url);
    expect(await another.signin(user, auth)).toMatchObject({ event: "pusher:error", data: { code: 4009 } });
    expect(await another.signin(user)).toMatchObject({ event: "pusher:signin_success" });
    // It was made for this connection, and nobody can say when.
    expect(await waiting.signin(user, auth)).toMatchObject({ event: "pusher:error", data: { code: 4100 } });
    expect((await waiting.socket.closed).code).toBe(4100);
    late.pusher.signin();
    await eventually(() => expect(late.pusher.user.user_data).toBeTruthy(), { withinMs: 15_000 });
    expect([new Set(late.errors), late.state]).toEqual([new Set([4100]), "connected"]);
  });

  test("signing in with what somebody else signed is refused, with an error and not with silence", async () => {
    const forged = startBackend(server, { id: "app", key: "278d425bdf160c739803", secret: "another" });
    const client = await connectClient(server, forged, { user: "ada" });
    client.pusher.signin();
    await eventually(() => expect(client.errors).toEqual([4009]));
    expect(client.pusher.user.user_data).toBeFalsy();
  });
}

function watchlistOf({ pusher }: Client): [string, unknown][] {
  const heard: [string, unknown][] = [];
  for (const name of ["online", "offline"]) {
    pusher.user.watchlist.bind(name, ({ user_ids }: { user_ids: unknown }) => heard.push([name, user_ids]));
  }
  return heard;
}
