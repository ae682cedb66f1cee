/** Joins, leaves, publications and deaths at random over three whole servers, against a model: at the end everything is exactly known everywhere. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { engineSettings, type ServerNode, startNode, usersOf } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import type { NativeTestClient } from "../support/native-client.ts";
import { signedFetch } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import type { TestFrame } from "../support/socket.ts";
import { expectInOrder, missing, startListeners } from "./listener.ts";

setDefaultTimeout(90_000);

const PATIENCE = { withinMs: 20_000, everyMs: 100 };
const STEPS = 400;
const CHANNELS = ["presence-a", "presence-b", "presence-c"];
const USERS = ["1", "2", "3", "4", "5"];
const KEPT = "kept-all";

/** Mulberry32. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Seat {
  readonly client: NativeTestClient;
  readonly channel: string;
  readonly user: string;
  readonly node: ServerNode;
}

/** What a watcher was told: nobody comes twice without going, nor goes without having come. */
function follow(frames: readonly TestFrame[], channel: string): readonly string[] {
  const there = new Set<string>();
  for (const { event, channel: of, data } of frames) {
    if (of !== channel || !event.startsWith("member_")) continue;
    const { id } = (data as { user: { id: string } }).user;
    expect([event, id, there.has(id)]).toEqual([event, id, event === "member_removed"]);
    if (event === "member_added") there.add(id);
    else there.delete(id);
  }
  return [...there].sort();
}

describe.each(["redis", "nats"] as const)("on %s", (engine) => {
  test("presence, counts and messages are exact after a random run with deaths", async () => {
    const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
    console.log(`SEED=${seed} for ${engine}`);
    const random = chance(seed);
    const pick = <T>(from: readonly T[]): T => {
      const found = from[Math.floor(random() * from.length)];
      if (found === undefined) throw new Error("nothing to pick from");
      return found;
    };
    const where = { ...(await engineSettings(engine)), nodeTimeoutS: 1.5 };
    // The first one stays, for those who watch.
    const nodes = await Promise.all([startNode(where), startNode(where), startNode(where)]);
    const [stays] = nodes;
    const watcher = await stays.native();
    for (const channel of CHANNELS)
      await watcher.subscribe(channel, watcher.permission(channel, { user_id: "watcher" }));
    const listeners = [
      ...(await startListeners(4, "native", KEPT, (n) => (nodes[n % 3] ?? stays).url)),
      ...(await startListeners(2, "pusher", KEPT, () => stays.url)),
    ];
    let seats: Seat[] = [];
    const accepted: string[] = [];
    const doing: Promise<unknown>[] = [];
    const come = async (node: ServerNode, channel: string, user: string) => {
      const client = await node.native();
      await client.subscribe(channel, client.permission(channel, { user_id: user }));
      seats.push({ client, channel, user, node });
    };
    const say = async (node: ServerNode, said: string) => {
      const body = { name: "e", channel: KEPT, data: said };
      const answer = await signedFetch(node.url, APP, "POST", "/events", { body });
      if (answer.status === 200) accepted.push(said);
    };
    const voices = new Map<ServerNode, { readonly name: string; count: number }>();
    let deaths = 0;
    for (let step = 0; step < STEPS; step++) {
      const what = random();
      const at = Math.floor(random() * 3);
      const node = nodes[at] ?? stays;
      if (what < 0.35) doing.push(come(node, pick(CHANNELS), pick(USERS)).catch(() => {}));
      else if (what < 0.6 && seats.length > 0) {
        const seat = pick(seats);
        seats = seats.filter((one) => one !== seat);
        // With a farewell, without one, or out of the channel alone.
        const how = random();
        if (how < 0.4) doing.push(seat.client.close());
        else if (how < 0.7) seat.client.socket.terminate();
        else doing.push(seat.client.ask("unsubscribe", { channel: seat.channel }).catch(() => {}));
      } else if (what < 0.985 || node === stays || deaths >= 4) {
        // One after the other for each node, so that their order is known.
        const voice = voices.get(node) ?? { name: "n".repeat(voices.size + 1), count: 0 };
        voices.set(node, voice);
        await say(node, `${voice.name}-${voice.count++}`);
      } else {
        deaths++;
        await Promise.all(doing.splice(0));
        await node.kill();
        seats = seats.filter((one) => one.node !== node);
        nodes[at] = await startNode(where, {}, node.process.port);
      }
      if (random() < 0.3) await Bun.sleep(random() * 30);
    }
    await Promise.all(doing);
    for (const channel of CHANNELS) {
      const expected = [...new Set(seats.flatMap((one) => (one.channel === channel ? one.user : [])))].sort();
      for (const { url } of nodes) {
        await eventually(async () => expect(await usersOf(url, channel)).toEqual([...expected, "watcher"]), PATIENCE);
        const query = { info: "subscription_count,user_count" };
        await eventually(async () => {
          const answer = await signedFetch(url, APP, "GET", `/channels/${channel}`, { query });
          const connections = seats.filter((one) => one.channel === channel).length + 1;
          expect(await answer.json()).toMatchObject({
            user_count: expected.length + 1,
            subscription_count: connections,
          });
        }, PATIENCE);
      }
      await eventually(() => expect(follow(watcher.socket.frames, channel)).toEqual(expected), PATIENCE);
    }
    for (const listener of listeners) {
      if (listener.language === "pusher" && listener.closes.length > 0) continue;
      await eventually(() => expect(missing(accepted, listener.heard)).toEqual([]), PATIENCE);
      expectInOrder(listener.heard);
      expect(listener.heard).toEqual(listeners[0]?.heard ?? []);
      expect(listener.recovered).toEqual(listener.closes.map(() => true));
    }
  });
});
