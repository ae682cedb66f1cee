/** Calls about what was written down: statistics, webhooks, the audit log; and the explainer of signatures. */

import * as z from "zod/mini";
import { type AppStatistics, noStatistics, type StoredMeasure } from "../../domain/app-statistics.ts";
import { AdminError } from "../admin-error.ts";
import type {
  AuditEntry,
  Explanation,
  InsightLine,
  Insights,
  OutboxEntry,
  Point,
  Question,
  Series,
  Webhooks,
} from "../api-types.ts";
import { appOf, type Call, type Handler, idIn, inputOf, limitOf, outboxesOf, required } from "../call.ts";
import { hasRole } from "../sessions.ts";
import { shownTo } from "./apps.ts";

const MAX_ENTRIES = 500;
const STEPS = { hour: 3_600_000, day: 86_400_000 } as const;
const DEFAULT_SPANS_BACK = 60;
const StoredSpan = z.enum(["interval", "hour", "day"]);
const SpanSchema = z.enum(["second", "interval", "hour", "day"]);

const text = z.string().check(z.maxLength(65_536));
const QuestionSchema = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("channel"),
    ...{ socketId: text, channel: text, channelData: z.exactOptional(text), auth: z.exactOptional(text) },
  }),
  z.strictObject({ type: z.literal("user"), socketId: text, userData: text, auth: z.exactOptional(text) }),
  z.strictObject({
    type: z.literal("request"),
    method: z.string().check(z.regex(/^[A-Za-z]{1,10}$/, "a method is a word such as POST")),
    path: text.check(z.regex(/^\//, 'a path begins with "/"')),
    body: text,
  }),
]);

export const statistics: Handler = async (call): Promise<Series> => {
  const { query, services } = call;
  const span = SpanSchema.safeParse(query.get("span") ?? "second").data;
  if (!span) throw new AdminError("input_invalid", "span has to be second, interval, hour or day.");
  const app = idIn(call);
  if (span === "second") {
    const seconds = required(services.seconds, "This server counts nothing by the second.");
    return { ...(app !== undefined && { app }), span, stepMs: 1000, points: seconds.series(app) };
  }
  const numbers = required(services.statistics, "This server keeps no statistics: set database.url.");
  if (app === undefined) throw new AdminError("input_invalid", "app has to name an app, by its id.");
  const { stepMs, fromMs, toMs } = storedRange(call, numbers.intervalMs);
  return { app, span, stepMs, points: await numbers.series({ app, span, fromMs, toMs }) };
};

/** What is asked for of what is stored. Throws AdminError. */
function storedRange(call: Call, intervalMs: number) {
  const span = StoredSpan.safeParse(call.query.get("span")).data;
  if (!span) throw new AdminError("input_invalid", "span has to be interval, hour or day.");
  const stepMs = span === "interval" ? intervalMs : STEPS[span];
  const toMs = timeIn(call, "to", call.services.hub.clock.wallMs());
  return { span, stepMs, fromMs: timeIn(call, "from", toMs - DEFAULT_SPANS_BACK * stepMs), toMs };
}

function timeIn({ query }: Call, name: string, initial: number): number {
  const text = query.get(name);
  if (text === null) return initial;
  if (!/^\d{1,15}$/.test(text)) throw new AdminError("input_invalid", `${name} has to be a time in Unix milliseconds.`);
  return Number(text);
}

/** What was stored of the past: sums of apps, and what they are made of, put together over nodes. */
export const insights: Handler = async (call): Promise<Insights> => {
  const reader = required(call.services.statistics, "This server keeps no statistics: set database.url.");
  const app = idIn(call);
  const node = call.query.get("node") || undefined;
  const { span, stepMs, fromMs, toMs } = storedRange(call, reader.intervalMs);
  const question = { ...(app !== undefined && { app }), span, fromMs, toMs };
  const [measured, sinceMs] = await Promise.all([reader.measures(question), reader.since()]);
  const names = namesOf(measured);
  const nodes = node === undefined ? undefined : [...names].flatMap(([id, name]) => (name === node ? [id] : []));
  const points = await reader.series({ ...question, ...(nodes && { nodes }) });
  const stored = nodes === undefined ? measured : measured.filter((one) => nodes.includes(one.node));
  const times = [...new Set([...points, ...stored].map(({ atMs }) => atMs))].sort((one, other) => one - other);
  // Sums may be older than what they are made of.
  const first = Math.min(sinceMs ?? Number.POSITIVE_INFINITY, times[0] ?? Number.POSITIVE_INFINITY);
  return {
    ...(app !== undefined && { app }),
    ...{ span, stepMs, times, totals: totalsOf(points, times), measures: linesOf(stored, times, names) },
    nodes: [...new Set(names.values())].sort(),
    starts: startsOf(stored, names, times[0]),
    ...(Number.isFinite(first) && { sinceMs: first }),
  };
};

