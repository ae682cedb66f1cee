/** The calls of the HTTP API that publish: one event, a batch of them, and the old way. */

import * as z from "zod/mini";
import { traitsOf } from "../../domain/channel.ts";
import { CommandError } from "../../domain/error.ts";
import { elementTexts, memberText } from "../../domain/json-text.ts";
import type { EventPublication, Position } from "../../domain/message.ts";
import type { Awaitable } from "../../domain/ports.ts";
import { checkIdempotencyKey } from "../../hub/idempotency-keys.ts";
import { checkChannelName, checkEventData, checkEventName } from "../../hub/limits.ts";
import { CHANNEL } from "./api-shapes.ts";
import { attributesOf, describe } from "./query-routes.ts";
import { type ApiCall, parseBody, utf8 } from "./request-body.ts";
import { emptyJson, json } from "./responses.ts";

const SOCKET_ID = /^\d+\.\d+$/;
const socketId = z.nullish(z.string().check(z.regex(SOCKET_ID, "socket_id looks like 123.456")));
const info = z.nullish(
  z.string().register(z.globalRegistry, {
    description: "A list, separated by commas, of subscription_count, user_count, cache and position.",
    examples: ["subscription_count,position"],
  }),
);
const key = z.nullish(z.string().register(z.globalRegistry, { minLength: 1, maxLength: 128 }));
const name = z.string("name has to be a string").register(z.globalRegistry, {
  minLength: 1,
  maxLength: 200,
  description: "Not one that begins with pusher:, pusher_internal: or fanfare:.",
  pattern: "^[^:]+$",
});
/** Their characters, which each is checked for by itself. */
const channel = z.string().register(z.globalRegistry, CHANNEL);

export const Trigger = z
  .object({
    name,
    data: z.unknown(),
    channels: z.nullish(z.array(channel).register(z.globalRegistry, { minItems: 1, maxItems: 100 })),
    channel: z.nullish(channel),
    socket_id: socketId,
    idempotency_key: key,
    info,
  })
  .register(z.globalRegistry, { anyOf: [{ required: ["channels"] }, { required: ["channel"] }] });

const NO_CHANNELS: readonly string[] = [];

const PLAIN_KEYS = new Set(["name", "data", "channel", "channels"]);

