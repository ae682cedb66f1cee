/** State that can be read and watched: what the hooks of React, Vue and Svelte are made of. */

import type {
  Channel,
  ChannelEvent,
  ChannelOptions,
  ChannelSnapshot,
  ConnectionSnapshot,
  LiveSnapshot,
  Member,
  Meta,
} from "../types.ts";
import type { EventOptions, EventsOptions } from "./types.ts";

/** `snapshot` is replaced on change, never changed. While it has a subscriber, the channel behind it is subscribed. */
export interface Store<T> {
  readonly snapshot: T;
  subscribe(onChange: () => void): () => void;
}

export interface Members {
  readonly members: readonly Member[];
  readonly me?: Member | undefined;
}

export type Listener = (data: unknown, meta: Meta) => void;

// What is shown on the server, while a page hydrates, and while the name is null.
export const NOT_CONNECTED: ConnectionSnapshot = { state: "idle", attempt: 0, queued: 0 };
export const DETACHED: ChannelSnapshot = { state: "detached" };
export const NOBODY: Members = { members: [] };
export const NO_EVENTS: readonly ChannelEvent[] = [];
export const LOADING: LiveSnapshot<never> = { value: undefined, status: "loading" };

/** Lists are published at most this often, so that a replay of a thousand events is a few renders. */
const FLUSH_MS = 16;

export function channelStore(channel: Channel, options: ChannelOptions): Store<ChannelSnapshot> {
  return {
    get snapshot() {
      return channel.snapshot;
    },
    subscribe: (onChange) => both(channel.subscribe(onChange), channel.hold(options)),
  };
}

export function membersStore(channel: Channel): Store<Members> {
  let last = NOBODY;
  return {
    get snapshot() {
      const { members, me } = channel;
      if (members !== last.members || me !== last.me) last = { members, me };
      return last;
    },
    subscribe: (onChange) => both(channel.subscribe(onChange), channel.hold()),
  };
}

/** The newest events of one name. It has one subscriber at a time; between two it keeps what it has, and then reads what it missed. */
export function eventsStore(channel: Channel, event: string, options: EventsOptions): Store<readonly ChannelEvent[]> {
  const { keep, ...from } = options;
  let snapshot = NO_EVENTS;
  let newest: readonly ChannelEvent[] = NO_EVENTS;
  const open = () => resumable(channel, event, from);
  let listen = open();
  return {
    get snapshot() {
      return snapshot;
    },
    subscribe(onChange) {
      const publish = () => {
        snapshot = newest;
        onChange();
      };
      const add: Listener = (data, meta) => {
        newest = [...newest, { event, data, meta }].slice(-keep);
        publishSoon(publish);
      };
      let stop = listen(add);
      const stopGaps = channel.onGap(({ reason }) => {
        // All that is kept is read again, where there is anything kept.
        if (!from.rewind || reason === "no-history") return;
        stop();
        newest = NO_EVENTS;
        listen = open();
        stop = listen(add);
      });
      return () => {
        stop();
        stopGaps();
        due.delete(publish);
        snapshot = newest;
      };
    },
  };
}

/** What has changed since the last time. All of it changes in one turn, so that a page never shows two lists of different moments. */
const due = new Set<() => void>();

function publishSoon(publish: () => void): void {
  if (due.size === 0) setTimeout(publishDue, FLUSH_MS);
  due.add(publish);
}

function publishDue(): void {
  const all = [...due];
  due.clear();
  for (const publish of all) publish();
}

/** Listens as often as it is called, each time from where it stopped the last time, if the events have positions. */
export function resumable(channel: Channel, event: string, from: EventOptions): (listener: Listener) => () => void {
  let options: EventOptions = from;
  return (listener) =>
    channel.on(
      event,
      (data, meta) => {
        if (meta.position) options = { since: meta.position };
        listener(data, meta);
      },
      options,
    );
}

/** Publishes to the channel that is there when it is called. */
export function publishTo(channel: () => Channel | null | undefined): Channel["publish"] {
  return async (event, data, options) => {
    const now = channel();
    if (!now) throw new TypeError("The channel's name is null.");
    return now.publish(event, data, options);
  };
}

/** Ends both. */
function both(first: () => void, second: () => void): () => void {
  return () => {
    first();
    second();
  };
}
