/** Calls about what was written down: statistics, webhooks, the audit log; and the explainer of signatures. */

import * as z from "zod/mini";
import { hasRole } from "../access.ts";
import { AdminError } from "../admin-error.ts";
import type { AuditEntry, Explanation, OutboxEntry, Point, Question, Series, Webhooks } from "../api-types.ts";
import { appOf, type Call, type Handler, idIn, inputOf, limitOf, outboxesOf, required } from "../call.ts";
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
    return series({ app, span, stepMs: 1000 }, seconds.series(app));
  }
  const numbers = required(services.statistics, "This server keeps no statistics: set database.url.");
  if (app === undefined) throw new AdminError("input_invalid", "app has to name an app, by its id.");
  const { stepMs, fromMs, toMs } = storedRange(call, numbers.intervalMs);
  return series({ app, span, stepMs }, await numbers.series({ app, span, fromMs, toMs }));
};

/** What is asked for of what is stored. Throws AdminError. */
export function storedRange(call: Call, intervalMs: number) {
  const span = StoredSpan.safeParse(call.query.get("span")).data;
  if (!span) throw new AdminError("input_invalid", "span has to be interval, hour or day.");
  const stepMs = span === "interval" ? intervalMs : STEPS[span];
  const toMs = timeIn(call, "to", call.services.hub.clock.wallMs());
  return { span, stepMs, fromMs: timeIn(call, "from", toMs - DEFAULT_SPANS_BACK * stepMs), toMs };
}

function series(
  of: { app: string | undefined; span: Series["span"]; stepMs: number },
  points: readonly Point[],
): Series {
  const { app, span, stepMs } = of;
  return { ...(app !== undefined && { app }), span, stepMs, points };
}

function timeIn({ query }: Call, name: string, initial: number): number {
  const text = query.get(name);
  if (text === null) return initial;
  if (!/^\d{1,15}$/.test(text)) throw new AdminError("input_invalid", `${name} has to be a time in Unix milliseconds.`);
  return Number(text);
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
