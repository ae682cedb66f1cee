/** What the profiler looks at: the work of a section of the bench, or of the Redis engine by itself, one process at a time. */

import { startStore } from "../cluster/store.ts";
import { type Kind, Pair } from "../pair.ts";
import { Remote, type RemoteOptions } from "../remote.ts";
import { exchange, meet } from "../sections/client.ts";
import { comeAndGo } from "../sections/connections.ts";
import { publish } from "../sections/fanout.ts";
import { ask, FEW, gather, NOBODY, type Setup } from "../sections/http.ts";
import type { EngineProcess, Operation } from "./engine.ts";
import type { Profile } from "./profiler.ts";

export interface Workload {
  readonly name: string;
  /** What a figure is for one of. */
  readonly operation: string;
  /** What it is compared with. */
  readonly bare: string;
  start(which: "it" | "bare", more: RemoteOptions): Promise<Site>;
}

export interface Site {
  /** The process that is looked at. */
  readonly pid: number;
  prepare(): Promise<void>;
  /** For about so long. Says how many operations it was. */
  run(forMs: number): Promise<number>;
  /** The number of the profiler's thread. */
  startProfile(): Promise<number>;
  stopProfile(): Promise<Profile>;
  end(): Promise<void>;
}

/** What a server and its clients do. */
interface PairWork {
  readonly name: string;
  readonly kind: Kind;
  readonly operation: string;
  prepare(pair: Pair): Promise<void>;
  run(pair: Pair, forMs: number): Promise<number>;
}

const PROTOCOLS: readonly Kind[] = ["pusher", "native"];
/** A crowd that comes, subscribes and goes takes about as long as a second of any other work. */
const CROWD_PER_S = 1_500;

const SECTIONS = {
  client: [1, 10].flatMap((window) => PROTOCOLS.map((kind) => events(kind, window))),
  fanout: [1, 10].flatMap((perTick) => PROTOCOLS.map((kind) => publications(kind, perTick))),
  http: [NOBODY, ...FEW].map(triggers),
  connections: PROTOCOLS.map(visits),
  redis: (["push", "push with history", "join and leave"] as const).map(engineWork),
} satisfies Record<string, readonly Workload[]>;

export type Section = keyof typeof SECTIONS;

export const SECTION_NAMES = Object.keys(SECTIONS) as Section[];

export function workloadsOf(section: Section): readonly Workload[] {
  return SECTIONS[section];
}

function events(kind: Kind, window: number): Workload {
  return ofPair({
    name: `${kind}, ${window} in flight`,
    kind,
    operation: "client event",
    prepare: meet,
    run: (pair, forMs) => exchange(pair, window, forMs),
  });
}

function publications(kind: Kind, perTick: number): Workload {
  return ofPair({
    name: `${kind}, ${perTick} per tick`,
    kind,
    operation: "publication to one reader",
    prepare: (pair) => pair.open(1),
    run: (pair, forMs) => publish(pair, 1, perTick, forMs),
  });
}

function triggers(setup: Setup): Workload {
  return ofPair({
    name: `${setup.readers} readers`,
    kind: "pusher",
    operation: "signed trigger",
    prepare: (pair) => gather(pair, setup),
    run: (pair, forMs) => ask(pair, setup, forMs),
  });
}

function visits(kind: Kind): Workload {
  return ofPair({
    name: kind,
    kind,
    operation: "client that connects, subscribes and leaves",
    prepare: async () => {},
    async run(pair, forMs) {
      const crowd = Math.ceil((forMs / 1000) * CROWD_PER_S);
      await comeAndGo(pair, crowd);
      return crowd;
    },
  });
}

function ofPair({ name, operation, kind, prepare, run }: PairWork): Workload {
  return {
    name,
    operation,
    bare: "bare Bun",
    async start(which, more) {
      const pair = await Pair.start(which === "bare" ? "bare" : kind, {}, more);
      return {
        pid: pair.server.pid,
        prepare: () => prepare(pair),
        run: (forMs) => run(pair, forMs),
        startProfile: () => pair.server.call("startProfile"),
        stopProfile: () => pair.server.call("stopProfile"),
        end: () => pair.end(),
      };
    },
  };
}

function engineWork(operation: Operation): Workload {
  return {
    name: operation,
    operation: "operation of the Redis engine",
    bare: "Bun's client",
    async start(which, more) {
      const store = await startStore("redis");
      const engine = new Remote<EngineProcess>("./profile/engine.ts", more);
      await engine.call("start", which === "bare" ? "client" : "engine", store.port);
      return {
        pid: engine.pid,
        prepare: async () => {},
        run: (forMs) => engine.call("run", operation, forMs),
        startProfile: () => engine.call("startProfile"),
        stopProfile: () => engine.call("stopProfile"),
        end: async () => {
          await engine.end();
          await store.end();
        },
      };
    },
  };
}
