/** Joins, leaves, deaths and cut wires at random over nodes on one NATS: at the end everybody knows exactly who is there. */

import { expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { startNats } from "../support/nats.ts";
import { type NatsNode, natsSettingsFor, startNatsNode } from "../support/nats-node.ts";
import { startProxy, type TcpProxy } from "../support/tcp-proxy.ts";

const SEED = Number(process.env.SEED ?? 20_261_121);
const STEPS = 600;
const CHANNELS = ["presence-a", "presence-b"];
const USERS = ["1", "2", "3", "4", "5", "6"];
const PATIENCE = { withinMs: 60_000, everyMs: 50 };
const TEST_MS = 180_000;

interface Seat {
  node: NatsNode;
  wire: TcpProxy;
  /** Channel, user and connection, as one text. */
  readonly rows: Set<string>;
  /** Heard everything from the beginning. */
  isWitness: boolean;
}

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

test(
  "who is there is known exactly after a random run with deaths and cut wires",
  async () => {
    console.log(`SEED=${SEED}`);
    const random = chance(SEED);
    const pick = <T>(from: readonly T[]): T => {
      const found = from[Math.floor(random() * from.length)];
      if (found === undefined) throw new Error("nothing to pick from");
      return found;
    };
    const server = await startNats();
    const same = natsSettingsFor([server], { nodeTimeoutMs: 1_500, publishWaitMs: 4_000 });
    const sit = async (): Promise<Seat> => {
      const wire = await startProxy(server.port);
      const node = await startNatsNode({ ...same, servers: [`127.0.0.1:${wire.port}`] });
      for (const channel of CHANNELS) await node.subscribe(channel);
      return { node, wire, rows: new Set(), isWitness: true };
    };
    const seats = [await sit(), await sit(), await sit()];
    const away: Promise<unknown>[] = [];
    const dead = new Set<TcpProxy>();
    const step = async (seat: Seat, n: number) => {
      const [channel, user] = [pick(CHANNELS), pick(USERS)];
      const leaving = random() < 0.5 ? [...seat.rows].find((row) => row.startsWith(`${channel} ${user} `)) : undefined;
      const [, , connection = `c${n}`] = leaving?.split(" ") ?? [];
      const { node, rows } = seat;
      if (leaving) {
        rows.delete(leaving);
        // While the wire is cut the answer may be that nobody knows; gone it is all the same.
        await node.leave(channel, user, connection).catch(() => {});
      } else {
        await node.join(channel, user, connection).then(
          () => rows.add(`${channel} ${user} ${connection}`),
          () => {},
        );
      }
    };
    for (let n = 0; n < STEPS; n++) {
      const seat = pick(seats);
      const what = random();
      if (what < 0.005) {
        seat.wire.cut();
        dead.add(seat.wire);
        Object.assign(seat, { ...(await sit()), isWitness: false });
        seat.rows.clear();
      } else if (what < 0.015) {
        const { wire } = seat;
        wire.cut();
        away.push(Bun.sleep(random() * 4_000).then(() => dead.has(wire) || wire.mend()));
      } else {
        away.push(step(seat, n));
        if (random() < 0.2) await Bun.sleep(random() * 60);
      }
    }
    await Promise.all(away);
    for (const { wire } of seats) wire.mend();
    for (const { node } of seats) {
      await eventually(() => expect(node.engine.health()).toEqual({ reachable: true }), PATIENCE);
    }
    for (const channel of CHANNELS) {
      const expected = new Set(
        seats.flatMap(({ rows }) =>
          [...rows].filter((row) => row.startsWith(`${channel} `)).map((row) => row.split(" ")[1] ?? ""),
        ),
      );
      for (const { node } of seats) {
        await eventually(async () => expect(await node.members(channel)).toEqual([...expected].sort()), PATIENCE);
      }
      for (const { node, isWitness } of seats) {
        if (!isWitness) continue;
        const there = new Set<string>();
        for (const each of node.received) {
          if (each.channel !== channel || (each.type !== "joined" && each.type !== "left")) continue;
          // Nobody comes twice without going, nor goes twice without coming.
          expect(there.has(each.member.id)).toBe(each.type === "left");
          if (each.type === "joined") there.add(each.member.id);
          else there.delete(each.member.id);
        }
        expect([...there].sort()).toEqual([...expected].sort());
      }
    }
    for (const { node } of seats) {
      await eventually(async () => expect(await node.engine.nodes()).toHaveLength(seats.length), PATIENCE);
    }
  },
  TEST_MS,
);
