/** Calls about channels: those of one app or of all, one of them closely, and what is kept of it. */

import * as z from "zod/mini";
import { matches } from "../../domain/channel.ts";
import type { Position } from "../../domain/message.ts";
import type { StoredEvent } from "../../domain/ports.ts";
import { nodeNumber } from "../../hub/context.ts";
import { readEvents } from "../../hub/histories.ts";
import { checkChannelName } from "../../hub/limits.ts";
import { AdminError } from "../admin-error.ts";
import {
  CHANNEL_KINDS,
  type ChannelDetail,
  type ChannelHistory,
  type ChannelList,
  type ChannelRules,
  type ConnectionEntry,
  type KeptEvent,
} from "../api-types.ts";
import { appOf, type Call, type Handler, limitOf } from "../call.ts";
import { ChannelListing, type ChannelQuestion, channelEntry } from "../channel-listing.ts";
import { spelt } from "./apps.ts";

const MAX_CHANNELS = 2000;
const MAX_OFFSET = 10_000;
const MAX_FIRST = 50;
const MAX_MEMBERS = 1000;
const MAX_CONNECTIONS = 100;
const MAX_KEPT = 50;
/** Looked at in one go: about a millisecond. */
const CHANNELS_IN_A_TURN = 1_000;

export const channels: Handler = async (call): Promise<ChannelList> => {
  const { hub } = call.services;
  const listing = new ChannelListing(hub, questionOf(call));
  let looked = 0;
  for (const app of call.params.app === undefined ? call.services.apps() : [appOf(call)]) {
    for (const summary of await hub.channels(app)) {
      listing.add(app, summary);
      if (++looked % CHANNELS_IN_A_TURN === 0) await hub.nextTurn();
    }
  }
  return listing.page();
};

const Kind = z.enum(CHANNEL_KINDS);
const Sort = z.enum(["subscribers", "name"]);

function questionOf(call: Call): ChannelQuestion {
  const { query } = call;
  const kind = Kind.safeParse(query.get("kind") || undefined).data;
  if (query.get("kind") && !kind) throw new AdminError("input_invalid", `kind has to be ${CHANNEL_KINDS.join(", ")}.`);
  const sort = Sort.safeParse(query.get("sort") ?? "subscribers").data;
  if (!sort) throw new AdminError("input_invalid", "sort has to be subscribers or name.");
  const offset = query.get("offset") ?? "0";
  if (!/^\d{1,6}$/.test(offset)) throw new AdminError("input_invalid", "offset has to be a number.");
  return {
    ...{ kind, sort, offset: Math.min(Number(offset), MAX_OFFSET), limit: limitOf(call, 500, MAX_CHANNELS) },
    ...{ search: query.get("search") ?? "", pattern: query.get("pattern") ?? undefined },
    ...{ isGrouped: query.get("group") === "pattern", first: query.getAll("first").slice(0, MAX_FIRST) },
  };
}

export const channel: Handler = async (call): Promise<ChannelDetail> => {
  const { hub, redact } = call.services;
  const app = appOf(call);
  const name = call.query.get("name") ?? "";
  const summary = await hub.summary(app, name);
  if (!summary) throw new AdminError("not_found", "Nobody is in this channel.");
  const [members, kept, connections] = await Promise.all([
    hub.members(app, name),
    keptOf(call, name),
    connectionsIn(call, name),
  ]);
  return {
    ...channelEntry(hub, app, summary, hub.channelOf(app, name).traits),
    members: members.slice(0, MAX_MEMBERS).map(({ id, info, state, joinedAtMs }) => ({
      id,
      info: redact(info, 500),
      ...(state !== undefined && { state: redact(state, 500) }),
      joinedAtMs,
    })),
    kept,
    connections,
    rules: rulesOf(call, name),
  };
};

function rulesOf(call: Call, name: string): ChannelRules {
  const app = appOf(call);
  const at = app.channels.findIndex(({ match }) => matches(match, name));
  const matched = app.channels[at];
  return {
    ...(matched && { matched: { match: matched.match, number: at + 1 } }),
    count: app.channels.length,
    policy: spelt(call.services.hub.channelOf(app, name).policy) as Readonly<Record<string, unknown>>,
  };
}

/** What the server keeps of the channel itself; of other channels nothing. */
async function keptOf(call: Call, name: string): Promise<readonly KeptEvent[]> {
  const { hub } = call.services;
  const app = appOf(call);
  const { policy, traits } = hub.channelOf(app, name);
  if (policy.history) {
    const { events } = await readEvents(hub, app, name, { limit: MAX_KEPT, direction: "newest" });
    return events.map((event) => keptEvent(call, event));
  }
  const last = traits.cache ? await hub.histories.cachedEvent(app, name) : undefined;
  if (!last) return [];
  const { position: _, ...event } = keptEvent(call, last);
  return [event];
}

export const history: Handler = async (call): Promise<ChannelHistory> => {
  const { hub } = call.services;
  const app = appOf(call);
  const name = call.query.get("name") ?? "";
  checkChannelName(app, name);
  if (!hub.channelOf(app, name).policy.history) return { events: await keptOf(call, name) };
  const before = positionIn(call, "before");
  const wanted = { limit: limitOf(call, MAX_KEPT, MAX_KEPT), direction: "newest", ...(before && { before }) } as const;
  const { events, position, next } = await readEvents(hub, app, name, wanted);
  return { events: events.map((event) => keptEvent(call, event)), position, ...(next && { next }) };
};

function keptEvent(call: Call, { publication: { event, data, position, atMs, from } }: StoredEvent): KeptEvent {
  return {
    ...{ event, payload: call.services.redact(data) },
    ...(position && { position }),
    ...(atMs !== undefined && { atMs }),
    ...(from && { connection: from.connection }),
    ...(from?.user !== undefined && { user: from.user }),
  };
}

function positionIn({ query }: Call, name: string): Position | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const [, epoch, offset] = /^([^:]{1,64}):(\d{1,15})$/.exec(text) ?? [];
  if (epoch === undefined) throw new AdminError("input_invalid", `${name} has to be EPOCH:OFFSET.`);
  return { epoch, offset: Number(offset) };
}

/** Wherever in the cluster they are. */
async function connectionsIn(call: Call, channel: string): Promise<readonly ConnectionEntry[]> {
  const { hub } = call.services;
  const app = appOf(call);
  const [{ connections }, nodes] = await Promise.all([
    hub.connectionList.page(app, { channel, limit: MAX_CONNECTIONS }),
    hub.nodes(),
  ]);
  const ids = new Map(nodes.map(({ id }) => [nodeNumber(id), id]));
  const nowMs = hub.clock.wallMs();
  return connections.map(({ node, transport, openedAtMs, channelCount, channels: _, ...rest }) => ({
    ...{ ...rest, app: app.id, node: ids.get(node) ?? String(node), channels: channelCount },
    ...(transport !== "websocket" && { transport }),
    ageMs: Math.max(0, nowMs - openedAtMs),
  }));
}
