/** Joins, leaves, publications, deaths, freezes and cut wires at random over three whole servers, against a model: at the end everything is exactly known everywhere. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type ServerNode, startNode, usersOf } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import type { NativeTestClient } from "../support/native-client.ts";
import { startNats } from "../support/nats.ts";
import { signedFetch } from "../support/pusher-client.ts";
import { startRedis } from "../support/redis.ts";
import { APP } from "../support/server.ts";
import type { TestFrame } from "../support/socket.ts";
import { startProxy, type TcpProxy } from "../support/tcp-proxy.ts";
import { expectInOrder, missing, startListeners } from "./listener.ts";

setDefaultTimeout(180_000);

const PATIENCE = { withinMs: 60_000, everyMs: 100 };
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

interface Place {
  node: ServerNode;
  readonly wire: TcpProxy;
  /** Frozen, or cut off: for a while. */
  isAway: boolean;
  /** What it says, one after the other; and under which name, another for each life. */
  saying: Promise<void>;
  voice: string;
  said: number;
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
  test("presence, counts and messages are exact after a random run with deaths, freezes and cut wires", async () => {
    const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
    console.log(`SEED=${seed} for ${engine}`);
    const random = chance(seed);
    const pick = <T>(from: readonly T[]): T => {
      const found = from[Math.floor(random() * from.length)];
      if (found === undefined) throw new Error("nothing to pick from");
      return found;
    };
    const server = await (engine === "redis" ? startRedis() : startNats());
    const start = (port: number, own = 0) => {
      const where =
        engine === "redis" ? { engine, redis: { port } } : { engine, nats: { servers: [`127.0.0.1:${port}`] } };
      return startNode({ ...where, nodeTimeoutS: 1.5 }, {}, own);
    };
    const places = await Promise.all(
      ["a", "b", "c"].map(async (voice): Promise<Place> => {
        const wire = await startProxy(server.port);
        return { node: await start(wire.port), wire, isAway: false, saying: Promise.resolve(), voice, said: 0 };
      }),
    );
    const [stays] = places;
    if (!stays) throw new Error("Three nodes were asked for.");
    const watcher = await stays.node.native();
    for (const channel of CHANNELS)
      await watcher.subscribe(channel, watcher.permission(channel, { user_id: "watcher" }));
    const listeners = [
      ...(await startListeners(4, "native", KEPT, (n) => (places[n % 3] ?? stays).node.url)),
      ...(await startListeners(2, "pusher", KEPT, () => stays.node.url)),
    ];
    let seats: Seat[] = [];
    const accepted: string[] = [];
    const doing: Promise<unknown>[] = [];
    const come = async ({ node }: Place, channel: string, user: string) => {
      const client = await node.native();
      const answer = await client.ask("subscribe", { channel, ...client.permission(channel, { user_id: user }) });
      // Such as an engine that cannot be reached: then it is nowhere.
      if (answer.event !== "subscribed") await client.close();
      else seats.push({ client, channel, user, node });
    };
    const say = async ({ node: { url } }: Place, said: string) => {
      const body = { name: "e", channel: KEPT, data: said };
      const answer = await signedFetch(url, APP, "POST", "/events", { body });
      await answer.arrayBuffer();
      if (answer.status === 200) accepted.push(said);
    };
    const goAway = (place: Place, how: "frozen" | "cut off") => {
      place.isAway = true;
      if (how === "frozen") place.node.signal("SIGSTOP");
      else if (random() < 0.5) place.wire.cut();
      else place.wire.swallow();
      const back = Bun.sleep(300 + random() * 2_700).then(() => {
        if (how === "frozen") place.node.signal("SIGCONT");
        else place.wire.mend();
        place.isAway = false;
      });
      doing.push(back);
    };
    const die = async (place: Place) => {
      await Promise.all([...doing.splice(0), place.saying]);
      await place.node.kill();
      seats = seats.filter(({ node }) => node !== place.node);
      place.node = await start(place.wire.port, place.node.process.port);
      place.voice += "x";
      place.said = 0;
    };
    const faults = { deaths: 0, freezes: 0, cuts: 0 };
    for (let step = 0; step < STEPS; step++) {
      const what = random();
      const place = pick(places);
      const mayFail = place !== stays && !place.isAway;
      if (what < 0.35) {
        if (!place.isAway) doing.push(come(place, pick(CHANNELS), pick(USERS)).catch(() => {}));
      } else if (what < 0.6 && seats.length > 0) {
        const seat = pick(seats);
        seats = seats.filter((one) => one !== seat);
        // With a farewell, without one, or out of the channel alone.
        const how = random();
        if (how < 0.4) doing.push(seat.client.close());
        else if (how < 0.7) seat.client.socket.terminate();
        else doing.push(seat.client.ask("unsubscribe", { channel: seat.channel }).catch(() => {}));
      } else if (what < 0.97 || !mayFail) {
        const said = `${place.voice}-${place.said++}`;
        place.saying = place.saying.then(() => say(place, said)).catch(() => {});
        if (!place.isAway) await place.saying;
      } else if (what < 0.98 && faults.deaths++ < 3) await die(place);
      else if (what < 0.99 && faults.freezes++ < 4) goAway(place, "frozen");
      else if (faults.cuts++ < 4) goAway(place, "cut off");
      if (random() < 0.3) await Bun.sleep(random() * 30);
    }
    await Promise.all([...doing, ...places.map(({ saying }) => saying)]);
    const nodes = places.map(({ node }) => node);
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
    expect(listeners[0]?.gaps).toBe(0);
    for (const listener of listeners) {
      if (listener.language === "pusher" && listener.closes.length > 0) continue;
      // Where its node was cut off again while it looked for what was missed, the client was told of the gap.
      const isWhole = listener.gaps === 0;
      if (isWhole) await eventually(() => expect(missing(accepted, listener.heard)).toEqual([]), PATIENCE);
      expectInOrder(listener.heard);
      const all = listeners[0]?.heard ?? [];
      expect(listener.heard).toEqual(isWhole ? all : all.filter((said) => listener.heard.includes(said)));
      expect(listener.recovered).toEqual(listener.closes.map(() => true));
    }
  });
});