/** A name, data and channels, all of them text, and nothing else: as most calls are. */
function isPlainTrigger(json: unknown): json is z.infer<typeof Trigger> {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return false;
  for (const key in json) if (!PLAIN_KEYS.has(key)) return false;
  const { name, data, channel = "", channels = NO_CHANNELS } = json as Record<string, unknown>;
  if (typeof name !== "string" || typeof data !== "string" || typeof channel !== "string") return false;
  return Array.isArray(channels) && channels.every(isText);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

export const Batch = z.object({
  batch: z.array(z.object({ name, data: z.unknown(), channel, socket_id: socketId, idempotency_key: key, info })),
});

interface Outgoing {
  readonly event: string;
  readonly data: string;
  readonly channel: string;
  readonly except: string | null | undefined;
  /** It is published once, however often it is sent with the same key. */
  readonly key: string | null | undefined;
}

/** The key for the whole call, beside those in the body. */
const KEY_HEADER = "Idempotency-Key";

export function trigger(call: ApiCall): Awaitable<Response> {
  const { value: body, text } = parseBody(call, Trigger, isPlainTrigger);
  const channels = body.channels ?? (body.channel ? [body.channel] : []);
  const most = call.app.limits.channelsPerTrigger;
  if (channels.length === 0) throw new CommandError("data_invalid", "The event needs channels, or a channel.");
  if (channels.length > most)
    throw new CommandError(
      "data_invalid",
      `An event goes to at most ${most} channels (channelsPerTrigger); this one to ${channels.length}.`,
    );
  if (channels.length > 1 && channels.some((channel) => traitsOf(channel).encrypted)) {
    throw new CommandError("data_invalid", "An event for an encrypted channel goes to that channel alone.");
  }
  const data = isText(body.data) ? body.data : writtenData(body.data, text);
  const key = body.idempotency_key ?? call.request.headers.get(KEY_HEADER);
  const attributes = body.info ? attributesOf(body.info, POSITION) : undefined;
  const outgoing: Outgoing[] = [];
  for (const channel of channels) outgoing.push({ event: body.name, data, channel, except: body.socket_id, key });
  const sent = publish(call, outgoing);
  return sent instanceof Promise || attributes ? answerLater(call, channels, sent, attributes) : emptyJson();
}

async function answerLater(
  call: ApiCall,
  channels: readonly string[],
  sent: Awaitable<readonly (Position | undefined)[]>,
  attributes: ReadonlySet<string> | undefined,
): Promise<Response> {
  const positions = await sent;
  if (!attributes) return emptyJson();
  const entries = await Promise.all(
    channels.map(async (name, at) => [name, await describePublished(call, name, positions[at], attributes)] as const),
  );
  return json({ channels: Object.fromEntries(entries) });
}

export async function triggerBatch(call: ApiCall): Promise<Response> {
  const { value, text } = parseBody(call, Batch);
  const { batch } = value;
  const most = call.app.limits.batchSize;
  if (batch.length > most) {
    // The text of Pusher's own refusal, which its libraries look for.
    throw new CommandError("data_invalid", `Batch too large (> ${most}, batchSize): it has ${batch.length} events.`);
  }
  const ofCall = call.request.headers.get(KEY_HEADER);
  if (ofCall !== null) checkIdempotencyKey(ofCall);
  let texts: readonly string[] | undefined;
  const itemText = (at: number) => {
    texts ??= elementTexts(memberText(text, "batch") ?? "");
    return texts[at] ?? "";
  };
  const attributes = batch.map((item) => (item.info ? attributesOf(item.info, POSITION) : undefined));
  const positions = await publish(
    call,
    batch.map((item, at) => ({
      event: item.name,
      data: isText(item.data) ? item.data : writtenData(item.data, itemText(at)),
      channel: item.channel,
      except: item.socket_id,
      key: item.idempotency_key ?? (ofCall === null ? undefined : `${at}:${ofCall}`),
    })),
  );
  if (!batch.some((item) => item.info)) return emptyJson();
  const described = batch.map(({ channel }, at) =>
    describePublished(call, channel, positions[at], attributes[at] ?? new Set()),
  );
  return json({ batch: await Promise.all(described) });
}

/** What `info` may ask for beside the attributes of every channel: where the event stands in the channel's history. */
const POSITION = "position";

async function describePublished(
  call: ApiCall,
  channel: string,
  position: Position | undefined,
  attributes: ReadonlySet<string>,
): Promise<object> {
  const described = await describe(call, channel, attributes);
  // Where only the last event is kept no client can resume from a position, so nobody gets one.
  const isPositioned = attributes.has(POSITION) && call.hub.channelOf(call.app, channel).policy.history !== undefined;
  return isPositioned && position ? { ...described, position } : described;
}

/** Deprecated: the event's name in the query, the body as its data. */
export async function triggerOld(call: ApiCall, channel = ""): Promise<Response> {
  const event = call.query.get("name") ?? "";
  const except = call.query.get("socket_id");
  if (except !== null && !SOCKET_ID.test(except))
    throw new CommandError("data_invalid", "socket_id looks like 123.456.");
  await publish(call, [{ event, data: utf8(call.body), channel, except, key: call.request.headers.get(KEY_HEADER) }]);
  return json({}, 202);
}

/** Checks everything before it sends anything, so that a bad batch has no half. Answers the position of each that has one. */
function publish(
  { app, hub, caller }: ApiCall,
  outgoing: readonly Outgoing[],
): Awaitable<readonly (Position | undefined)[]> {
  for (const { channel, event, data, key } of outgoing) {
    checkChannelName(app, channel);
    checkEventName(app, event);
    checkEventData(app, data);
    hub.checkReserved(event, false);
    if (typeof key === "string") checkIdempotencyKey(key);
  }
  const info = { caller };
  const sent: Awaitable<Position | undefined>[] = [];
  for (const { event, data, channel, except, key } of outgoing) {
    const plain: EventPublication = { type: "event", app: app.id, channel, event, data };
    sent.push(hub.publish(app, except ? { ...plain, except: [except] } : plain, key ?? undefined, info));
  }
  return areThere(sent) ? sent : Promise.all(sent);
}

function areThere<T>(values: readonly Awaitable<T>[]): values is readonly T[] {
  return !values.some(isPromise);
}

function isPromise(value: unknown): boolean {
  return value instanceof Promise;
}

/** Libraries send text; anything else is taken for its JSON, as it was written in the event. */
function writtenData(data: unknown, event: string): string {
  if (data === undefined) throw new CommandError("data_invalid", "The event needs data.");
  return memberText(event, "data") ?? JSON.stringify(data);
}
