/**
 * An engine from scratch, in one process's memory. An engine over a network keeps the same promises: `fanfare/testing` has the
 * tests that it has to pass, and the doc comments of `fanfare/engine` say what they are.
 */

import {
  type Broker,
  type ChannelSummary,
  type Clock,
  CommandError,
  type Engine,
  type EngineFactory,
  type EngineHost,
  eventBytes,
  isInternal,
  joinPublication,
  type KeptEvent,
  type KeptLog,
  type Ledger,
  leavePublication,
  type PresenceMember,
  type Publication,
  purgeLog,
  type Registry,
  RetentionBudget,
  Ring,
  readPage,
  updatedMember,
  updatePublication,
} from "fanfare/engine";

/** `createServer({ engine: customEngine })`. */
export const customEngine: EngineFactory = ({ clock }) => {
  let host: EngineHost | undefined;
  const broker = createBroker(clock, (publication) => host?.receive(publication));
  return {
    name: "custom",
    broker,
    registry: createRegistry(clock, (publication) => broker.publish(publication)),
    ledger: createLedger(clock),
    start(given) {
      host = given;
    },
    health: () => ({ reachable: true }),
    nodes: () => (host ? [{ ...host.report(), silentMs: 0 }] : []),
    close() {
      host = undefined;
    },
  } satisfies Engine;
};

/** No two pairs of names have the same key. */
function keyOf(app: string, channel: string): string {
  return JSON.stringify([app, channel]);
}

interface History extends KeptLog {
  offset: number;
  /** When the last event was published. */
  atMs: number;
  readonly entries: Ring<KeptEvent>;
}

function createBroker(clock: Clock, receive: (publication: Publication) => void): Broker {
  const subscribed = new Set<string>();
  const histories = new Map<string, History>();
  const published = new Map<string, number>();
  /** What the channels of an app may keep together: its `recovery.bytes`. */
  const budget = new RetentionBudget<{ readonly history: History; readonly offset: number }>();

  const historyOf = (app: string, channel: string): History => {
    const key = keyOf(app, channel);
    const history = histories.get(key) ?? {
      epoch: crypto.randomUUID(),
      offset: 0,
      atMs: 0,
      entries: new Ring<KeptEvent>(),
    };
    histories.set(key, history);
    return history;
  };

  const broker: Broker = {
    subscribe(app, channel) {
      subscribed.add(keyOf(app, channel));
    },
    unsubscribe(app, channel) {
      subscribed.delete(keyOf(app, channel));
    },
    publish(publication, keep) {
      let sent = publication;
      if (keep && publication.type === "event") {
        const history = historyOf(publication.app, publication.channel);
        const stored = { ...publication, position: { epoch: history.epoch, offset: ++history.offset } };
        const nowMs = clock.monotonicMs();
        const untilMs = nowMs + keep.ttlMs;
        history.atMs = Math.max(history.atMs, Math.floor(clock.wallMs()));
        history.entries.push({ publication: stored, expiresAtMs: untilMs, atMs: history.atMs });
        history.entries.drop(history.entries.length - keep.size);
        if (keep.totalBytes !== undefined) {
          const value = { history, offset: history.offset };
          const retained = { app: sent.app, channel: sent.channel, bytes: eventBytes(stored), untilMs, value };
          for (const evicted of budget.add(retained, { size: keep.size, totalBytes: keep.totalBytes }, nowMs)) {
            const { entries, offset } = evicted.history;
            entries.drop(evicted.offset - (offset - entries.length));
          }
        }
        sent = stored;
      }
      if (subscribed.has(keyOf(sent.app, sent.channel))) receive(sent);
      return sent.type === "event" ? sent.position : undefined;
    },
    publishOnce(publication, { key, ttlMs }, keep) {
      const nowMs = clock.monotonicMs();
      if ((published.get(key) ?? 0) > nowMs) return "repeated";
      published.set(key, nowMs + ttlMs);
      return broker.publish(publication, keep);
    },
    history: (app, channel, query) => readPage(historyOf(app, channel), query, clock),
    purge: (app, channel, range) => purgeLog(historyOf(app, channel), range, clock.monotonicMs()),
  };
  return broker;
}

interface Present extends PresenceMember {
  readonly connections: Set<string>;
}

