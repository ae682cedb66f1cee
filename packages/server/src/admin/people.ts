/**
 * Who is connected, in the whole cluster. Nothing is counted for it: each node goes through its connections, and through what it
 * remembers of the last minutes, when somebody asks.
 */

import { type App, isReserved } from "../domain/app.ts";
import { isInternal } from "../domain/channel.ts";
import type { Connection } from "../domain/connection.ts";
import { nameIn } from "../domain/user-info.ts";
import type { Hub } from "../hub/hub.ts";
import { fieldsOf, numberOf, textOf } from "../hub/steer-act.ts";
import type {
  EndedConnection,
  FeedEntry,
  PeopleList,
  PersonConnection,
  PersonDetail,
  PersonEntry,
} from "./api-types.ts";
import {
  CONNECTIONS_IN_A_TURN,
  channelsOf,
  connectionEntry,
  identityOf,
  isNobodys,
  membersOf,
  type Redact,
  takeFirst,
  wallMsOf,
} from "./connection-view.ts";
import { firstOf } from "./first-of.ts";

export interface PeopleOptions {
  readonly hub: Hub;
  /** This node's id. */
  readonly node: string;
  readonly redact: Redact;
  /** What happened lately on this node, oldest first. */
  readonly recent: (fits: (entry: FeedEntry) => boolean) => readonly FeedEntry[];
}

export interface PeopleQuery {
  readonly app?: string;
  readonly search?: string;
  readonly after?: string;
  readonly limit: number;
}

/** What one node has. */
interface ListPart extends Omit<PeopleList, "next" | "nodesMissing"> {}
type PersonPart = Omit<PersonDetail, "app" | "id" | "bans" | "nodesMissing">;

interface Person {
  readonly app: string;
  readonly id: string;
  readonly info: unknown;
  readonly connections: Connection[];
}

const LIST = "list people";
const PERSON = "look at person";
const MOST_CONNECTIONS = 100;
const MOST_CHANNELS = 500;
const MOST_EVENTS = 100;

export class People {
  readonly #options: PeopleOptions;
  #ends: readonly (() => void)[] = [];

  constructor(options: PeopleOptions) {
    this.#options = options;
  }

  /** After the hub. */
  start(): void {
    const { nodeBus } = this.#options.hub;
    this.#ends = [
      nodeBus.handle(LIST, (data) => this.#listHere(queryOf(data))),
      nodeBus.handle(PERSON, (data) => {
        const { app, id } = fieldsOf(data);
        return this.#personHere(textOf(app), textOf(id));
      }),
    ];
  }

  stop(): void {
    for (const end of this.#ends) end();
  }

  /** Throws CommandError `engine_unavailable` where no node can be asked. */
  async list(query: PeopleQuery): Promise<PeopleList> {
    const { answers, missing: nodesMissing } = await this.#options.hub.nodeBus.askAll(LIST, query);
    // What came over the bus was made by the same code.
    const parts = answers as readonly ListPart[];
    const merged = new Map<string, PersonEntry>();
    for (const entry of parts.flatMap(({ people }) => people)) {
      merged.set(keyOf(entry), together(merged.get(keyOf(entry)), entry));
    }
    const sorted = [...merged].sort(byKey);
    const people = sorted.slice(0, query.limit).map(([, entry]) => entry);
    const last = people.at(-1);
    const sum = (of: "total" | "connections" | "anonymous") => parts.reduce((total, part) => total + part[of], 0);
    const isWhole = query.after === undefined && parts.every((part) => part.people.length === part.total);
    return {
      people,
      ...(sorted.length > people.length && last && { next: keyOf(last) }),
      total: isWhole ? merged.size : sum("total"),
      ...{ connections: sum("connections"), anonymous: sum("anonymous"), nodesMissing },
    };
  }

  /** Without bans. Throws CommandError `engine_unavailable` where no node can be asked. */
  async person({ id: app }: App, id: string): Promise<Omit<PersonDetail, "bans">> {
    const { answers, missing: nodesMissing } = await this.#options.hub.nodeBus.askAll(PERSON, { app, id });
    const parts = answers as readonly PersonPart[];
    const first = parts.find(({ info }) => info) ?? parts.find(({ name }) => name);
    const identity = parts.find((part) => part.identity)?.identity;
    const seen = parts.flatMap(({ firstSeenMs }) => firstSeenMs ?? []);
    const events = parts.flatMap((part) => part.events).sort((one, other) => other.atMs - one.atMs);
    return {
      ...{ app, id, nodesMissing },
      ...(first?.name !== undefined && { name: first.name }),
      ...(first?.info && { info: first.info }),
      ...(identity && { identity }),
      connections: parts.flatMap((part) => part.connections).sort((one, other) => one.openedAtMs - other.openedAtMs),
      connectionCount: parts.reduce((sum, part) => sum + part.connectionCount, 0),
      channels: [...new Set(parts.flatMap((part) => part.channels))].sort(),
      ended: parts.flatMap((part) => part.ended).sort((one, other) => one.openedAtMs - other.openedAtMs),
      events: events.slice(0, MOST_EVENTS),
      refused: parts.reduce((sum, part) => sum + part.refused, 0),
      ...(seen.length > 0 && { firstSeenMs: Math.min(...seen) }),
    };
  }

  async #listHere({ app, search, after, limit }: PeopleQuery): Promise<ListPart> {
    const { people, connections, anonymous } = await this.#peopleHere(app);
    const wanted = search?.toLowerCase();
    const matching = wanted ? [...people].filter(([, person]) => matches(person, wanted)) : [...people];
    const later = after === undefined ? matching : matching.filter(([key]) => key > after);
    const page = firstOf(later, limit + 1, byKey);
    const listed = this.#withEvents(page.map(([, person]) => person));
    return { people: listed, total: matching.length, connections, anonymous };
  }

