/** The Pusher HTTP API: what back ends ask and publish. Routes, then one function for each, then what they share. */

import { z } from "zod";
import type { App } from "../../domain/app.ts";
import { channelOf, traitsOf } from "../../domain/channel.ts";
import { CommandError } from "../../domain/error.ts";
import type { EventPublication } from "../../domain/message.ts";
import type { AppStore, ChannelSummary, Clock } from "../../domain/ports.ts";
import type { Hub } from "../../hub/hub.ts";
import { checkChannelName, checkEventData, checkEventName, checkUserId } from "../../hub/limits.ts";
import { isDeeperThan } from "../json.ts";
import { STATUSES } from "./codes.ts";
import { checkRequest, pathsSigned } from "./request-proof.ts";

export interface ApiOptions {
  readonly hub: Hub;
  readonly apps: AppStore;
  readonly clock: Clock;
  /** The path that a proxy in front of the server takes off. */
  readonly pathPrefix: string;
  readonly signatureWindowS: number;
  readonly jsonDepth: number;
  /** Largest body that is read, in bytes. */
  readonly bodyBytes: number;
}

/** Answers a request under `/apps/…`; undefined when the path is not one of the API's. Never throws. */
export type Api = (request: Request, url: URL) => Promise<Response> | undefined;

interface Call {
  readonly app: App;
  readonly hub: Hub;
  readonly query: URLSearchParams;
  readonly body: Uint8Array;
  readonly jsonDepth: number;
}

const PATH = /^.*?\/apps\/([^/]+)\/(.+)$/;

export function isApiPath(path: string): boolean {
  return PATH.test(path);
}

export function pusherApi(options: ApiOptions): Api {
  return (request, url) => {
    const [, id, rest] = PATH.exec(url.pathname) ?? [];
    if (id === undefined || rest === undefined) return undefined;
    return answer(options, request, url, id, rest).catch((error) => failure(options.hub, error));
  };
}

async function answer(options: ApiOptions, request: Request, url: URL, id: string, rest: string): Promise<Response> {
  const found = options.apps.byId(decoded(id));
  const app = found instanceof Promise ? await found : found;
  if (!app) return problem(404, "app_unknown", "There is no app with this id.");
  const body = await bodyOf(request, options.bodyBytes);
  if (!body) return bodyTooLarge(options.bodyBytes);
  const paths = pathsSigned(url.pathname, options.pathPrefix);
  const signed = { method: request.method, paths, query: url.searchParams, body };
  const call = checkRequest(app, signed, options.clock.wallMs(), options.signatureWindowS);
  if (!app.enabled) return problem(403, "app_disabled", "The app is disabled.");
  const { hub, jsonDepth } = options;
  for (const guard of hub.guards) guard.apiCall?.(app, call);
  return route(request.method, rest.split("/").map(decoded), { app, hub, body, query: url.searchParams, jsonDepth });
}

function route(method: string, parts: readonly string[], call: Call): Promise<Response> | Response {
  const [first, name = "", last] = parts;
  const pattern = `${method} ${first}${parts.length > 1 ? "/:" : ""}${last === undefined ? "" : `/${last}`}`;
  if (parts.length > 3) return problem(404, "not_found", "There is nothing at this path.");
  switch (pattern) {
    case "POST events":
      return trigger(call);
    case "POST batch_events":
      return triggerBatch(call);
    case "GET connections":
      return json({ connections: call.hub.connectionCountOf(call.app) });
    case "GET channels":
      return listChannels(call);
    case "GET channels/:":
      return showChannel(call, name);
    case "GET channels/:/users":
      return listUsers(call, name);
    case "POST users/:/terminate_connections":
      return terminate(call, name);
    case "POST channels/:/events":
      return triggerOld(call, name);
    case "GET channels/:/stats":
      return showChannel({ ...call, query: new URLSearchParams({ info: "subscription_count" }) }, name);
  }
  return problem(404, "not_found", "There is nothing at this path for this method.");
}

// ---- publishing

const SOCKET_ID = /^\d+\.\d+$/;
const socketId = z.string().regex(SOCKET_ID, "socket_id looks like 123.456").nullish();
const info = z.string().nullish();
const name = z.string("name has to be a string");

const Trigger = z.object({
  name,
  data: z.unknown(),
  channels: z.array(z.string()).nullish(),
  channel: z.string().nullish(),
  socket_id: socketId,
  info,
});

const Batch = z.object({
  batch: z.array(z.object({ name, data: z.unknown(), channel: z.string(), socket_id: socketId, info })),
});

