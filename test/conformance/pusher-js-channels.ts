/** pusher-js and every kind of channel: what is triggered is heard, once, by those who may hear it. */

import { expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { startBackend } from "./backend.ts";
import { connectClient, type Heard, own, type PusherWorld } from "./pusher-js.ts";

const KINDS = ["", "private-", "presence-", "private-encrypted-"];
const CACHE_KINDS = ["cache-", "private-cache-", "private-encrypted-cache-", "presence-cache-"];

export async function channelsContract(world: PusherWorld): Promise<void> {
  const server = await world.start();
  const backend = startBackend(server);
  const { library } = backend;

  test.each(KINDS)(
    "what is triggered in a channel named %snews is heard by its subscriber as it was sent",
    async (kind) => {
      const client = await connectClient(server, backend, { user: "ada" });
      const { heard } = await client.subscribe(`${kind}news`);
      await library.trigger(`${kind}news`, "greeting", { text: "hé", list: [1, null] });
      await library.trigger(`${kind}news`, "line", "not JSON");
      const expected: Heard[] = [
        ["greeting", { text: "hé", list: [1, null] }],
        ["line", "not JSON"],
      ];
      await eventually(() => expect(own(heard)).toEqual(expected));
      expect(client.errors).toEqual([]);
    },
  );

  test.each(CACHE_KINDS)("a channel named %snews gives its last event to whoever comes", async (kind) => {
    const name = `${kind}news`;
    const first = await connectClient(server, backend, { user: "ada" });
    const { heard } = await first.subscribe(name);
    await eventually(() => expect(namesOf(heard)).toEqual(["pusher:subscription_succeeded", "pusher:cache_miss"]));
    await library.trigger(name, "price", { is: 1 });
    await library.trigger(name, "price", { is: 2 });
    const prices: Heard[] = [
      ["price", { is: 1 }],
      ["price", { is: 2 }],
    ];
    await eventually(() => expect(own(heard)).toEqual(prices));

    const second = await connectClient(server, backend, { user: "bob" });
    const late = await second.subscribe(name);
    await eventually(() => expect(own(late.heard)).toEqual([["price", { is: 2 }]]));
    expect(namesOf(late.heard)).toEqual(["pusher:subscription_succeeded", "price"]);
  });

  test("what a client publishes is not kept by a cache channel", async () => {
    const name = "private-cache-talk";
    const talker = await connectClient(server, backend);
    const { channel } = await talker.subscribe(name);
    await library.trigger(name, "kept", 1);
    const listener = await connectClient(server, backend);
    const { heard: live } = await listener.subscribe(name);
    channel.trigger("client-said", 2);
    await eventually(() => expect(live.at(-1)).toEqual(["client-said", 2]));
    const other = await connectClient(server, backend);
    const { heard } = await other.subscribe(name);
    await eventually(() => expect(own(heard)).toEqual([["kept", 1]]));
  });

  test("an encrypted channel's event is sealed on its way through the server", async () => {
    const name = "private-encrypted-letters";
    const wire = await connectPusher(server.url);
    await wire.subscribe(name);
    const client = await connectClient(server, backend);
    const { heard } = await client.subscribe(name);
    await library.trigger(name, "letter", { secret: "rosebud" });
    await eventually(() => expect(own(heard)).toEqual([["letter", { secret: "rosebud" }]]));
    const frame = await wire.nextIn(name);
    expect(JSON.stringify(frame)).not.toContain("rosebud");
    expect(Object.keys(JSON.parse(String(frame.data))).sort()).toEqual(["ciphertext", "nonce"]);
  });

  test("a client's event reaches the others of a private channel and never comes back", async () => {
    const ada = await connectClient(server, backend, { user: "ada" });
    const bob = await connectClient(server, backend, { user: "bob" });
    const adas = await ada.subscribe("private-talk");
    const bobs = await bob.subscribe("private-talk");
    const metadata: unknown[] = [];
    bobs.channel.bind("client-typing", (_: unknown, more: unknown) => metadata.push(more));
    adas.channel.trigger("client-typing", { at: 1 });
    adas.channel.trigger("client-text", "plain");
    await eventually(() => expect(own(bobs.heard).length).toBe(2));
    expect(own(bobs.heard)).toEqual([
      ["client-typing", { at: 1 }],
      ["client-text", "plain"],
    ]);
    expect(metadata).toEqual([{}]);
    await library.trigger("private-talk", "end", {});
    await eventually(() => expect(own(adas.heard)).toEqual([["end", {}]]));
  });

  test("a client's event in a presence channel carries the sender's user_id", async () => {
    const ada = await connectClient(server, backend, { user: "ada" });
    const bob = await connectClient(server, backend, { user: "bob" });
    const adas = await ada.subscribe("presence-talk");
    const bobs = await bob.subscribe("presence-talk");
    const heard: unknown[] = [];
    bobs.channel.bind("client-typing", (data: unknown, metadata: unknown) => heard.push([data, metadata]));
    adas.channel.trigger("client-typing", { user_id: "eve" });
    await eventually(() => expect(heard).toEqual([[{ user_id: "eve" }, { user_id: "ada" }]]));
    await library.trigger("presence-talk", "end", {});
    await eventually(() => expect(namesOf(own(adas.heard))).toEqual(["end"]));
  });

  test("a member is one however many tabs it has: added with the first, removed with the last", async () => {
    const room = "presence-tabs";
    const bob = await connectClient(server, backend, { user: "bob" });
    const { channel, heard } = await bob.subscribe(room);
    const tabs = [
      await connectClient(server, backend, { user: "ada" }),
      await connectClient(server, backend, { user: "ada" }),
    ];
    for (const tab of tabs) {
      const { channel: joined } = await tab.subscribe(room);
      expect(membersOf(joined)).toEqual({ count: 2, me: "ada", ids: ["ada", "bob"] });
    }
    const ada = { id: "ada", info: { name: "ADA" } };
    await library.trigger(room, "both are here", {});
    await eventually(() => expect(heard.at(-1)?.[0]).toBe("both are here"));
    expect(heard.slice(1, -1)).toEqual([["pusher:member_added", ada]]);
    expect(membersOf(channel)).toEqual({ count: 2, me: "bob", ids: ["ada", "bob"] });

    tabs[0]?.pusher.disconnect();
    await eventually(async () => expect((await server.channel(room).info())?.subscribers).toBe(2));
    await library.trigger(room, "one is left", {});
    await eventually(() => expect(heard.at(-1)?.[0]).toBe("one is left"));
    tabs[1]?.pusher.unsubscribe(room);
    await eventually(() => expect(heard.at(-1)).toEqual(["pusher:member_removed", ada]));
    expect(namesOf(heard).slice(2)).toEqual(["both are here", "one is left", "pusher:member_removed"]);
    expect(membersOf(channel)).toEqual({ count: 1, me: "bob", ids: ["bob"] });
  }, 15_000);

  test("subscribers are told how many they are where the app wants it", async () => {
    const counting = await world.start({}, { subscriptionCounts: true });
    const first = await connectClient(counting, backend);
    const { channel, heard } = await first.subscribe("crowd");
    await eventually(() => expect(heard.at(-1)).toEqual(["pusher:subscription_count", { subscription_count: 1 }]));
    const second = await connectClient(counting, backend);
    await second.subscribe("crowd");
    await eventually(() => expect(heard.at(-1)).toEqual(["pusher:subscription_count", { subscription_count: 2 }]));
    second.pusher.unsubscribe("crowd");
    await eventually(() => expect(heard.at(-1)).toEqual(["pusher:subscription_count", { subscription_count: 1 }]));
    expect(channel.subscriptionCount as number | null).toBe(1);
  });

  test("after unsubscribing nothing more is heard, and subscribing again works", async () => {
    const client = await connectClient(server, backend);
    const { heard } = await client.subscribe("on-and-off");
    client.pusher.unsubscribe("on-and-off");
    await eventually(async () => expect(await server.channel("on-and-off").info()).toBeUndefined());
    await library.trigger("on-and-off", "unheard", {});
    const again = await client.subscribe("on-and-off");
    await library.trigger("on-and-off", "heard", {});
    await eventually(() => expect(own(again.heard)).toEqual([["heard", {}]]));
    expect(own(heard)).toEqual([]);
    expect(client.errors).toEqual([]);
  });
}

function namesOf(heard: readonly Heard[]): string[] {
  return heard.map(([event]) => event);
}

function membersOf(channel: unknown): unknown {
  const { members } = channel as { members: { count: number; myID: string; members: object } };
  return { count: members.count, me: members.myID, ids: Object.keys(members.members).sort() };
}