function totalsOf(points: readonly Point[], times: readonly number[]): Insights["totals"] {
  const byTime = new Map(points.map((point) => [point.atMs, point]));
  const none = noStatistics();
  const names = Object.keys(none) as (keyof AppStatistics)[];
  const lines = names.map((name) => [name, times.map((atMs) => byTime.get(atMs)?.[name] ?? 0)] as const);
  return Object.fromEntries(lines) as unknown as Insights["totals"];
}

/** By the id of each node's process. */
function namesOf(stored: readonly StoredMeasure[]): ReadonlyMap<string, string> {
  return new Map(stored.flatMap(({ measure, node, label }) => (measure === "lag" ? [[node, label] as const] : [])));
}

/** Processes that were not there from the beginning. A name that another process had before is a node that started again. */
function startsOf(
  stored: readonly StoredMeasure[],
  names: ReadonlyMap<string, string>,
  beginMs: number | undefined,
): Insights["starts"] {
  const first = new Map<string, number>();
  for (const { measure, node, atMs } of stored) {
    if (measure === "lag") first.set(node, Math.min(atMs, first.get(node) ?? atMs));
  }
  const known = new Set<string>();
  const sorted = [...first].sort(([, one], [, other]) => one - other);
  return sorted.flatMap(([id, atMs]) => {
    const node = names.get(id) ?? id;
    const isAgain = known.has(node);
    known.add(node);
    return atMs === beginMs ? [] : [{ node, atMs, isAgain }];
  });
}

function linesOf(
  stored: readonly StoredMeasure[],
  times: readonly number[],
  names: ReadonlyMap<string, string>,
): readonly InsightLine[] {
  const places = new Map(times.map((atMs, index) => [atMs, index]));
  const lines = new Map<string, { measure: InsightLine["measure"]; label: string; values: number[] }>();
  const put = (measure: InsightLine["measure"], label: string, { atMs, value }: StoredMeasure) => {
    const key = `${measure} ${label}`;
    const line = lines.get(key) ?? { measure, label, values: times.map(() => 0) };
    lines.set(key, line);
    const place = places.get(atMs) ?? 0;
    const before = line.values[place] ?? 0;
    line.values[place] = measure === "lag" || measure === "memory" ? Math.max(before, value) : before + value;
  };
  for (const one of stored) {
    put(one.measure, one.label, one);
    if (one.measure === "connections") put("nodes", names.get(one.node) ?? one.node, one);
  }
  return [...lines.values()];
}

export const webhooks: Handler = async (call): Promise<Webhooks> => {
  const { webhooks: deliveries, redact, receivers } = call.services;
  const known = required(deliveries, "This server sends no webhooks: no app has any, or there is no database.");
  const app = idIn(call);
  const apps = call.services.apps().filter(({ id }) => app === undefined || id === app);
  const reports = await receivers.list(apps, await known.backlogs());
  const failed = await known.failed(limitOf(call, 100, MAX_ENTRIES), app);
  return {
    ...(await known.backlog()),
    nodesMissing: reports.nodesMissing,
    receivers: reports.receivers.map((receiver) => ({ ...receiver, target: shownTo(call, receiver.target) })),
    deliveries: failed.map(({ target, event, lastError, ...delivery }) => ({
      ...delivery,
      target: shownTo(call, target),
      payload: redact(event),
      ...(lastError !== undefined && { lastError: redact(lastError).text }),
    })),
  };
};

export const outboxes: Handler = (call): Promise<readonly OutboxEntry[]> => outboxesOf(call).list();

export const audit: Handler = async (call): Promise<readonly AuditEntry[]> => {
  const before = call.query.get("before");
  if (before !== null && !/^\d{1,15}$/.test(before)) throw new AdminError("input_invalid", "before has to be an id.");
  return call.services.audit.list(limitOf(call, 100, MAX_ENTRIES), before === null ? undefined : Number(before));
};

/** The right signature permits anything in the app: only admins, who can make a secret, see it. */
export const explain: Handler = (call): Explanation => {
  const question: Question = inputOf(call, QuestionSchema);
  const app = appOf(call);
  const others = call.services.apps().filter(({ id }) => id !== app.id);
  const asker = question.type === "channel" ? call.services.hub.connection(app, question.socketId) : undefined;
  const nearby = asker ? [...asker.channels()] : [];
  const { signature, ...rest } = call.services.explain(app, others, question, nearby);
  return hasRole(call.principal, "admin") && signature !== undefined ? { signature, ...rest } : rest;
};
