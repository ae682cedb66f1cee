/** Tools that look: the server as a whole, its channels, its connections. */

import {
  type AppDetail,
  type ChannelDetail,
  type ChannelList,
  OVERLOADED_LAG_MS,
  type Overview,
} from "fanfare/wire/admin";
import { object } from "zod";
import { apiPath, ToolError } from "../admin-client.ts";
import { findConnection, findConnections } from "../connections.ts";
import * as input from "../input.ts";
import { type ToolSpec, tool } from "../tool.ts";

const MAX_CHANNELS = 200;
const MAX_CONNECTIONS = 200;
const MAX_MEMBERS = 100;

const search = input.name.optional().describe("Only those whose name has this text in it.");

const health = tool({
  name: "health",
  title: "Health of the server",
  description:
    "How the server is: whether its engine (Redis, NATS) can be reached, its nodes with connections, memory, event loop lag and silence, " +
    "its apps, what it has (statistics, webhooks, audit log), and as whom and with which role you are signed in. Begin here.",
  effect: "look",
  input: object({}),
  run: async (_, { admin }) => {
    const overview = await admin.get<Overview>("api/overview");
    const { user, server, base } = await admin.signIn();
    return { concerns: concernsOf(overview), signedIn: user, dashboard: base, server, ...overview };
  },
});

/** What an operator would be worried about, in sentences. */
function concernsOf({ engine, nodes, apps }: Overview): string[] {
  const concerns = engine.reachable
    ? []
    : [`The engine cannot be reached (${engine.why}): nothing crosses nodes, and numbers are of this node only.`];
  for (const { name, lagMs, draining, silentMs } of nodes) {
    if (lagMs > OVERLOADED_LAG_MS) concerns.push(`${name} is overloaded: its timers run ${lagMs} ms late.`);
    if (draining) concerns.push(`${name} is draining: it sends its clients to other nodes.`);
    if (silentMs > 5_000) concerns.push(`${name} was last heard ${Math.round(silentMs / 1000)} s ago.`);
  }
  for (const { id, enabled } of apps) if (!enabled) concerns.push(`App ${id} is disabled: its clients are refused.`);
  return concerns;
}

const showApp = tool({
  name: "show_app",
  title: "One app's settings",
  description:
    "Every setting of an app: limits, client events, channel rules, recovery window, webhooks. Never a secret.",
  effect: "look",
  input: object({ app: input.app }),
  run: async ({ app }, { admin }) => {
    const { id } = await input.appIn(admin, app);
    return admin.get<AppDetail>(apiPath(["apps", id]));
  },
});

const listChannels = tool({
  name: "list_channels",
  title: "Channels",
  description:
    "The channels that have subscribers now, on all nodes, the largest first, with kind and number of subscribers.",
  effect: "look",
  input: object({ app: input.app, search, limit: input.limit(50, MAX_CHANNELS) }),
  run: async ({ app, search, limit }, { admin }) => {
    const { id } = await input.appIn(admin, app);
    return admin.get<ChannelList>(apiPath(["apps", id, "channels"], { search, limit }));
  },
});

const showChannel = tool({
  name: "show_channel",
  title: "One channel",
  description:
    "One channel: subscribers, members of a presence channel, connections on all nodes, and the last events that the server keeps of it.",
  effect: "look",
  input: object({ app: input.app, channel: input.channel }),
  run: async ({ app, channel }, { admin }) => {
    const { id } = await input.appIn(admin, app);
    const detail = await admin.get<ChannelDetail>(apiPath(["apps", id, "channel"], { name: channel }));
    return { ...detail, members: detail.members.slice(0, MAX_MEMBERS) };
  },
});

const listConnections = tool({
  name: "list_connections",
  title: "Connections and people",
  description:
    "Who is connected, on all nodes, the longest first: id, user, address, protocol, transport, node, number of channels. " +
    "`search` finds by a part of the id, user id, address or the name of a channel they are in.",
  effect: "look",
  input: object({
    app: input.app,
    search: search.describe("Only those whose id, user id, address or channels have this text in them."),
    limit: input.limit(50, MAX_CONNECTIONS),
  }),
  run: async ({ app, search, limit }, { admin, signal }) => {
    const { id } = await input.appIn(admin, app);
    return findConnections({ admin, app: id, signal }, search, limit);
  },
});

const showConnection = tool({
  name: "show_connection",
  title: "One connection",
  description:
    "One connection, on whichever node: user, channels, for how long it was silent, how many bytes wait for it to read.",
  effect: "look",
  input: object({ app: input.app, connection: input.connection }),
  run: async ({ app, connection }, { admin, signal }) => {
    const { id } = await input.appIn(admin, app);
    const found = await findConnection({ admin, app: id, signal }, connection);
    if (found) return found;
    throw new ToolError(
      `no node has the connection ${connection}: it has ended, and a client that comes back has another id`,
    );
  },
});

export const LOOKING: readonly ToolSpec[] = [
  health,
  showApp,
  listChannels,
  showChannel,
  listConnections,
  showConnection,
];
