/** What members say of themselves, on several nodes and in both protocols: all agree on it, and it outlives the node that it came from. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type AnyNode, CLUSTER_APP, type ClusterNode, ENGINES, startCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { makeToken, type NativeTestClient } from "../support/native-client.ts";
import { signedFetch } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import type { TestFrame } from "../support/socket.ts";

setDefaultTimeout(60_000);

const ROOM = "presence-room";
const PATIENCE = { withinMs: 40_000, everyMs: 50 };
const OPTIONS = {
  config: { nodeTimeoutS: 2 },
  app: { limits: { ...CLUSTER_APP.limits, memberUpdatesPerSecond: 1_000 } },
};

async function pairOf(engine: (typeof ENGINES)[number]): Promise<readonly [ClusterNode, ClusterNode]> {
  const [a, b] = await startCluster(engine, OPTIONS);
  if (!a || !b) throw new Error("Two nodes were asked for.");
  return [a, b];
}

async function member(node: AnyNode, user: string, info?: unknown): Promise<NativeTestClient> {
  const token = await makeToken({ sub: user, channels: ["presence-*"], ...(info !== undefined && { info }) });
  const client = await node.native({ token });
  await client.subscribe(ROOM);
  return client;
}

const setState = (client: NativeTestClient, state: unknown) => client.ask("presence", { channel: ROOM, state });

/** The state that the client was told last of the user. */
function stateIn(frames: readonly TestFrame[], user: string): unknown {
  const updates = frames.flatMap(({ event, data }) => {
    if (event !== "member_updated") return [];
    const { user: about } = data as unknown as { user: { id: string; state?: unknown } };
    return about.id === user ? [about] : [];
  });
  return updates.at(-1)?.state;
}

async function membersAt({ url }: AnyNode): Promise<unknown> {
  const answer = await signedFetch(url, APP, "GET", `/channels/${ROOM}/members`);
  const { members } = (await answer.json()) as { members: { id: string; state?: unknown }[] };
  return members.map(({ id, state }) => [id, state]).sort();
}

describe.each(ENGINES)("on %s", (engine) => {
  test("a state reaches every node and both protocols, and outlives the node that it came from", async () => {
    const [a, b] = await pairOf(engine);
    const pusher = await b.pusher();
    await pusher.subscribe(ROOM, { data: { user_id: "bob" } });
    const [there, here, gone] = [
      await member(a, "ada", { name: "Ada" }),
      await member(b, "ada"),
      await member(a, "dan"),
    ];
    expect((await setState(gone, "gone")).event).toBe("presence");
    expect((await setState(there, { at: [1, 2] })).event).toBe("presence");
    expect(await pusher.next(({ data }) => String(data).includes('"at":[1,2]'))).toMatchObject({
      event: "fanfare:member_updated",
      data: '{"user_id":"ada","state":{"at":[1,2]}}',
      user_id: "ada",
    } as never);
    await eventually(async () => expect(stateIn(await here.unread(), "ada")).toEqual({ at: [1, 2] }));
    await a.kill();
    await here.next(({ event }) => event === "member_removed", 40_000);
    await eventually(
      async () =>
        expect(await membersAt(b)).toEqual([
          ["ada", { at: [1, 2] }],
          ["bob", undefined],
        ]),
      PATIENCE,
    );
    const late = await b.native({ token: await makeToken({ sub: "cyd", channels: ["presence-*"] }) });
    const { data } = await late.subscribe(ROOM);
    expect((data as unknown as { members: unknown[] }).members).toContainEqual({
      id: "ada",
      info: { name: "Ada" },
      state: { at: [1, 2] },
    });
  });

  test("of what a user's connections on two nodes say at once, all are told the same last", async () => {
    const [a, b] = await pairOf(engine);
    const [one, other, watcher] = [await member(a, "ada"), await member(b, "ada"), await member(b, "bob")];
    for (let round = 0; round < 15; round++) {
      await Promise.all([setState(one, `a${round}`), setState(other, `b${round}`)]);
    }
    await eventually(async () => {
      const told = await Promise.all(
        [one, other, watcher].map(async (client) => stateIn(await client.unread(), "ada")),
      );
      expect(new Set(told).size).toBe(1);
      expect(await membersAt(a)).toEqual([
        ["ada", told[0]],
        ["bob", undefined],
      ]);
    }, PATIENCE);
  });
});
