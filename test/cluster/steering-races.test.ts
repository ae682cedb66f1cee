/**
 * A back end acts on connections while their clients subscribe, leave and vanish, all at once and by chance: in the end each client was
 * told where it is, the engine says the same, and nobody is where a ban keeps it out.
 */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { chance } from "../support/chance.ts";
import { EVERY_ENGINE, startPair } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { makeToken, type NativeTestClient } from "../support/native-client.ts";
import { signedFetch } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { scaled } from "../support/soak.ts";

setDefaultTimeout(300_000);

const SEED = 20_261_201;
const ROUNDS = scaled(30, 4);
const CLIENTS = 6;
const STEPS = 60;
const CHANNELS = ["presence-race", "private-race"];
const USERS = ["ada", "bob"];

/** Where the client was told that it is. */
function toldOf({ socket }: NativeTestClient): string[] {
  const places = new Set<string>();
  for (const { event, channel } of socket.frames) {
    if (event === "subscribed") places.add(String(channel));
    if (event === "unsubscribed") places.delete(String(channel));
  }
  return [...places].sort();
}

describe.each(EVERY_ENGINE)("on %s", async (engine) => {
  const nodes = await startPair(engine);

  const call = async (node: number, path: string, body: object = {}) => {
    const response = await signedFetch(nodes[node]?.url ?? "", APP, "POST", path, { body });
    const answer = await response.text();
    expect([path, response.status, answer]).toEqual([path, 200, answer]);
  };
  const read = async (path: string, query: Record<string, string> = {}) =>
    (await (await signedFetch(nodes[0].url, APP, "GET", path, { query })).json()) as never;
  const open = async (node: number, user: string) => {
    const token = await makeToken({ sub: user, channels: ["private-*", "presence-*"] });
    const client = await (node === 0 ? nodes[0] : nodes[1]).native({ token });
    await client.ping();
    return { client, user };
  };

  test("what clients were told, what the engine says and what a ban says agree, whatever came in between", async () => {
    const random = chance(SEED);
    const below = (most: number) => Math.floor(random() * most);
    const pick = <T>(all: readonly T[]): T => all[below(all.length)] as T;
    for (let round = 0; round < ROUNDS; round++) {
      const seats = await Promise.all(Array.from({ length: CLIENTS }, (_, n) => open(n % 2, pick(USERS))));
      const act = async (): Promise<unknown> => {
        const { client, user } = pick(seats);
        const [channel, node] = [pick(CHANNELS), below(2)];
        switch (below(9)) {
          case 2:
            return client.ask("unsubscribe", { channel });
          case 3:
            return call(node, `/users/${user}/subscribe`, { channel, ...(random() < 0.3 && { sticky_s: 600 }) });
          case 4:
            return call(node, `/connections/${client.id}/subscribe`, { channel });
          case 5:
            return call(node, `/users/${user}/unsubscribe`, { channel });
          case 6:
            return call(node, `/channels/${channel}/kick`, random() < 0.5 ? { all: true } : { connection: client.id });
          case 7:
            return call(node, `/channels/${channel}/kick`, { user_id: user, ...(random() < 0.5 && { ban_s: 600 }) });
          case 8:
            return call(node, `/channels/${channel}/unban`, { user_id: user });
          default:
            return client.ask("subscribe", { channel });
        }
      };
      const going = Array.from({ length: STEPS }, async () => {
        await Bun.sleep(below(60));
        return act();
      });
      await Promise.all(going);
      const gone = seats.splice(0, 2);
      await Promise.all([...gone.map(({ client }) => client.close()), act()]);
      await call(below(2), "/channels/presence-race/kick", { user_id: "ada", ban_s: 600 });
      for (const { client, user } of seats.filter(({ user }) => user === "ada")) {
        const answer = await client.ask("subscribe", { channel: "presence-race" });
        expect([user, answer.code]).toEqual([user, "unauthorized"]);
      }
      await eventually(async () => {
        const { items } = (await read("/connections", { limit: "100" })) as {
          items: { id: string; channels: string[] }[];
        };
        const listed = new Map(items.map(({ id, channels }) => [id, channels.toSorted()]));
        for (const { client } of seats) {
          await client.ping();
          expect([round, client.id, toldOf(client)]).toEqual([round, client.id, listed.get(client.id) ?? []]);
        }
        const inside = seats.filter(({ client }) => toldOf(client).includes("presence-race"));
        const { members } = (await read("/channels/presence-race/members")) as { members: { id: string }[] };
        expect(members.map(({ id }) => id).sort()).toEqual([...new Set(inside.map(({ user }) => user))].sort());
        expect(members.map(({ id }) => id)).not.toContain("ada");
      });
      await Promise.all(seats.map(({ client }) => client.close()));
      for (const channel of CHANNELS) {
        for (const user of USERS) {
          await call(0, `/channels/${channel}/unban`, { user_id: user });
          await call(0, `/users/${user}/unsubscribe`, { channel });
        }
      }
      await eventually(async () => expect(await read("/channels")).toEqual({ channels: {} } as never));
    }
  });
});
