/** The Redis engine by itself, or Bun's client of Redis sending and reading as much, in a process that can be profiled. */

import { RedisClient } from "bun";
import type { EventPublication } from "../../packages/server/src/domain/message.ts";
import type { PresenceEntry } from "../../packages/server/src/domain/ports.ts";
import { redisEngine } from "../../packages/server/src/engines/redis/engine.ts";
import { DEFAULTS } from "../../packages/server/src/engines/redis/settings.ts";
import { dataFor, EVENT } from "../message.ts";
import { answerCalls } from "../remote.ts";
import { type Profile, startProfile, stopProfile } from "./profiler.ts";

export type Operation = "push" | "push with history" | "join and leave";

export interface EngineProcess extends Record<string, (...args: never[]) => unknown> {
  start(which: "engine" | "client", port: number): Promise<void>;
  /** For about so long. Answers how often. */
  run(operation: Operation, forMs: number): Promise<number>;
  /** The number of the profiler's thread. */
  startProfile(): Promise<number>;
  stopProfile(): Promise<Profile>;
}

/** Does one round of so many. */
type Round = (first: number, count: number) => Promise<unknown>;

/** As in the bench of several processes. */
const AT_ONCE: Readonly<Record<Operation, number>> = { push: 10, "push with history": 10, "join and leave": 500 };
/** As the engine does. */
const PER_COMMAND = 50;
const CHANNELS = 1_000;
const MEMBERS = 4;
const KEEP = { size: 100, ttlMs: 60_000 };
const DATA = JSON.stringify(dataFor("native"));

let rounds: Readonly<Record<Operation, Round>> | undefined;
let done = 0;

if (import.meta.main) {
  const methods: EngineProcess = {
    start: async (which, port) => {
      rounds = which === "engine" ? await roundsOfEngine(port) : await roundsOfClient(port);
    },
    run,
    startProfile,
    stopProfile,
  };
  answerCalls(methods);
}

async function run(operation: Operation, forMs: number): Promise<number> {
  const count = AT_ONCE[operation];
  const [first, until] = [done, performance.now() + forMs];
  while (performance.now() < until) {
    await rounds?.[operation](done, count);
    done += count;
  }
  return done - first;
}

async function roundsOfEngine(port: number): Promise<Readonly<Record<Operation, Round>>> {
  const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
  const engine = redisEngine({ ...DEFAULTS, topology: { type: "server", at: { host: "127.0.0.1", port } } }, clock);
  const self = { id: crypto.randomUUID(), name: "bench", startedAtMs: 1, connections: 0, lagMs: 0, draining: false };
  await engine.start({
    receive: () => {},
    interrupted: () => {},
    registryChanged: () => {},
    report: () => self,
    failed: (error, during) => console.error(during, error),
  });
  const { broker, registry } = engine;
  const event: EventPublication = { type: "event", app: "bench", channel: "one", event: EVENT, data: DATA };
  return {
    push: (_, count) => all(count, () => broker.publish(event)),
    "push with history": (_, count) => all(count, () => broker.publish(event, KEEP)),
    "join and leave": async (first, count) => {
      await all(count, (at) => registry.join(entryOf(first + at), Number.POSITIVE_INFINITY));
      const left = first - CHANNELS * MEMBERS;
      if (left >= 0) await all(count, (at) => registry.leave(entryOf(left + at)));
    },
  };
}

/** Each channel has as many members as in the bench of several processes. */
function entryOf(user: number): PresenceEntry {
  const member = { id: `user-${user}`, info: { name: `User ${user}` } };
  return { app: "bench", channel: `presence-${user % CHANNELS}`, connection: `c-${user}`, member };
}

/** What cannot be saved: the bytes that have to be told and answered, in as many commands as the engine makes of them. */
async function roundsOfClient(port: number): Promise<Readonly<Record<Operation, Round>>> {
  const client = new RedisClient(`redis://127.0.0.1:${port}`);
  await client.connect();
  const text = JSON.stringify({ v: 2, type: "event", event: EVENT, data: DATA, sender: "0123456789abc", number: 1 });
  const member = '["user-1",{"name":"User 1"}';
  const roster = `["ok",1,[${`${member},1700000000000],`.repeat(MEMBERS).slice(0, -1)}],[]]`;
  const joined = `{"v":2,"type":"joined","member":{"id":"user-1","info":{"name":"User 1"}},"except":["c-1"],"sender":"0123456789abc","number":1}`;
  const left = '{"v":2,"type":"left","member":{"id":"user-1"},"sender":"0123456789abc","number":1}';
  const joining = ["bench:presence-1", "c-1", "user-1", member, joined, ""];
  const leaving = ["bench:presence-1", "c-1", "user-1", left];
  const answering = async (answer: string, each: number) =>
    String(
      await client.send("SCRIPT", [
        "LOAD",
        `local all = {} for _ = 1, #ARGV, ${each} do all[#all + 1] = ${answer} end return all`,
      ]),
    );
  const kept = await answering("{'0123456789abcdef', 1}", 4);
  const listed = await answering(`'${roster}'`, joining.length);
  const gone = await answering("'left'", leaving.length);
  const batch = (sha: string, each: readonly string[], count: number) =>
    client.send("EVALSHA", [sha, "1", "root", ...Array.from({ length: count }, () => each).flat()]);
  return {
    push: (_, count) => all(count, () => client.send("PUBLISH", ["fanfare:v2:channel:bench:one", text])),
    "push with history": (_, count) => batch(kept, ["bench:one", text, "1", ""], count),
    "join and leave": async (_, count) => {
      await all(count / PER_COMMAND, () => batch(listed, joining, PER_COMMAND));
      await all(count / PER_COMMAND, () => batch(gone, leaving, PER_COMMAND));
    },
  };
}

function all(count: number, one: (at: number) => unknown): Promise<unknown> {
  return Promise.all(Array.from({ length: count }, (_, at) => one(at)));
}
