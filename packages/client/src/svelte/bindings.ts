/** The bindings. A read in a template or effect subscribes, so nothing happens on the server or for what is not shown. */

import { getContext, onMount, setContext } from "svelte";
import { createSubscriber } from "svelte/reactivity";
import { toStore } from "svelte/store";
import { noClient } from "../bindings/errors.ts";
import {
  channelStore,
  DETACHED,
  eventsStore,
  type Listener,
  LOADING,
  membersStore,
  NO_EVENTS,
  NOBODY,
  NOT_CONNECTED,
  publishTo,
  resumable,
  type Store,
} from "../bindings/stores.ts";
import { createLive } from "../live.ts";
import type { Client, LiveSnapshot } from "../types.ts";
import type { Bindings, Name } from "./types.ts";

const KEY = Symbol("fanfare");

export const setClient: Bindings["setClient"] = (client) => {
  setContext(KEY, client);
};

export const getClient: Bindings["getClient"] = () =>
  getContext<Client | null>(KEY) ?? noClient("use setClient(client)");

export const connection: Bindings["connection"] = () => {
  const client = getClient();
  return current(reactive<typeof NOT_CONNECTED>(() => client, NOT_CONNECTED));
};

export const channel: Bindings["channel"] = (name, options = {}) => {
  const client = getClient();
  const now = () => {
    const known = nameOf(name);
    return known === null ? null : client.channel(known);
  };
  const read = reactive(
    perName(name, (known) => channelStore(client.channel(known), options)),
    DETACHED,
  );
  const handle = {
    get channel() {
      return now();
    },
    publish: publishTo(now),
  };
  return withGetters(handle, read, ["state", "recovered", "error"]) as never;
};

export const event: Bindings["event"] = (name, eventName, listener, options = {}) => {
  const client = getClient();
  onMount(() => {
    let stop = () => {};
    const end = toStore(() => nameOf(name)).subscribe((known) => {
      stop();
      stop = known === null ? () => {} : resumable(client.channel(known), eventName, options)(listener as Listener);
    });
    return () => {
      end();
      stop();
    };
  });
};

export const events: Bindings["events"] = (name, eventName, options) => {
  const client = getClient();
  const source = perName(name, (known) => eventsStore(client.channel(known), eventName, options));
  return current(reactive(source, NO_EVENTS)) as never;
};

export const members: Bindings["members"] = (name) => {
  const client = getClient();
  const read = reactive(
    perName(name, (known) => membersStore(client.channel(known))),
    NOBODY,
  );
  return withGetters({}, read, ["members", "me"]) as never;
};

export const live: Bindings["live"] = (name, options) => {
  const client = getClient();
  const source = perName(name, (known) => createLive(client.channel(known), options as never));
  const read = reactive<LiveSnapshot<unknown>>(source, LOADING);
  return withGetters({ reload: () => source()?.reload() }, read, ["value", "status", "error"]) as never;
};

/** Reads the store's snapshot; where that is tracked, the store has a subscriber. On the server it is `initial`, always. */
function reactive<T>(source: () => Store<T> | null, initial: T): () => T {
  let last: { readonly store: Store<T>; readonly track: () => void } | undefined;
  return () => {
    const store = source();
    if (!store || typeof window === "undefined") return initial;
    if (last?.store !== store) last = { store, track: createSubscriber((update) => store.subscribe(update)) };
    last.track();
    return store.snapshot;
  };
}

/** Makes another store when the name is another. */
function perName<S>(name: Name<string>, make: (name: string) => S): () => S | null {
  let last: { readonly name: string; readonly store: S } | undefined;
  return () => {
    const known = nameOf(name);
    if (known === null) return null;
    if (last?.name !== known) last = { name: known, store: make(known) };
    return last.store;
  };
}

function nameOf(name: Name<string>): string | null {
  return typeof name === "function" ? name() : name;
}

function current<T>(read: () => T): { readonly current: T } {
  return {
    get current() {
      return read();
    },
  };
}

/** Adds the members of what `read` gives, each read when it is asked for. */
function withGetters<T extends object>(target: object, read: () => T, keys: readonly (keyof T)[]): object {
  for (const key of keys) Object.defineProperty(target, key, { enumerable: true, get: () => read()[key] });
  return target;
}
