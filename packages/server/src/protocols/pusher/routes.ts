/** The calls of the HTTP API below `/apps/ID`, and what answers each. Names and things take turns in a path: `/channels/{channel}/users`. */

import type * as z from "zod/mini";
import { CommandError } from "../../domain/error.ts";
import type { Awaitable } from "../../domain/ports.ts";
import { readShape } from "../../http/body.ts";
import { HttpError } from "../../http/error-response.ts";
import * as shapes from "./api-shapes.ts";
import { purgeHistory, showHistory } from "./history-routes.ts";
import { Batch, Trigger, trigger, triggerBatch, triggerOld } from "./publish-routes.ts";
import { listChannels, listMembers, listUsers, showChannel } from "./query-routes.ts";
import type { ApiCall } from "./request-body.ts";
import { json } from "./responses.ts";
import * as steering from "./steer-routes.ts";

export interface ApiRoute {
  readonly method: "GET" | "POST" | "DELETE";
  /** What is in braces is handed to `handle`, in this order. */
  readonly path: string;
  readonly summary: string;
  /** Checked before `handle` is called; what is not in it is no matter. */
  readonly query?: z.ZodMiniObject;
  /** Which `handle` checks. */
  readonly body?: z.ZodMiniType;
  readonly answer: z.ZodMiniType;
  handle(call: ApiCall, ...names: readonly string[]): Awaitable<Response>;
}

export const API_ROUTES: readonly ApiRoute[] = [
  {
    method: "POST",
    path: "/events",
    summary: "Publishes an event in one channel or several.",
    body: Trigger,
    answer: shapes.Published,
    handle: trigger,
  },
  {
    method: "POST",
    path: "/batch_events",
    summary: "Publishes several events.",
    body: Batch,
    answer: shapes.PublishedBatch,
    handle: triggerBatch,
  },
  {
    method: "GET",
    path: "/connections",
    summary: "How many connections the app has, or with any parameter a page of them.",
    query: shapes.ConnectionsQuery,
    answer: shapes.Connections,
    handle: steering.connections,
  },
  {
    method: "GET",
    path: "/nodes",
    summary: "The nodes that clients may connect to.",
    query: shapes.NodesQuery,
    answer: shapes.Nodes,
    handle: listNodes,
  },
  {
    method: "GET",
    path: "/channels",
    summary: "The channels that have subscribers.",
    query: shapes.ChannelsQuery,
    answer: shapes.Channels,
    handle: listChannels,
  },
  {
    method: "GET",
    path: "/channels/{channel}",
    summary: "Whether a channel has subscribers, and what is asked of it.",
    query: shapes.ChannelQuery,
    answer: shapes.ChannelState,
    handle: showChannel,
  },
  {
    method: "GET",
    path: "/channels/{channel}/history",
    summary: "What a channel keeps, page by page in both directions.",
    query: shapes.HistoryQuery,
    answer: shapes.History,
    handle: showHistory,
  },
  {
    method: "DELETE",
    path: "/channels/{channel}/history",
    summary: "Forgets what a channel keeps: all, or what came before a position or a time.",
    query: shapes.PurgeQuery,
    answer: shapes.Purged,
    handle: purgeHistory,
  },
  {
    method: "DELETE",
    path: "/channels/{channel}/history/{offset}",
    summary: "Forgets one event.",
    query: shapes.PurgeEventQuery,
    answer: shapes.Purged,
    handle: purgeHistory,
  },
  {
    method: "POST",
    path: "/channels/{channel}/history/purge",
    summary: "The same as DELETE of the history, for libraries that know GET and POST only.",
    query: shapes.PurgeQuery,
    answer: shapes.Purged,
    handle: (call, channel, word) => (word === "purge" ? purgeHistory(call, channel) : nothingHere()),
  },
  {
    method: "POST",
    path: "/channels/{channel}/history/{offset}/purge",
    summary: "The same as DELETE of one event.",
    query: shapes.PurgeEventQuery,
    answer: shapes.Purged,
    handle: purgeHistory,
  },
  {
    method: "GET",
    path: "/channels/{channel}/users",
    summary: "The users in a presence channel.",
    answer: shapes.Users,
    handle: listUsers,
  },
  {
    method: "GET",
    path: "/channels/{channel}/members",
    summary: "The users in a presence channel, with their info and their state.",
    answer: shapes.Members,
    handle: listMembers,
  },
  {
    method: "POST",
    path: "/users/{user}/terminate_connections",
    summary: "Ends a user's connections, and revokes older tokens.",
    query: shapes.TerminateQuery,
    answer: shapes.Reached,
    handle: steering.terminate,
  },
  {
    method: "POST",
    path: "/users/{user}/subscribe",
    summary: "Puts a user's connections into a channel, those that come as well where it is sticky.",
    body: steering.Subscribe,
    answer: shapes.Reached,
    handle: steering.subscribeUser,
  },
  {
    method: "POST",
    path: "/connections/{connection}/subscribe",
    summary: "Puts a connection into a channel.",
    body: steering.Subscribe,
    answer: shapes.Reached,
    handle: steering.subscribeConnection,
  },
  {
    method: "POST",
    path: "/users/{user}/unsubscribe",
    summary: "Takes a user's connections out of a channel.",
    body: steering.Unsubscribe,
    answer: shapes.Reached,
    handle: steering.unsubscribeUser,
  },
  {
    method: "POST",
    path: "/users/{user}/reconnect",
    summary: "Has a user's clients connect again.",
    body: steering.Reconnect,
    answer: shapes.Reached,
    handle: steering.reconnectUser,
  },
  {
    method: "POST",
    path: "/connections/{connection}/unsubscribe",
    summary: "Takes a connection out of a channel.",
    body: steering.Unsubscribe,
    answer: shapes.Reached,
    handle: steering.unsubscribeConnection,
  },
  {
    method: "POST",
    path: "/connections/{connection}/reconnect",
    summary: "Has a client connect again.",
    body: steering.Reconnect,
    answer: shapes.Reached,
    handle: steering.reconnectConnection,
  },
  {
    method: "POST",
    path: "/connections/{connection}/disconnect",
    summary: "Ends a connection.",
    body: steering.End,
    answer: shapes.Reached,
    handle: steering.disconnect,
  },
  {
    method: "POST",
    path: "/channels/{channel}/kick",
    summary: "Takes a user, a connection or all out of a channel, and bans a user for a time.",
    body: steering.Kick,
    answer: shapes.Reached,
    handle: steering.kick,
  },
  {
    method: "POST",
    path: "/channels/{channel}/unban",
    summary: "Lifts a ban.",
    body: steering.Unban,
    answer: shapes.Empty,
    handle: steering.unban,
  },
  {
    method: "POST",
    path: "/channels/{channel}/reconnect",
    summary: "Has the clients in a channel connect again.",
    body: steering.Reconnect,
    answer: shapes.Reached,
    handle: steering.reconnectChannel,
  },
  {
    method: "POST",
    path: "/channels/{channel}/events",
    summary: "Publishes the body as an event. Deprecated.",
    query: shapes.OldEventQuery,
    answer: shapes.Empty,
    handle: triggerOld,
  },
  {
    method: "GET",
    path: "/channels/{channel}/stats",
    summary: "How many subscribers a channel has. Deprecated.",
    answer: shapes.ChannelState,
    handle: showStats,
  },
];

