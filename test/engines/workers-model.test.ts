/** Three nodes of one machine that come and go at random, and die: who is where is compared with a model at every step. */

import { expect, test } from "bun:test";
import type { Publication } from "../../packages/server/src/domain/message.ts";
import type { PresenceEntry, RegistryChange } from "../../packages/server/src/domain/ports.ts";
import { memoryEngine } from "../../packages/server/src/engines/memory/engine.ts";
import { type WorkerEngine, workersEngine } from "../../packages/server/src/engines/workers/engine.ts";
import { WorkerHub, type WorkerLink } from "../../packages/server/src/engines/workers/worker-hub.ts";
import { engineHost } from "../../packages/server/testing/index.ts";
import { eventually } from "../support/eventually.ts";

const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
const CHANNELS = ["presence-a", "presence-b"];
const USERS = ["1", "2", "3", "4"];
const STEPS = 600;
const NO_LIMIT = Number.POSITIVE_INFINITY;

/** Mulberry32: the same numbers for the same seed. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

interface Node {
  readonly engine: WorkerEngine;
  readonly link: WorkerLink;
  readonly facts: RegistryChange[];
  /** What it wrote, by channel. */
  readonly rows: Map<string, PresenceEntry[]>;
}

function startNode(workerHub: WorkerHub, received: Publication[]): Node {
  const facts: RegistryChange[] = [];
  // As over a channel between processes: nothing arrives in the tick in which it was sent, and nothing is shared.
  const engine = workersEngine(clock, (batch) => {
    const text = JSON.stringify(batch);
    setImmediate(() => link.receive(JSON.parse(text)));
  });
  const link = workerHub.attach({
    send: (batch) => {
      const text = JSON.stringify(batch);
      setImmediate(() => engine.receive(JSON.parse(text)));
    },
  });
  const happened = (more: readonly RegistryChange[]) => facts.push(...more);
  void engine.start(engineHost((publication) => received.push(publication), { registryChanged: happened }));
  return { engine, link, facts, rows: new Map(CHANNELS.map((channel) => [channel, []])) };
}

const rowsOf = (nodes: readonly Node[], channel: string) => nodes.flatMap(({ rows }) => rows.get(channel) ?? []);
const usersIn = (rows: readonly PresenceEntry[]) => [...new Set(rows.map(({ member }) => member.id))].sort();

test.each([1, 20_261_121, 77])(
  "whatever dies, everybody who is there is listed, and comes and goes are told once each (seed %p)",
  async (seed) => {
    const random = numbers(seed);
    const workerHub = new WorkerHub({
      engine: memoryEngine(clock),
      clock,
      failed: (error, during) => {
        throw new Error(during, { cause: error });
      },
    });
    await workerHub.start();
    const heard: Publication[] = [];
    // The eldest: it lives on, and tells what no node did by itself.
    const witness = startNode(workerHub, heard);
    for (const channel of CHANNELS) await witness.engine.broker.subscribe("app", channel);
    let nodes = [startNode(workerHub, []), startNode(workerHub, []), startNode(workerHub, [])];
    const told = { occupied: 0, vacated: 0, joined: 0, left: 0 };
    let connections = 0;
    const tally = async (node: Node, channel: string) => {
      const change = await node.engine.registry.setSubscriberCount("app", channel, node.rows.get(channel)?.length ?? 0);
      if (change) told[change]++;
      if (change === "occupied") node.engine.registry.changesRecorded?.("app", channel);
    };

    for (let step = 0; step < STEPS; step++) {
      const node = nodes[random(3)] ?? witness;
      const channel = CHANNELS[random(2)] ?? "";
      const rows = node.rows.get(channel) ?? [];
      const what = random(20);
      if (what === 0) {
        // It dies in the middle of a join, of which nobody knows whether it was done.
        const doomed = { app: "app", channel, connection: `c${connections++}`, member: { id: "1", info: null } };
        Promise.resolve(node.engine.registry.join(doomed, NO_LIMIT)).catch(() => {});
        if (random(2) === 0) await Bun.sleep(1);
        await node.link.disconnect();
        // Its process would be gone; here its timers are.
        void node.engine.close();
        nodes = nodes.map((one) => (one === node ? startNode(workerHub, []) : one));
      } else if (what < 12) {
        const id = USERS[random(4)] ?? "";
        const row = { app: "app", channel, connection: `c${connections++}`, member: { id, info: { id } } };
        const wasThere = usersIn(rowsOf(nodes, channel)).includes(id);
        const { isFirst: first, members } = await node.engine.registry.join(row, NO_LIMIT);
        rows.push(row);
        if (first) told.joined++;
        expect(first).toBe(!wasThere);
        expect(members.map((member) => member.id).sort()).toEqual(usersIn(rowsOf(nodes, channel)));
        await tally(node, channel);
      } else if (rows.length > 0) {
        const [row] = rows.splice(random(rows.length), 1);
        if (!row) continue;
        const { isLast: last } = await node.engine.registry.leave(row);
        if (last) told.left++;
        if (last) node.engine.registry.changesRecorded?.("app", channel);
        expect(last).toBe(!usersIn(rowsOf(nodes, channel)).includes(row.member.id));
        await tally(node, channel);
      }
      const members = await witness.engine.registry.members("app", channel);
      expect(members.map(({ id }) => id).sort()).toEqual(usersIn(rowsOf(nodes, channel)));
      const summary = await witness.engine.registry.summary("app", channel);
      expect(summary?.subscribers ?? 0).toBe(rowsOf(nodes, channel).length);
    }

    for (const { link } of nodes) await link.disconnect();
    for (const channel of CHANNELS) expect(await witness.engine.registry.members("app", channel)).toEqual([]);
    expect(await witness.engine.registry.channels("app", "")).toEqual([]);
    // Each coming has its going, in turn.
    await eventually(() => {
      for (const channel of CHANNELS) {
        for (const user of USERS) {
          const story = heard.flatMap((each) =>
            (each.type === "joined" || each.type === "left") && each.channel === channel && each.member.id === user
              ? each.type
              : [],
          );
          expect(story).toEqual(story.map((_, at) => (at % 2 === 0 ? "joined" : "left")));
          expect(story.length % 2).toBe(0);
        }
      }
      const facts = witness.facts.map(({ type }) => type);
      const count = (type: string) => facts.filter((fact) => fact === type).length;
      expect(told.vacated + count("vacated")).toBe(told.occupied);
    });
    await witness.engine.close();
    expect(workerHub.size).toBe(0);
    await workerHub.close();
  },
  30_000,
);
