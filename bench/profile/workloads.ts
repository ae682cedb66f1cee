/** What the profiler looks at: the work of a section of the bench, one server at a time. */

import type { Kind, Pair } from "../pair.ts";
import { exchange, meet } from "../sections/client.ts";
import { comeAndGo } from "../sections/connections.ts";
import { publish } from "../sections/fanout.ts";
import { ask, FEW, gather, NOBODY, type Setup } from "../sections/http.ts";

export interface Workload {
  readonly name: string;
  readonly kind: Kind;
  /** What a figure is for one of. */
  readonly operation: string;
  prepare(pair: Pair): Promise<void>;
  /** For about so long. Says how many operations it was. */
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
} satisfies Record<string, readonly Workload[]>;

export type Section = keyof typeof SECTIONS;

export const SECTION_NAMES = Object.keys(SECTIONS) as Section[];

export function workloadsOf(section: Section): readonly Workload[] {
  return SECTIONS[section];
}

function events(kind: Kind, window: number): Workload {
  return {
    name: `${kind}, ${window} in flight`,
    kind,
    operation: "client event",
    prepare: meet,
    run: (pair, forMs) => exchange(pair, window, forMs),
  };
}

function publications(kind: Kind, perTick: number): Workload {
  return {
    name: `${kind}, ${perTick} per tick`,
    kind,
    operation: "publication to one reader",
    prepare: (pair) => pair.open(1),
    run: (pair, forMs) => publish(pair, 1, perTick, forMs),
  };
}

function triggers(setup: Setup): Workload {
  return {
    name: `${setup.readers} readers`,
    kind: "pusher",
    operation: "signed trigger",
    prepare: (pair) => gather(pair, setup),
    run: (pair, forMs) => ask(pair, setup, forMs),
  };
}

function visits(kind: Kind): Workload {
  return {
    name: kind,
    kind,
    operation: "client that connects, subscribes and leaves",
    prepare: async () => {},
    async run(pair, forMs) {
      const crowd = Math.ceil((forMs / 1000) * CROWD_PER_S);
      await comeAndGo(pair, crowd);
      return crowd;
    },
  };
}