interface Outgoing {
  readonly event: string;
  readonly data: string;
  readonly channel: string;
  readonly except: string | null | undefined;
}

async function trigger(call: Call): Promise<Response> {
  const body = parse(call, Trigger);
  const channels = body.channels ?? (body.channel ? [body.channel] : []);
  const most = call.app.limits.channelsPerTrigger;
  if (channels.length === 0) throw new CommandError("data_invalid", "The event needs channels, or a channel.");
  if (channels.length > most) throw new CommandError("data_invalid", `An event goes to at most ${most} channels.`);
  if (channels.length > 1 && channels.some((channel) => traitsOf(channel).encrypted)) {
    throw new CommandError("data_invalid", "An event for an encrypted channel goes to that channel alone.");
  }
  const data = textOf(body.data);
  const sent = publish(
    call,
    channels.map((channel) => ({ event: body.name, data, channel, except: body.socket_id })),
  );
  if (sent) await sent;
  if (!body.info) return json({});
  const attributes = attributesOf(body.info);
  const entries = await Promise.all(
    channels.map(async (name) => [name, await describe(call, name, attributes)] as const),
  );
  return json({ channels: Object.fromEntries(entries) });
}

async function triggerBatch(call: Call): Promise<Response> {
  const { batch } = parse(call, Batch);
  const most = call.app.limits.batchSize;
  if (batch.length > most) throw new CommandError("data_invalid", `A batch has at most ${most} events.`);
  await publish(
    call,
    batch.map((item) => ({ event: item.name, data: textOf(item.data), channel: item.channel, except: item.socket_id })),
  );
  if (!batch.some((item) => item.info)) return json({});
  const described = batch.map((item) => (item.info ? describe(call, item.channel, attributesOf(item.info)) : {}));
  return json({ batch: await Promise.all(described) });
}

/** Deprecated: the event's name in the query, the body as its data. */
async function triggerOld(call: Call, channel: string): Promise<Response> {
  const event = call.query.get("name") ?? "";
  const except = call.query.get("socket_id");
  if (except !== null && !SOCKET_ID.test(except))
    throw new CommandError("data_invalid", "socket_id looks like 123.456.");
  await publish(call, [{ event, data: utf8(call.body), channel, except }]);
  return json({}, 202);
}

/** Checks everything before it sends anything, so that a bad batch has no half. Undefined where the engine has it already. */
function publish({ app, hub }: Call, outgoing: readonly Outgoing[]): Promise<unknown> | undefined {
  for (const { channel, event, data } of outgoing) {
    checkChannelName(app, channel);
    checkEventName(app, event);
    checkEventData(app, data);
    hub.checkReserved(event, false);
  }
  const publications = outgoing.map(
    ({ event, data, channel, except }): EventPublication => ({
      type: "event",
      app: app.id,
      channel,
      event,
      data,
      ...(except && { except: [except] }),
    }),
  );
  const sent = publications.map((publication) => hub.publish(app, publication));
  return sent.some((one) => one instanceof Promise) ? Promise.all(sent) : undefined;
}

// ---- reading

async function listChannels(call: Call): Promise<Response> {
  const prefix = call.query.get("filter_by_prefix") ?? "";
  const attributes = attributesOf(call.query.get("info"));
  if (attributes.has("user_count") && !prefix.startsWith("presence-")) {
    throw new CommandError("data_invalid", "user_count needs filter_by_prefix=presence-.");
  }
  const channels = await call.hub.channels(call.app, prefix);
  return json({ channels: Object.fromEntries(channels.map((summary) => [summary.name, counts(summary, attributes)])) });
}

async function showChannel(call: Call, channel: string): Promise<Response> {
  checkChannelName(call.app, channel);
  const traits = traitsOf(channel);
  const attributes = attributesOf(call.query.get("info"));
  if (attributes.has("user_count") && !traits.presence) {
    throw new CommandError("data_invalid", "user_count is known of presence channels only.");
  }
  if (attributes.has("cache") && !traits.cache) {
    throw new CommandError("data_invalid", "cache is known of cache channels only.");
  }
  const summary = await call.hub.summary(call.app, channel);
  return json({ occupied: summary !== undefined, ...(await describe(call, channel, attributes)) });
}

async function listUsers(call: Call, channel: string): Promise<Response> {
  checkChannelName(call.app, channel);
  if (!traitsOf(channel).presence) throw new CommandError("data_invalid", "Only presence channels have users.");
  const members = await call.hub.members(call.app, channel);
  return json({ users: members.map(({ id }) => ({ id })) });
}

