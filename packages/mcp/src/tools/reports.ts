/** Tools about what was written down: counters, webhooks, the audit log; and what the doctor finds. */

import {
  type AppStatistics,
  type AuditEntry,
  addStatistics,
  latencyQuantileMs,
  noStatistics,
  type Point,
  type Series,
  type Webhooks,
} from "fanfare/wire/admin";
import { int, object, enum as oneOf } from "zod";
import { apiPath, ToolError } from "../admin-client.ts";
import * as input from "../input.ts";
import { type ToolSpec, tool } from "../tool.ts";

const MAX_POINTS = 60;
const MAX_ENTRIES = 100;

const statistics = tool({
  name: "statistics",
  title: "Counters and refusals",
  description:
    "Counters of an app, or of all: connections, messages and bytes in and out, API messages, refused subscriptions (subscribeFailures) and refused sign-ins (authFailures). " +
    "`second` is the last five minutes of the answering node; interval, hour and day are of the whole cluster, from the database. " +
    "Seconds say what was refused by its code, and of all apps how long deliveries took (latencyP99Ms). " +
    'Why each was refused: "tail_events" with the types refused and turned_away.',
  effect: "look",
  input: object({
    app: input.app,
    span: oneOf(["second", "interval", "hour", "day"]).default("second").describe("How long one point is."),
    points: int().min(0).max(MAX_POINTS).default(10).describe("How many of the latest points are listed."),
  }),
  run: async ({ app, span, points }, { admin }) => {
    // All apps together are counted by the second only.
    const id = app === undefined && span === "second" ? undefined : (await input.appIn(admin, app)).id;
    const series = await admin.get<Series>(apiPath(["statistics"], { app: id, span }));
    return summaryOf(series, points);
  },
});

/** Of numbers of connections a sum says nothing: the last and the largest do. */
function summaryOf({ points, ...series }: Series, shown: number) {
  const total: AppStatistics = points.reduce((sum: AppStatistics, point) => addStatistics(sum, point), noStatistics());
  const last = points.at(-1);
  return {
    ...series,
    count: points.length,
    total: {
      ...total,
      connections: last?.connections ?? 0,
      peakConnections: points.reduce((most, point) => Math.max(most, point.peakConnections), 0),
    },
    latest: shown === 0 ? [] : points.slice(-shown).map(datedPoint),
  };
}

function datedPoint({ atMs, latency, refused, ...counts }: Point) {
  const p99Ms = latency && latencyQuantileMs(latency, 0.99);
  return {
    at: new Date(atMs).toISOString(),
    ...withoutZeros({ ...counts }),
    ...(refused && { refused }),
    ...(p99Ms !== undefined && { latencyP99Ms: Math.round(p99Ms * 10) / 10 }),
  };
}

/** Most of them, most of the time. */
function withoutZeros(counts: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
}

const webhooks = tool({
  name: "webhooks",
  title: "Webhooks",
  description: "How many webhooks wait and since when, and those that no receiver took in time, with its answer.",
  effect: "look",
  input: object({ app: input.app, limit: input.limit(20, MAX_ENTRIES) }),
  run: async ({ app, limit }, { admin }) => {
    const id = app === undefined ? undefined : (await input.appIn(admin, app)).id;
    return admin.get<Webhooks>(apiPath(["webhooks"], { app: id, limit }));
  },
});

const auditLog = tool({
  name: "audit_log",
  title: "Audit log",
  description: "Who did what with the dashboard or by an agent, the latest first. Takes the role operate.",
  effect: "look",
  input: object({ limit: input.limit(20, MAX_ENTRIES) }),
  run: async ({ limit }, { admin }) => {
    const entries = await admin.get<readonly AuditEntry[]>(apiPath(["audit"], { limit }));
    return entries.map(({ atMs, ...entry }) => ({ at: new Date(atMs).toISOString(), ...entry }));
  },
});

const doctor = tool({
  name: "doctor",
  title: "Check of the configuration here",
  description:
    "Runs `fanfare doctor` in the folder of the configuration: settings, port, certificates, limit of open files, engine, secrets that can be guessed, clock. " +
    "Each finding says what to change.",
  effect: "look",
  input: object({}),
  run: async (_, { doctor }) => {
    if (doctor) return doctor();
    throw new ToolError(
      "this agent was given a server elsewhere (--url), whose configuration is not here: run `fanfare doctor` there",
    );
  },
});

export const REPORTS: readonly ToolSpec[] = [statistics, webhooks, auditLog, doctor];