const BY_PATTERN = new Map(API_ROUTES.map((route) => [patternOf(route.method, route.path.split("/").slice(1)), route]));

/** The answer of the route at this path. Throws HttpError where there is none. */
export function answerRoute(method: string, parts: readonly string[], call: ApiCall): Awaitable<Response> {
  const route = BY_PATTERN.get(patternOf(method, parts));
  if (!route) return nothingHere();
  if (route.query) checkQuery(route.query, call.query);
  return parts.length === 1 ? route.handle(call) : route.handle(call, ...parts.filter(isName));
}

function nothingHere(): never {
  throw new HttpError(404, "not_found", "There is nothing at this path for this method.");
}

function checkQuery(shape: z.ZodMiniType, query: URLSearchParams): void {
  const read = readShape(shape, Object.fromEntries(query));
  if ("problem" in read) throw new CommandError("data_invalid", `${read.where}: ${read.problem}.`);
}

function patternOf(method: string, parts: readonly string[]): string {
  if (parts.length === 1) return `${method} ${parts[0]}`;
  return `${method} ${parts.map((part, at) => (isName(part, at) ? ":" : part)).join("/")}`;
}

function isName(_part: string, at: number): boolean {
  return at % 2 === 1;
}

/** Not of the protocol. */
async function listNodes({ app, nodes, query }: ApiCall): Promise<Response> {
  if (!nodes) throw new HttpError(404, "not_found", "This server has no list of nodes.");
  return json(await nodes(app, query.get("strategy")));
}

async function showStats(call: ApiCall, channel = ""): Promise<Response> {
  return showChannel({ ...call, query: new URLSearchParams({ info: "subscription_count" }) }, channel);
}