function createRegistry(clock: Clock, publish: (publication: Publication) => unknown): Registry {
  const members = new Map<string, Map<string, Present>>();
  const counts = new Map<string, { readonly app: string; readonly channel: string; readonly subscribers: number }>();

  const membersOf = (app: string, channel: string): readonly PresenceMember[] =>
    [...(members.get(keyOf(app, channel))?.values() ?? [])].map(({ connections: _, ...member }) => member);
  const summaryOf = (app: string, channel: string): ChannelSummary | undefined => {
    const subscribers = counts.get(keyOf(app, channel))?.subscribers;
    const users = members.get(keyOf(app, channel))?.size;
    return subscribers ? { name: channel, subscribers, ...(users && { users }) } : undefined;
  };

  return {
    join(entry, maxMembers) {
      const { app, channel, connection, member } = entry;
      const present = members.get(keyOf(app, channel)) ?? new Map<string, Present>();
      const known = present.get(member.id);
      if (!known && present.size >= maxMembers) throw new CommandError("channel_full", "The channel is full.");
      members.set(keyOf(app, channel), present);
      if (known) known.connections.add(connection);
      else {
        present.set(member.id, { ...member, joinedAtMs: clock.wallMs(), connections: new Set([connection]) });
        publish(joinPublication(entry));
      }
      return { isFirst: !known, members: membersOf(app, channel) };
    },
    leave(entry) {
      const present = members.get(keyOf(entry.app, entry.channel));
      const known = present?.get(entry.member.id);
      if (!known?.connections.delete(entry.connection) || known.connections.size > 0) return { isLast: false };
      present?.delete(entry.member.id);
      publish(leavePublication(entry));
      return { isLast: true };
    },
    update(update) {
      const present = members.get(keyOf(update.app, update.channel));
      const known = present?.get(update.member.id);
      if (!known?.connections.has(update.connection)) return false;
      present?.set(update.member.id, updatedMember(known, update.member));
      publish(updatePublication(update));
      return true;
    },
    setSubscriberCount(app, channel, subscribers) {
      const before = counts.get(keyOf(app, channel))?.subscribers ?? 0;
      if (subscribers > 0) counts.set(keyOf(app, channel), { app, channel, subscribers });
      else counts.delete(keyOf(app, channel));
      if (before > 0 === subscribers > 0) return undefined;
      return subscribers > 0 ? "occupied" : "vacated";
    },
    members: membersOf,
    summary: summaryOf,
    channels(app, prefix) {
      const own = [...counts.values()].filter((counted) => counted.app === app && counted.channel.startsWith(prefix));
      return own.flatMap(({ channel }) => (isInternal(channel) ? [] : (summaryOf(app, channel) ?? [])));
    },
  };
}

function createLedger(clock: Clock): Ledger {
  const holders = new Map<string, Set<string>>();
  const buckets = new Map<string, { tokens: number; atMs: number }>();
  const keys = new Map<string, number>();
  const maximums = new Map<string, { readonly value: number; readonly untilMs: number }>();

  const ledger: Ledger = {
    acquire(place, holder, most) {
      const held = holders.get(place) ?? new Set();
      if (!held.has(holder) && held.size >= most) return false;
      holders.set(place, held.add(holder));
      return true;
    },
    release(place, holder) {
      holders.get(place)?.delete(holder);
    },
    takeToken(name, perSecond) {
      const nowMs = clock.monotonicMs();
      const { tokens, atMs } = buckets.get(name) ?? { tokens: perSecond, atMs: nowMs };
      const now = Math.min(perSecond, tokens + ((nowMs - atMs) / 1000) * perSecond);
      if (now < 1) return (1 - now) / perSecond;
      buckets.set(name, { tokens: now - 1, atMs: nowMs });
      return 0;
    },
    setIfAbsent(key, ttlMs) {
      if (ledger.exists(key)) return false;
      keys.set(key, clock.monotonicMs() + ttlMs);
      return true;
    },
    exists: (key) => (keys.get(key) ?? 0) > clock.monotonicMs(),
    delete(key) {
      keys.delete(key);
    },
    setMax(name, to, ttlMs) {
      const nowMs = clock.monotonicMs();
      const before = maximums.get(name);
      const isKept = before !== undefined && before.untilMs > nowMs;
      const untilMs = Math.max(nowMs + ttlMs, before?.untilMs ?? 0);
      maximums.set(name, { value: isKept ? Math.max(to, before.value) : to, untilMs });
    },
    get(name) {
      const maximum = maximums.get(name);
      return maximum && maximum.untilMs > clock.monotonicMs() ? maximum.value : undefined;
    },
  };
  return ledger;
}
