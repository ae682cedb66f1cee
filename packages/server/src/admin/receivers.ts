/** Receivers of webhooks and hooks, as all nodes together know them. */

import type { App } from "../domain/app.ts";
import { longestOf, type ReceiverBacklog, type ReceiverReport } from "../domain/receiver-report.ts";
import type { Hub } from "../hub/hub.ts";
import type { WebhookReceiver } from "./api-types.ts";

const TOPIC = "report receivers";

export class Receivers {
  readonly #hub: Hub;
  readonly #read: () => readonly ReceiverReport[];
  #end: (() => void) | undefined;

  /** `read` says how they answered this node. */
  constructor(hub: Hub, read: () => readonly ReceiverReport[]) {
    this.#hub = hub;
    this.#read = read;
  }

  /** After the hub. */
  start(): void {
    this.#end = this.#hub.nodeBus.handle(TOPIC, () => this.#read());
  }

  stop(): void {
    this.#end?.();
  }

  /** Of these apps. Throws CommandError `engine_unavailable` where no node can be asked. */
  async list(apps: readonly App[], backlogs: readonly ReceiverBacklog[]) {
    const { answers, missing: nodesMissing } = await this.#hub.nodeBus.askAll(TOPIC, {});
    // What came over the bus was made by the same code.
    const reports = (answers as readonly (readonly ReceiverReport[])[]).flat();
    const set = apps.flatMap(({ id: app, webhooks = [] }) => webhooks.map(({ url: target }) => ({ app, target })));
    const asked = new Set(apps.map(({ id }) => id));
    const named = [...set, ...backlogs, ...reports].filter(({ app }) => asked.has(app));
    const [backlogsOf, reportsOf] = [Map.groupBy(backlogs, keyOf), Map.groupBy(reports, keyOf)];
    const receivers = [...new Map(named.map((one) => [keyOf(one), one]))].map(([key, { app, target }]) => {
      return { app, target, ...countsOf(backlogsOf.get(key) ?? []), ...together(reportsOf.get(key) ?? []) };
    });
    return { receivers, nodesMissing };
  }
}

function keyOf({ app, target }: { readonly app: string; readonly target: string }): string {
  return `${app} ${target}`;
}

function countsOf(backlogs: readonly ReceiverBacklog[]): Pick<WebhookReceiver, "waiting" | "failed"> {
  const countOf = (state: string) => backlogs.find((one) => one.state === state)?.count ?? 0;
  return { waiting: countOf("waiting"), failed: countOf("failed") };
}

function together(reports: readonly ReceiverReport[]): Omit<WebhookReceiver, "app" | "target" | "waiting" | "failed"> {
  const sum = (of: "attempts" | "taken" | "perMinute") => reports.reduce((total, report) => total + report[of], 0);
  const p95Ms = quantileOf(
    reports.flatMap(({ durations }) => durations),
    0.95,
  );
  const [last] = reports.toSorted((one, other) => (other.lastAtMs ?? 0) - (one.lastAtMs ?? 0));
  return {
    ...{ attempts: sum("attempts"), taken: sum("taken"), perMinute: sum("perMinute") },
    ...(p95Ms !== undefined && { p95Ms }),
    ...(last?.lastAtMs !== undefined && { lastAtMs: last.lastAtMs }),
    ...(last?.lastStatus !== undefined && { lastStatus: last.lastStatus }),
    ...failing(reports, last),
    lately: addUp(reports.map(({ lately }) => lately)),
    isResting: reports.some(({ isResting }) => isResting),
  };
}

/** How long that part of the attempts took at most. Undefined without any. */
function quantileOf(durations: ReceiverReport["durations"], part: number): number | undefined {
  const wanted = durations.reduce((sum, [, count]) => sum + count, 0) * part;
  let counted = 0;
  for (const [durationClass, count] of durations.toSorted(([one], [other]) => one - other)) {
    counted += count;
    if (counted >= wanted) return longestOf(durationClass);
  }
  return undefined;
}

/** The node that asked it last knows whether it is well; the others, since when it is not. */
function failing(reports: readonly ReceiverReport[], last: ReceiverReport | undefined): { failingSinceMs?: number } {
  if (last?.failingSinceMs === undefined) return {};
  return { failingSinceMs: Math.min(...reports.flatMap(({ failingSinceMs }) => failingSinceMs ?? [])) };
}

function addUp(all: readonly ReceiverReport["lately"][]): WebhookReceiver["lately"] {
  const parts = Math.max(0, ...all.map(({ length }) => length));
  const sum = (at: number, of: 0 | 1) => all.reduce((total, lately) => total + (lately[at]?.[of] ?? 0), 0);
  return Array.from({ length: parts }, (_, at) => [sum(at, 0), sum(at, 1)] as const);
}
