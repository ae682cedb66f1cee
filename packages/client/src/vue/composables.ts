/** The composables. They subscribe when the component is mounted, so nothing happens on the server, and end with their scope. */

import {
  type ComputedRef,
  computed,
  getCurrentInstance,
  type InjectionKey,
  inject,
  type MaybeRefOrGetter,
  onActivated,
  onDeactivated,
  onMounted,
  type ShallowRef,
  shallowRef,
  toValue,
  watch,
} from "vue";
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
import type { Client, Live, LiveSnapshot } from "../types.ts";
import type { Composables } from "./types.ts";

const KEY: InjectionKey<Client> = Symbol("fanfare");

export const fanfare: Composables["fanfare"] = (client) => ({
  install: (app) => {
    app.provide(KEY, client);
  },
});

export const useClient: Composables["useClient"] = () => inject(KEY, null) ?? noClient("use app.use(fanfare(client))");

export const useConnection: Composables["useConnection"] = () => {
  const client = useClient();
  return useStore(() => client, NOT_CONNECTED);
};

export const useChannel: Composables["useChannel"] = (name, options = {}) => {
  const channel = useNamed(name);
  const snapshot = useStore(() => channel.value && channelStore(channel.value, options), DETACHED);
  const refs = refsOf(snapshot, ["state", "recovered", "error"]);
  return { ...refs, channel, publish: publishTo(() => channel.value) } as never;
};

export const useEvent: Composables["useEvent"] = (name, event, listener, options = {}) => {
  const channel = useNamed(name);
  whileShown(
    computed(() => channel.value && resumable(channel.value, event, options)),
    (listen) => listen?.(listener as Listener),
  );
};

export const useEvents: Composables["useEvents"] = (name, event, options) => {
  const channel = useNamed(name);
  return useStore(() => channel.value && eventsStore(channel.value, event, options), NO_EVENTS) as never;
};

export const useMembers: Composables["useMembers"] = (name) => {
  const channel = useNamed(name);
  const snapshot = useStore(() => channel.value && membersStore(channel.value), NOBODY);
  return refsOf(snapshot, ["members", "me"]) as never;
};

export const useLive: Composables["useLive"] = (name, options) => {
  const client = useClient();
  const live = computed<Live<unknown> | null>(() => {
    const now = toValue(name);
    return now === null ? null : createLive(client.channel(now), options as never);
  });
  const snapshot = useStore<LiveSnapshot<unknown>>(() => live.value, LOADING);
  return { ...refsOf(snapshot, ["value", "status", "error"]), reload: () => live.value?.reload() } as never;
};

function useNamed(name: MaybeRefOrGetter<string | null>) {
  const client = useClient();
  return computed(() => {
    const now = toValue(name);
    return now === null ? null : client.channel(now);
  });
}

/** `initial` is what the server renders and the browser begins with, so that a page hydrates without a difference. */
function useStore<T>(source: () => Store<T> | null, initial: T): ShallowRef<T> {
  const snapshot = shallowRef(initial) as ShallowRef<T>;
  whileShown(computed(source), (store) => {
    const read = () => {
      snapshot.value = store ? store.snapshot : initial;
    };
    const stop = store?.subscribe(read);
    read();
    return stop;
  });
  return snapshot;
}

function refsOf<T extends object>(snapshot: ShallowRef<T>, keys: readonly (keyof T & string)[]) {
  return Object.fromEntries(keys.map((key) => [key, computed(() => snapshot.value[key])]));
}

/** Runs `start` for each value of `source` while the component is mounted and, inside KeepAlive, active. */
function whileShown<T>(source: ComputedRef<T>, start: (value: T) => (() => void) | undefined): void {
  const isShown = shallowRef(false);
  const show = (now: boolean) => () => {
    isShown.value = now;
  };
  if (getCurrentInstance()) {
    onMounted(show(true));
    onActivated(show(true));
    onDeactivated(show(false));
  } else {
    show(typeof window !== "undefined")();
  }
  watch(
    () => isShown.value && ([source.value] as const),
    (shown, _, onCleanup) => {
      const stop = shown && start(shown[0]);
      if (stop) onCleanup(stop);
    },
    { immediate: true, flush: "sync" },
  );
}
