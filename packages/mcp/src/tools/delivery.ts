/** The tool that says why a client did not get an event: gathers what the server knows, and has it read. */

import {
  type AppDetail,
  addStatistics,
  type ChannelDetail,
  type ChannelList,
  type ConnectionDetail,
  type FeedEntry,
  type FeedType,
  noStatistics,
  type Overview,
  type Series,
} from "fanfare/wire/admin";
import { int, object } from "zod";
import { type AdminClient, apiPath, ToolError } from "../admin-client.ts";
import { findConnection, findConnections } from "../connections.ts";
import { type ClientFacts, explainDelivery, UNSEEN } from "../explain-delivery.ts";
import * as input from "../input.ts";
import { watchLive } from "../live-watch.ts";
import { type ToolContext, type ToolSpec, tool } from "../tool.ts";

const MAX_WATCH_SECONDS = 30;
const MAX_SEEN = 500;
/** Nodes send what happened before within that. */
const LATELY_MS = 700;
const MAX_SIMILAR = 5;
const MAX_CONNECTIONS = 5;
const TYPES: readonly FeedType[] = [
  ...(["refused", "turned_away", "error", "gap", "disconnected", "api_message", "client_event"] as const),
];

const explain = tool({
  name: "explain_delivery",
  title: "Why did this client not get it?",
  description:
    "Looks at everything between an event and a client: engine, nodes, app, channel name and rules, whether the client is connected and subscribed, slow reading, " +
    "what the channel keeps for clients that come back, client events, refusals of the last minutes. Name the channel, and the connection or the user where you know it. " +
    "With `watchSeconds` it also watches while you have the client try again.",
  effect: "look",
  input: object({
    ...{ app: input.app, channel: input.channel, connection: input.connection.optional() },
    user: input.name.optional().describe("The id of the user who misses it, where you do not know the connection."),
    event: input.name.optional().describe("The name of the event that is missed."),
    watchSeconds: int().min(0).max(MAX_WATCH_SECONDS).default(0),
  }),
  run: async ({ app, channel, connection, user, event, watchSeconds }, context) => {
    if (connection !== undefined && user !== undefined)
      throw new ToolError("name the connection or the user, not both");
    const { admin } = context;
    const { id } = await input.appIn(admin, app);
    const watched = { app: id, channel, connection };
    const seen = await seenOf(context, watched, Math.max(LATELY_MS, watchSeconds * 1000));
    const [overview, detail, client, counts] = await Promise.all([
      admin.get<Overview>("api/overview"),
      admin.find<ChannelDetail>(apiPath(["apps", id, "channel"], { name: channel })),
      clientFacts(context, id, { connection, user }),
      countsOf(admin, id),
    ]);
    const settings = await admin.get<AppDetail>(apiPath(["apps", id]));
    const similar = detail ? [] : await similarTo(admin, id, channel);
    const found = explainDelivery({ overview, app: settings, channel, event, detail, similar, client, counts, seen });
    const isClear = found.some(({ level }) => level === "problem");
    return {
      conclusion: isClear
        ? found.filter(({ level }) => level === "problem").map(({ says }) => says)
        : "The server has nothing that keeps an event from this client now: see the warnings, and what it cannot see.",
      findings: found,
      cannotBeSeenHere: UNSEEN,
    };
  },
});

/** Channels of the same name but for the prefix, or whose name has it in it. */
async function similarTo(admin: AdminClient, app: string, name: string): Promise<readonly string[]> {
  const search = name.replace(/^(?:private-|presence-)?(?:encrypted-)?(?:cache-)?/, "");
  if (search === "") return [];
  const { channels } = await admin.get<ChannelList>(apiPath(["apps", app, "channels"], { search, limit: MAX_SIMILAR }));
  return channels.map((channel) => channel.name);
}

interface Wanted {
  readonly connection: string | undefined;
  readonly user: string | undefined;
}

async function clientFacts(
  { admin, signal }: ToolContext,
  app: string,
  { connection, user }: Wanted,
): Promise<ClientFacts | undefined> {
  const asked = { admin, app, signal };
  if (connection !== undefined) {
    const found = await findConnection(asked, connection);
    return { name: `connection ${connection}`, connections: found ? [found] : [] };
  }
  if (user === undefined) return undefined;
  const { connections } = await findConnections(asked, user, 200);
  const own = connections.filter((one) => one.user === user).slice(0, MAX_CONNECTIONS);
  const details: (ConnectionDetail | undefined)[] = [];
  for (const { id } of own) details.push(await findConnection(asked, id));
  return { name: `user ${user}`, connections: details.filter((one) => one !== undefined) };
}

/** Undefined where the server counts nothing by the second. */
async function countsOf(admin: AdminClient, app: string) {
  const series = await admin.find<Series>(apiPath(["statistics"], { app, span: "second" }), "not_available");
  return series?.points.reduce(addStatistics, noStatistics());
}

/** What the server keeps of the last minutes, and what happens meanwhile. Handshakes that are turned away name no channel. */
async function seenOf(
  { admin, signal }: ToolContext,
  {
    app,
    channel,
    connection,
  }: { readonly app: string; readonly channel: string; readonly connection: string | undefined },
  forMs: number,
): Promise<readonly FeedEntry[]> {
  const seen = new Map<string, FeedEntry>();
  const concerns = (entry: FeedEntry) =>
    entry.channel === channel ||
    (entry.channel === undefined && entry.type !== "disconnected" && entry.connection === undefined) ||
    (connection !== undefined && entry.connection === connection);
  await watchLive(admin, {
    watch: { type: "feed", app, types: TYPES },
    ...{ name: "feed", forMs, signal },
    hear: ({ entries }) => {
      for (const entry of entries.filter(concerns)) seen.set(entry.id, entry);
      return seen.size >= MAX_SEEN;
    },
  });
  return [...seen.values()].toSorted((one, other) => one.atMs - other.atMs);
}

export const DELIVERY: readonly ToolSpec[] = [explain];
