/** Why a client did not get an event: what the server knows of its app, channel and connection, read as findings. */

import {
  type AppDetail,
  type ChannelDetail,
  type ConnectionDetail,
  type FeedEntry,
  OVERLOADED_LAG_MS,
  type Overview,
  type Point,
} from "fanfare/wire/admin";
import { type Channel, channelOf, userOfChannel } from "fanfare/wire/channel";
import { type Finding, findings } from "fanfare/wire/finding";
import { checkChannelName } from "fanfare/wire/limits";
import { plural } from "fanfare/wire/output";
import { messageOf } from "./admin-client.ts";

type App = Parameters<typeof channelOf>[0];

export interface DeliveryFacts {
  readonly overview: Pick<Overview, "engine" | "nodes">;
  readonly app: AppDetail;
  readonly channel: string;
  readonly event: string | undefined;
  /** Undefined where nobody is in it. */
  readonly detail: ChannelDetail | undefined;
  /** Channels with subscribers whose names resemble it. */
  readonly similar: readonly string[];
  /** Undefined where none was asked about. */
  readonly client: ClientFacts | undefined;
  /** Of the last minutes, where seconds are counted. */
  readonly counts: Pick<Point, "subscribeFailures" | "authFailures"> | undefined;
  /** What happened to the channel and the client lately, and while it was watched; oldest first. */
  readonly seen: readonly FeedEntry[];
}

export interface ClientFacts {
  /** `connection 1.2`, `user 7`. */
  readonly name: string;
  readonly connections: readonly ConnectionDetail[];
}

const SLOW_BYTES = 65_536;
const SILENT_MS = 45_000;

/** What is wrong for certain is a problem, what may be the reason a warning. */
export function explainDelivery(facts: DeliveryFacts): Finding[] {
  const channel = channelIn(facts);
  return [
    ...serverFindings(facts),
    ...channelFindings(facts, channel),
    ...clientFindings(facts, channel),
    ...eventFindings(facts, channel),
    ...pastFindings(facts, channel),
    ...seenFindings(facts),
    ...countFindings(facts),
  ];
}

/** What no server can see, for whoever reads the findings. */
export const UNSEEN = [
  "A back end that sends along a socket_id (Laravel: toOthers) excludes that connection.",
  "The handler in the client may be bound to another event name (Laravel Echo: a name of broadcastAs takes a dot in front), or after the event came.",
  "The back end may publish to another app or server: compare its key, host and port with those here.",
  "A proxy between may hold back or cut WebSockets: `fanfare doctor --url` tries one.",
];

/** By the app's rules; what a program or the back end made of this one channel while it runs is not among them. */
function channelIn({ app, channel }: DeliveryFacts): Channel {
  const settings = app.settings as unknown as Pick<App, "channels" | "recovery" | "clientEvents">;
  return channelOf(settings as App, channel);
}

function serverFindings({ overview: { engine, nodes }, app }: DeliveryFacts): Finding[] {
  const { ok, warning, problem } = findings("server");
  const found: Finding[] = engine.reachable
    ? [ok("the engine can be reached")]
    : [problem(`the engine cannot be reached: ${engine.why}`, "publications cross nodes again when it is back")];
  if (!app.enabled) found.push(problem(`app ${app.id} is disabled: its clients are refused (4003)`, "enable the app"));
  for (const { name, lagMs, draining } of nodes) {
    if (lagMs > OVERLOADED_LAG_MS)
      found.push(warning(`${name} is overloaded: ${lagMs} ms late`, "spread clients over more nodes"));
    if (draining)
      found.push(warning(`${name} is draining: its clients are asked to reconnect`, "wait, or end draining"));
  }
  return found;
}

function channelFindings({ app, channel, detail, similar }: DeliveryFacts, { traits, policy }: Channel): Finding[] {
  const { ok, warning, problem } = findings("channel");
  try {
    checkChannelName({ limits: app.settings.limits } as App, channel);
  } catch (error) {
    return [problem(`no client can subscribe to this name: ${messageOf(error)}`, "use another name")];
  }
  const found: Finding[] = [];
  if (detail) found.push(ok(`${channel} has ${plural(detail.subscribers, "subscriber")}`));
  else {
    const others = similar.length > 0 ? `; there are subscribers of ${similar.join(", ")}` : "";
    found.push(
      problem(
        `nobody is subscribed to ${channel}: what is published now reaches nobody${others}`,
        "compare the names letter by letter, with the prefix private- or presence-; then look for a refused subscription",
      ),
    );
  }
  if (detail && detail.subscribers >= policy.maxSubscribers)
    found.push(problem(`it has as many subscribers as it may: ${policy.maxSubscribers}`, "raise maxSubscribers"));
  if (policy.auth) found.push(ok("only clients that are signed in may subscribe (auth)"));
  if (traits.encrypted) {
    const key = "the server cannot read its events: a client with another shared secret cannot, either";
    found.push(warning(key, "compare the master key of the back end with what the client was authorized with"));
  }
  return found;
}

function clientFindings({ channel, client }: DeliveryFacts, { traits }: Channel): Finding[] {
  if (!client) return [];
  const { problem } = findings("client");
  if (client.connections.length === 0) {
    const change = "a client that comes back has another id; look for it with list_connections";
    return [problem(`no node has ${client.name}: it is not connected`, change)];
  }
  return client.connections.flatMap((one) => [membership(one, channel, traits.private), ...healthOf(one)]);
}