  /** Those that are let in. A hundred thousand are looked at in many turns. */
  async *#connectionsHere(app: string | undefined): AsyncGenerator<Connection> {
    const { hub } = this.#options;
    let looked = 0;
    for (const connection of hub.connections(app === undefined ? undefined : { id: app })) {
      if (++looked % CONNECTIONS_IN_A_TURN === 0) await hub.nextTurn();
      if (!isReserved(connection.app) && !connection.awaitsAuthentication) yield connection;
    }
  }

  async #peopleHere(app: string | undefined) {
    const people = new Map<string, Person>();
    let connections = 0;
    let anonymous = 0;
    for await (const connection of this.#connectionsHere(app)) {
      connections++;
      if (isNobodys(connection)) anonymous++;
      for (const { id, info } of usersOf(connection)) {
        const person = { app: connection.app.id, id, info, connections: [connection] };
        const before = people.get(keyOf(person));
        if (before) before.connections.push(connection);
        else people.set(keyOf(person), person);
      }
    }
    return { people, connections, anonymous };
  }

  #withEvents(people: readonly Person[]): readonly PersonEntry[] {
    const { hub, recent } = this.#options;
    const wanted = new Map(
      people.map((person) => [keyOf(person), { refused: 0, last: undefined as FeedEntry | undefined }]),
    );
    const owners = new Map(people.flatMap((one) => one.connections.map(({ id }) => [id, keyOf(one)] as const)));
    for (const entry of recent(isShown)) {
      const key = entry.user === undefined ? owners.get(entry.connection ?? "") : `${entry.app}/${entry.user}`;
      const known = wanted.get(key ?? "");
      if (!known) continue;
      known.last = entry;
      if (entry.type === "refused") known.refused++;
    }
    return people.map((person) => {
      const { app, id, info, connections } = person;
      const { refused = 0, last } = wanted.get(keyOf(person)) ?? {};
      return {
        ...{ app, id, ...namedBy(info), connections: connections.length, refused },
        channels: channelsOfAll(connections).size,
        onlineSinceMs: Math.round(wallMsOf(hub.clock, openedFirst(connections))),
        ...(last && { last: shortOf(last) }),
      };
    });
  }

  async #personHere(app: string, id: string): Promise<PersonPart> {
    const { hub, redact } = this.#options;
    const all: Connection[] = [];
    for await (const connection of this.#connectionsHere(app)) if (connection.isUsers(id)) all.push(connection);
    const mine = new Set(all.map((connection) => connection.id));
    const happened = this.#options.recent(
      (entry) => entry.app === app && isShown(entry) && (entry.user === id || mine.has(entry.connection ?? "")),
    );
    const info = all.flatMap((connection) => [...usersOf(connection)]).find((user) => user.id === id)?.info;
    const connections = takeFirst(all, MOST_CONNECTIONS).map((connection) => this.#connectionOf(connection));
    const identity = all.map((connection) => identityOf(connection, hub.clock)).find(Boolean);
    const ended = happened.flatMap(endedOf).slice(-MOST_CONNECTIONS);
    const seen = [...connections, ...ended].map(({ openedAtMs }) => openedAtMs);
    if (happened[0]) seen.push(happened[0].atMs);
    return {
      ...namedBy(info),
      ...(info !== undefined && info !== null && { info: redact(info) }),
      ...(identity && { identity }),
      ...{ connections, connectionCount: all.length, ended },
      channels: takeFirst(channelsOfAll(all), MOST_CHANNELS),
      events: happened.slice(-MOST_EVENTS),
      refused: happened.filter(({ type }) => type === "refused").length,
      ...(seen.length > 0 && { firstSeenMs: Math.min(...seen) }),
    };
  }

  #connectionOf(connection: Connection): PersonConnection {
    const { hub, node } = this.#options;
    const { rttMs, openedAtMs } = connection;
    return {
      ...connectionEntry(connection, node, hub.clock.monotonicMs()),
      openedAtMs: Math.round(wallMsOf(hub.clock, openedAtMs)),
      ...(rttMs !== undefined && { rttMs }),
    };
  }
}

