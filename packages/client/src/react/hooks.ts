/** The hooks. All state is read by `useSyncExternalStore`, so one render never shows two of its versions; only effects subscribe. */

import {
  createContext,
  createElement,
  useCallback,
  useContext,
  useEffect,
  useInsertionEffect,
  useMemo,
  useRef,
  useSyncExternalStore,
} from "react";
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
import type { Client, LiveOptions } from "../types.ts";
import { sharedLive } from "./shared-live.ts";
import type { Hooks } from "./types.ts";

type AnyHooks = Hooks;
type AnyLiveOptions = LiveOptions<never, string, unknown>;

const Context = createContext<Client | null>(null);

export const FanfareProvider: AnyHooks["FanfareProvider"] = ({ client, children }) =>
  createElement(Context.Provider, { value: client as Client }, children);

export const useClient: AnyHooks["useClient"] = () => useContext(Context) ?? noClient("use <FanfareProvider client>");

export const useConnection: AnyHooks["useConnection"] = () => useStore(useClient(), NOT_CONNECTED);

export const useChannel: AnyHooks["useChannel"] = (name, options) => {
  const channel = useNamed(name);
  const stable = useOptions(options);
  const store = useMemo(() => channel && channelStore(channel, stable), [channel, stable]);
  const snapshot = useStore(store, DETACHED);
  return useMemo(() => ({ ...snapshot, channel, publish: publishTo(() => channel) }), [snapshot, channel]) as never;
};

export const useEvent: AnyHooks["useEvent"] = (name, event, listener, options) => {
  const channel = useNamed(name);
  const newest = useNewest(listener as Listener);
  const stable = useOptions(options);
  // Made anew with the channel, not with each run of the effect: what StrictMode or Activity runs again continues where it stopped.
  const listen = useMemo(() => channel && resumable(channel, event, stable), [channel, event, stable]);
  useEffect(() => listen?.((data, meta) => newest.current(data, meta)), [listen, newest]);
};

export const useEvents: AnyHooks["useEvents"] = (name, event, options) => {
  const channel = useNamed(name);
  const stable = useOptions(options);
  const store = useMemo(() => channel && eventsStore(channel, event, stable), [channel, event, stable]);
  return useStore(store, NO_EVENTS) as never;
};

export const useMembers: AnyHooks["useMembers"] = (name) => {
  const channel = useNamed(name);
  return useStore(
    useMemo(() => channel && membersStore(channel), [channel]),
    NOBODY,
  );
};

export const useLive: AnyHooks["useLive"] = (name, options) => {
  const client = useClient();
  const newest = useNewest(options as unknown as AnyLiveOptions);
  const { suspense, key = "" } = options;
  const own = useMemo(
    () =>
      name === null || suspense
        ? null
        : createLive(client.channel(name), {
            load: (why) => newest.current.load(why),
            apply: (state, event) => newest.current.apply(state, event as never),
          }),
    [client, name, suspense, newest],
  );
  const shared = name !== null && suspense ? sharedLive(client, name, key, options as never) : null;
  const live = shared ?? own;
  const snapshot = useStore(live, LOADING);
  // The server's snapshot is shown as it is: there is nothing on the server to wait for.
  if (shared && !shared.isSettled && snapshot !== LOADING) throw shared.settled;
  return useMemo(() => ({ ...snapshot, reload: () => live?.reload() }), [snapshot, live]) as never;
};

/** `initial` is shown on the server, while the page hydrates, and without a store. */
function useStore<T>(store: Store<T> | null, initial: T): T {
  return useSyncExternalStore(
    useCallback((onChange: () => void) => store?.subscribe(onChange) ?? (() => {}), [store]),
    () => (store ? store.snapshot : initial),
    () => initial,
  );
}

function useNamed(name: string | null) {
  const client = useClient();
  return useMemo(() => (name === null ? null : client.channel(name)), [client, name]);
}

/** The same object as long as it says the same, so that options may be written inline. */
function useOptions<T>(options: T | undefined): T {
  const text = JSON.stringify(options ?? {});
  return useMemo(() => JSON.parse(text), [text]);
}

/** Effects use what the last committed render passed, without running again for it. */
function useNewest<T>(value: T): { readonly current: T } {
  const ref = useRef(value);
  useInsertionEffect(() => {
    ref.current = value;
  });
  return ref;
}