async function terminate(call: Call, user: string): Promise<Response> {
  checkUserId(call.app, user);
  await call.hub.terminate(call.app, user);
  return json({});
}

/** The asked-for attributes that the channel has; an empty channel has counts of nought. */
async function describe(call: Call, channel: string, attributes: ReadonlySet<string>): Promise<object> {
  if (attributes.size === 0) return {};
  const { traits } = channelOf(call.app, channel);
  const empty: ChannelSummary = { name: channel, subscribers: 0, ...(traits.presence && { users: 0 }) };
  const known = counts((await call.hub.summary(call.app, channel)) ?? empty, attributes);
  if (!attributes.has("cache") || !traits.cache) return known;
  const kept = await call.hub.cached(call.app, channel);
  return { ...known, cache: kept ? { data: kept.publication.data, ttl: Math.ceil(kept.expiresInMs / 1000) } : null };
}

function counts({ subscribers, users, name }: ChannelSummary, attributes: ReadonlySet<string>): object {
  return {
    ...(attributes.has("user_count") && traitsOf(name).presence && { user_count: users ?? 0 }),
    ...(attributes.has("subscription_count") && { subscription_count: subscribers }),
  };
}

const ATTRIBUTES: ReadonlySet<string> = new Set(["user_count", "subscription_count", "cache"]);

function attributesOf(text: string | null): ReadonlySet<string> {
  const asked = (text ?? "").split(",").flatMap((item) => item.trim() || []);
  const unknown = asked.find((item) => !ATTRIBUTES.has(item));
  if (unknown !== undefined) {
    throw new CommandError(
      "data_invalid",
      `info knows user_count, subscription_count and cache, not ${JSON.stringify(unknown)}.`,
    );
  }
  return new Set(asked);
}

// ---- bodies and answers

/** Undefined where it is larger than that; then the rest of it is not read. */
async function bodyOf(request: Request, most: number): Promise<Uint8Array | undefined> {
  const length = request.headers.get("content-length");
  if (Number(length) > most) return undefined;
  try {
    // Only where the length is not said: asking for `request.body` makes a stream of it, at twice the cost of the call.
    if (length === null && request.body) return await collect(request.body, most);
    return new Uint8Array(await request.arrayBuffer());
  } catch {
    throw new CommandError("malformed", "The body could not be read to its end.");
  }
}

/** A body that does not say how long it is may be endless. */
async function collect(body: ReadableStream<Uint8Array>, most: number): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > most) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Hangs up, so that nobody has to wait for the rest. */
function bodyTooLarge(most: number): Response {
  const body = { error: `The body is larger than ${most} bytes.`, code: "data_too_large" };
  return Response.json(body, { status: 413, headers: { Connection: "close" } });
}

function parse<T>({ body, jsonDepth }: Call, schema: z.ZodType<T>): T {
  const text = utf8(body);
  if (isDeeperThan(text, jsonDepth)) {
    throw new CommandError("malformed", `The JSON is nested more than ${jsonDepth} levels deep.`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new CommandError("malformed", "The body is not JSON.");
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new CommandError(
    "data_invalid",
    `${issue?.path.join(".") || "The body"}: ${issue?.message ?? "is not valid"}.`,
  );
}

function utf8(body: Uint8Array): string {
  try {
    return DECODER.decode(body);
  } catch {
    throw new CommandError("malformed", "The body is not UTF-8.");
  }
}

const DECODER = new TextDecoder("utf-8", { fatal: true });

/** Libraries send text; an object is taken for its JSON. */
function textOf(data: unknown): string {
  if (typeof data === "string") return data;
  if (data === undefined) throw new CommandError("data_invalid", "The event needs data.");
  return JSON.stringify(data);
}

function decoded(part: string): string {
  if (!part.includes("%")) return part;
  try {
    return decodeURIComponent(part);
  } catch {
    throw new CommandError("malformed", "The path has a percent sign that does not encode anything.");
  }
}

function failure(hub: Hub, error: unknown): Response {
  if (error instanceof CommandError) return problem(STATUSES[error.code], error.code, error.message);
  hub.observe({ type: "failed", error, during: "an HTTP API request" });
  return problem(500, "internal", "Something went wrong on the server.");
}

function problem(status: number, code: string, message: string): Response {
  const retry = status === 503 || status === 429 ? { headers: { "Retry-After": "1" } } : {};
  return Response.json({ error: message, code }, { status, ...retry });
}

/** Naming the status costs Bun two microseconds, a fifteenth of the whole call. */
function json(body: unknown, status = 200): Response {
  return status === 200 ? Response.json(body) : Response.json(body, { status });
}