/** As whom the connection is signed in and in presence channels, each once. */
function usersOf(connection: Connection): Iterable<{ readonly id: string; readonly info?: unknown }> {
  const { user } = connection;
  const all = new Map<string, { readonly id: string; readonly info?: unknown }>(user ? [[user.id, user]] : []);
  for (const member of membersOf(connection)) {
    // What a channel is shown of a user goes where signing in said nothing.
    if ((all.get(member.id)?.info ?? null) === null) all.set(member.id, member);
  }
  return all.values();
}

/** Of more than a call takes arguments. */
function openedFirst(connections: readonly Connection[]): number {
  return connections.reduce((first, { openedAtMs }) => Math.min(first, openedAtMs), Number.POSITIVE_INFINITY);
}

function channelsOfAll(connections: readonly Connection[]): ReadonlySet<string> {
  const channels = new Set<string>();
  for (const connection of connections) for (const name of channelsOf(connection)) channels.add(name);
  return channels;
}

function matches({ id, info, connections }: Person, search: string): boolean {
  const { name = "" } = namedBy(info);
  const begins = (text: string) => text.toLowerCase().startsWith(search);
  if (begins(id) || begins(name) || name.split(/\s+/).some(begins)) return true;
  return connections.some((connection) => begins(connection.id) || begins(connection.address));
}

function namedBy(info: unknown): { readonly name?: string } {
  const name = nameIn(info);
  return name === undefined ? {} : { name };
}

function together(before: PersonEntry | undefined, entry: PersonEntry): PersonEntry {
  if (!before) return entry;
  const last = (before.last?.atMs ?? 0) > (entry.last?.atMs ?? 0) ? before.last : entry.last;
  return {
    ...entry,
    ...before,
    connections: before.connections + entry.connections,
    channels: Math.max(before.channels, entry.channels),
    onlineSinceMs: Math.min(before.onlineSinceMs, entry.onlineSinceMs),
    refused: before.refused + entry.refused,
    ...(last && { last }),
  };
}

/** What happens in channels of the server's own is nobody's doing. */
function isShown({ channel }: FeedEntry): boolean {
  return channel === undefined || !isInternal(channel);
}

function endedOf({ type, connection: id, openedAtMs, atMs: endedAtMs, why = "" }: FeedEntry): EndedConnection[] {
  if (type !== "disconnected" || id === undefined || openedAtMs === undefined) return [];
  return [{ id, openedAtMs, endedAtMs, why }];
}

function shortOf({ type, atMs, channel, event }: FeedEntry): NonNullable<PersonEntry["last"]> {
  return { type, atMs, ...(channel !== undefined && { channel }), ...(event !== undefined && { event }) };
}

/** No app's id has a slash. */
function keyOf({ app, id }: { readonly app: string; readonly id: string }): string {
  return `${app}/${id}`;
}

function byKey([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  return one < other ? -1 : Number(one > other);
}

function queryOf(value: unknown): PeopleQuery {
  const { app, search, after, limit } = fieldsOf(value);
  return {
    ...(app !== undefined && { app: textOf(app) }),
    ...(search !== undefined && { search: textOf(search) }),
    ...(after !== undefined && { after: textOf(after) }),
    limit: numberOf(limit),
  };
}
