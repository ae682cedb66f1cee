/** What a Pusher client that connects with `recover=1` missed while it was away, on every engine and from another node. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type AnyNode, EVERY_ENGINE, startPair } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { type PusherTestClient, RECOVER, signedFetch } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import type { TestFrame } from "../support/socket.ts";

setDefaultTimeout(120_000);

const KEPT = { app: { channels: [{ match: "*", history: { size: 100, ttlS: 600 } }] } };

const recovering = (node: AnyNode) => node.pusher({ query: RECOVER });

async function trigger({ url }: AnyNode, channel: string, data: string, socketId?: string): Promise<void> {
  const body = { name: "e", channel, data, ...(socketId !== undefined && { socket_id: socketId }) };
  const answer = await signedFetch(url, APP, "POST", "/events", { body });
  if (answer.status !== 200) throw new Error(`POST /events: ${answer.status} ${await answer.text()}`);
}

const isEventOf = (channel: string) => (frame: TestFrame) => frame.channel === channel && !/^pusher/.test(frame.event);

async function heard(client: PusherTestClient, channel: string, count: number): Promise<readonly TestFrame[]> {
  const events = () => client.socket.unread.filter(isEventOf(channel));
  await eventually(() => expect(events().length).toBeGreaterThanOrEqual(count));
  return events();
}

describe.each(EVERY_ENGINE)("on %s", (engine) => {
  test("a client that was away gets what it missed, in order, at its positions, from another node", async () => {
    const [a, b] = await startPair(engine, KEPT);
    const [first, witness] = [await recovering(a), await recovering(b)];
    await witness.subscribe("room");
    expect((await first.subscribed("room")).position).toMatchObject({ offset: 0 });
    await trigger(b, "room", "1");
    const { position } = await first.nextIn("room");
    await first.close();
    for (const data of ["2", "3", "4"]) await trigger(a, "room", data);
    const back = await recovering(b);
    const answer = await back.subscribed("room", { past: { position } });
    expect(answer).toMatchObject({ recovered: true, position });
    await trigger(a, "room", "5");
    const frames = await heard(back, "room", 4);
    expect(frames.map(({ data }) => data)).toEqual(["2", "3", "4", "5"]);
    const { epoch } = position as { epoch: string };
    expect(frames.map((frame) => frame.position)).toEqual([2, 3, 4, 5].map((offset) => ({ epoch, offset })));
    expect((await heard(witness, "room", 5)).slice(1)).toEqual([...frames]);
  });

  test("what it published itself, or was excluded from, by the connections it had before is left out", async () => {
    const [a, b] = await startPair(engine, KEPT);
    const [first, other] = [await recovering(a), await recovering(b)];
    const { position } = await first.subscribed("private-room");
    await other.subscribe("private-room");
    first.send("client-own", {}, "private-room");
    // What goes over the API could overtake it.
    await heard(other, "private-room", 1);
    await trigger(b, "private-room", "to others", first.socketId);
    await trigger(b, "private-room", "to all");
    expect((await heard(other, "private-room", 3)).length).toBe(3);
    await first.close();
    await trigger(a, "private-room", "to others, later", first.socketId);
    const ids = { previous_socket_ids: ["1.1", first.socketId] };
    const back = await recovering(b);
    await back.subscribed("private-room", { past: { position, ...ids } });
    await trigger(a, "private-room", "end");
    expect((await heard(back, "private-room", 2)).map(({ data }) => data)).toEqual(["to all", "end"]);
    const stranger = await recovering(a);
    await stranger.subscribed("private-room", { past: { position } });
    const all = await heard(stranger, "private-room", 5);
    expect(all.map(({ data }) => data)).toEqual(["{}", "to others", "to all", "to others, later", "end"]);
  });

  test("where all that it missed is its own, it stands behind that", async () => {
    const [a, b] = await startPair(engine, KEPT);
    const first = await recovering(a);
    const { position } = await first.subscribed("room");
    const { epoch } = position as { epoch: string };
    for (const data of ["1", "2"]) await trigger(b, "room", data, first.socketId);
    await first.close();
    const back = await recovering(b);
    const past = { position, previous_socket_ids: [first.socketId] };
    const answer = await back.subscribed("room", { past });
    expect(answer).toMatchObject({ recovered: true, position: { epoch, offset: 2 } });
    await trigger(a, "room", "3");
    expect((await heard(back, "room", 1)).map(({ data }) => data)).toEqual(["3"]);
  });

  test("members of a presence channel, and sealed events, are recovered like others", async () => {
    const [a, b] = await startPair(engine, KEPT);
    const channels = ["presence-hall", "private-encrypted-vault"] as const;
    const member = { data: { user_id: "1" } };
    const first = await recovering(a);
    const stood = new Map<string, unknown>();
    for (const channel of channels) stood.set(channel, (await first.subscribed(channel, member)).position);
    const talks = await b.pusher();
    await talks.subscribe("presence-hall", { data: { user_id: "2" } });
    await first.close();
    talks.send("client-said", { x: 1 }, "presence-hall");
    await talks.ping();
    const sealed = '{"nonce":"n","ciphertext":"c"}';
    await trigger(b, "private-encrypted-vault", sealed);
    const back = await recovering(b);
    for (const channel of channels) {
      const past = { position: stood.get(channel), previous_socket_ids: [first.socketId] };
      const answer = await back.subscribed(channel, { ...member, past });
      expect(answer).toMatchObject({ recovered: true });
    }
    const [said] = await heard(back, "presence-hall", 1);
    expect(said).toMatchObject({ event: "client-said", data: '{"x":1}', user_id: "2", position: { offset: 1 } });
    const [vault] = await heard(back, "private-encrypted-vault", 1);
    expect(vault).toMatchObject({ data: sealed, position: { offset: 1 } });
  });
});
