/** State that components suspend for. React forgets what a component had made before it first suspends, so this stands outside of it. */

import type { Store } from "../bindings/stores.ts";
import { createLive } from "../live.ts";
import type { Client, Live, LiveOptions, LiveSnapshot } from "../types.ts";

type AnyLiveOptions = LiveOptions<never, string, unknown>;

export interface SharedLive extends Store<LiveSnapshot<unknown>> {
  reload(): void;
  /** Resolves when the first load has succeeded or failed; no component suspends after that. */
  readonly settled: Promise<void>;
  readonly isSettled: boolean;
}

/** How long it is kept without a component: from the end of the load to the next commit, or from one page to the next. */
const LINGER_MS = 1_000;

const lives = new WeakMap<Client, Map<string, SharedLive>>();

/** The same for all components that name the same channel and key, with the options of the first. Loading begins at once. */
export function sharedLive(client: Client, name: string, key: string, options: AnyLiveOptions): SharedLive {
  const ofClient = lives.get(client) ?? new Map<string, SharedLive>();
  lives.set(client, ofClient);
  const id = JSON.stringify([name, key]);
  const shared =
    ofClient.get(id) ?? openShared(createLive(client.channel(name), options as never), () => ofClient.delete(id));
  ofClient.set(id, shared);
  return shared;
}

function openShared(live: Live<unknown>, drop: () => void): SharedLive {
  // The first load counts as a user.
  let users = 1;
  let isSettled = false;
  let stop = () => {};
  const leave = () =>
    setTimeout(() => {
      if (--users > 0) return;
      stop();
      drop();
    }, LINGER_MS);
  const settled = new Promise<void>((resolve) => {
    stop = live.subscribe(() => {
      if (isSettled || live.snapshot.status === "loading") return;
      isSettled = true;
      resolve();
      leave();
    });
  });
  return {
    settled,
    get isSettled() {
      return isSettled;
    },
    get snapshot() {
      return live.snapshot;
    },
    reload: () => live.reload(),
    subscribe(onChange) {
      users++;
      const end = live.subscribe(onChange);
      return () => {
        end();
        leave();
      };
    },
  };
}