function membership(connection: ConnectionDetail, channel: string, isPrivate: boolean): Finding {
  const { ok, problem } = findings("client");
  const { id, user, channelNames, node, ageMs } = connection;
  const owner = userOfChannel(channel);
  if (owner !== undefined) {
    if (user === owner) return ok(`${id} is signed in as ${owner}, and gets what is sent to that user`);
    return problem(`${id} is ${user === undefined ? "not signed in" : `signed in as ${user}`}`, "sign in as that user");
  }
  if (channelNames.includes(channel)) {
    const since = `connected for ${Math.round(ageMs / 1000)} s on node ${node}`;
    return ok(`${id} is subscribed to ${channel}, ${since}: what is published from now on reaches it`);
  }
  const shown = channelNames.slice(0, 10).join(", ") || "none";
  const change = isPrivate
    ? "the subscription was refused, is still waiting for the back end's permission, or was never asked for: look at the refusals"
    : "the client never subscribed, or has unsubscribed";
  return problem(`${id} is connected, but not subscribed to ${channel}; its channels: ${shown}`, change);
}

function healthOf({ id, bufferedBytes, silentMs }: ConnectionDetail): Finding[] {
  const { warning } = findings("client");
  return [
    ...(bufferedBytes > SLOW_BYTES
      ? [warning(`${bufferedBytes} bytes wait for ${id}: it reads too slowly`, "send it less, or look at its network")]
      : []),
    ...(silentMs > SILENT_MS
      ? [
          warning(
            `${id} was silent for ${Math.round(silentMs / 1000)} s: it may be gone`,
            "it is closed when it answers no ping",
          ),
        ]
      : []),
  ];
}

function eventFindings({ event }: DeliveryFacts, { policy, traits }: Channel): Finding[] {
  if (!event?.startsWith("client-")) return [];
  const { ok, problem } = findings("event");
  if (policy.clientPublish !== "none")
    return [ok("client events are allowed here; who sends one does not get it back")];
  const why = traits.private
    ? "the app does not allow client events, or the channel is encrypted"
    : "clients may send them in private and presence channels only";
  return [
    problem(`client events are refused in this channel: ${why}`, "set clientEvents, or channels[].clientPublish"),
  ];
}

/** What a client that was away gets when it comes back. */
function pastFindings({ event, detail }: DeliveryFacts, { policy: { history, rewind }, traits }: Channel): Finding[] {
  const { ok, warning } = findings("recovery");
  const found: Finding[] = [];
  if (history) {
    const window = `the last ${history.size} events for ${history.ttlS} s`;
    found.push(ok(`the channel keeps ${window}: a client that resumes within that misses nothing`));
  } else if (traits.cache)
    found.push(ok("a cache channel keeps its last event for the next subscriber, and no others"));
  else {
    const lost =
      "the channel keeps nothing: what is published while a client is away, or before it subscribes, is lost to it";
    found.push(warning(lost, "set recovery.enabled, or channels[].history"));
  }
  if (rewind) found.push(ok(`new subscribers get the last ${plural(rewind.count, "event")}`));
  if (event === undefined || !detail || !(history || traits.cache)) return found;
  const kept = detail.kept.filter((one) => one.event === event).length;
  if (kept > 0)
    found.push(ok(`${event} was published here: ${kept} of the ${detail.kept.length} latest events that are kept`));
  else {
    const none = `${event} is not among the ${plural(detail.kept.length, "event")} that are kept of this channel`;
    found.push(
      warning(none, "see whether the back end publishes it to this app, channel and server, with this very name"),
    );
  }
  return found;
}

/** What of the same kind happened several times is said once. */
function seenFindings(facts: DeliveryFacts): Finding[] {
  const { ok, warning } = findings("events");
  const groups = Map.groupBy(facts.seen, ({ type, connection, why, event }) =>
    [type, connection, why, event].join("\n"),
  );
  return [...groups.values()].flatMap((group): Finding[] => {
    const last = group.at(-1);
    if (!last) return [];
    const { type, atMs, connection, why, event } = last;
    const times = group.length === 1 ? "at" : `${group.length} times, the last at`;
    const what = [connection, why ?? event].filter(Boolean).join(": ");
    const said = `${type} ${times} ${new Date(atMs).toISOString()}${what === "" ? "" : `: ${what}`}`;
    switch (type) {
      case "api_message":
      case "client_event":
        return [ok(`published to ${facts.channel}, ${said}`)];
      case "gap":
        return [warning(`events of the channel were lost on the way, ${said}`, "look at the engine's log")];
      case "disconnected":
        return [warning(said, "the code says who closed it, and why")];
      default:
        return [refusal(facts, last, said)];
    }
  });
}

/** The reason for certain, if it was the client that was asked about, or no other, and it is not in the channel after all. */
function refusal({ client, channel }: DeliveryFacts, entry: FeedEntry, said: string): Finding {
  const { warning, problem } = findings("refusals");
  const change = entry.signed ? "explain_signature says what differs in the signature" : "mend what it says";
  const ids = client?.connections.map(({ id }) => id) ?? [];
  const isIn = client?.connections.some(({ channelNames }) => channelNames.includes(channel)) ?? false;
  const isAbout = client ? ids.includes(entry.connection ?? "") : entry.channel === channel;
  return isAbout && !isIn ? problem(said, change) : warning(said, change);
}

function countFindings({ counts, app }: DeliveryFacts): Finding[] {
  const { subscribeFailures = 0, authFailures = 0 } = counts ?? {};
  if (subscribeFailures + authFailures === 0) return [];
  const refused = `${plural(subscribeFailures, "refused subscription")} and ${plural(authFailures, "refused sign-in")}`;
  const says = `in the last five minutes app ${app.id} had ${refused} on the answering node`;
  const change = "tail_events shows them; have the client try again, and ask once more with watchSeconds";
  return [findings("refusals").warning(says, change)];
}
