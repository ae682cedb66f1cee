/** What is wrong at the moment, with the page where something can be done about it. */

import { type NodeEntry, OVERLOADED_LAG_MS, type Webhooks } from "fanfare/wire/admin";
import type { ComponentChildren } from "preact";
import { backlog, nodeName, nodeState, overview } from "../overview.ts";
import { Icon } from "../parts/icon.tsx";
import { Since } from "../parts/small.tsx";
import { to } from "../route.ts";
import { count, plural } from "../show.ts";
import { isFailing, shortTarget } from "./receivers.ts";

interface Alert {
  readonly tone: "bad" | "warn";
  readonly says: ComponentChildren;
  readonly sinceMs?: number | undefined;
  readonly page: string;
  readonly params?: Readonly<Record<string, string>>;
  readonly verb: string;
}

const NODES = { page: "settings", params: { tab: "nodes" }, verb: "Open nodes" } as const;

export function Alerts() {
  const it = overview.value;
  const alerts = [
    ...(it ? engineAlerts(it.engine) : []),
    ...nodeAlerts(it?.nodes ?? []),
    ...webhookAlerts(backlog.value),
  ];
  if (alerts.length === 0) return null;
  return (
    <ul class="alerts" aria-label="What needs attention">
      {alerts.map(({ tone, says, sinceMs, page, params, verb }, index) => (
        <li key={index} class="alert">
          <span class={`${tone}-text`}>
            <Icon name={tone === "bad" ? "err" : "warn"} />
            <span class="unseen">{tone === "bad" ? "Problem:" : "Warning:"}</span>
          </span>
          <span class="grow breakable">{says}</span>
          {sinceMs !== undefined && (
            <span class="soft when">
              for <Since atMs={sinceMs} />
            </span>
          )}
          <a class="button" href={to(page, params)}>
            {verb}
          </a>
        </li>
      ))}
    </ul>
  );
}

function engineAlerts(engine: NonNullable<typeof overview.value>["engine"]): Alert[] {
  if (engine.reachable) return [];
  return [{ tone: "bad", says: `The engine is unreachable: ${engine.why}`, ...NODES }];
}

/** One for all that are the same. */
function nodeAlerts(nodes: readonly NodeEntry[]): Alert[] {
  return [...Map.groupBy(nodes, (node) => nodeState(node)[1])].flatMap(([word, alike]) => {
    const [first] = alike;
    if (!first || word === "up") return [];
    const [tone] = nodeState(first);
    if (tone === "good") return [];
    const isOne = alike.length === 1;
    const names = alike.map(({ id }) => nodeName(id)).join(", ");
    const lateMs = alike.map(({ lagMs }) => Math.round(lagMs));
    const [least, most] = [Math.min(...lateMs), Math.max(...lateMs)];
    const late = least === most ? String(most) : `${least} to ${most}`;
    const says = {
      silent: isOne ? "has not been heard from for a while." : "have not been heard from for a while.",
      overloaded: isOne
        ? `is overloaded: its event loop runs ${late} ms late (limit ${OVERLOADED_LAG_MS} ms).`
        : `are overloaded: their event loops run ${late} ms late (limit ${OVERLOADED_LAG_MS} ms).`,
      draining: isOne ? "drains: it takes no clients." : "drain: they take no clients.",
    }[word];
    const sentence = (
      <>
        {isOne ? "Node" : "Nodes"} <strong>{names}</strong> {says}
      </>
    );
    return [{ tone, says: sentence, ...NODES }];
  });
}

/** Each receiver that does not take what it is sent; and what failed for good, of whomever. */
function webhookAlerts(webhooks: Webhooks | undefined): Alert[] {
  if (!webhooks) return [];
  const failing = webhooks.receivers.filter(isFailing);
  const told = failing.map((receiver): Alert => {
    const { target, lastStatus, waiting, failed, failingSinceMs } = receiver;
    const backlog = [
      `${plural(waiting, "delivery waits", "deliveries wait")}`,
      failed > 0 && `${count(failed)} ${failed === 1 ? "has" : "have"} failed`,
    ];
    const says = (
      <>
        Webhook receiver <strong>{shortTarget(target)}</strong>{" "}
        {lastStatus === undefined ? "does not answer." : `answers ${lastStatus}.`} {backlog.filter(Boolean).join(", ")}.
      </>
    );
    return { tone: "bad", says, sinceMs: failingSinceMs, page: "webhooks", verb: "Open webhooks" };
  });
  const elsewhere = webhooks.failed - failing.reduce((sum, { failed }) => sum + failed, 0);
  if (elsewhere <= 0) return told;
  const says = `${plural(elsewhere, "webhook delivery", "webhook deliveries")} failed, ${count(webhooks.waiting)} wait.`;
  return [...told, { tone: "bad", says, page: "webhooks", verb: "Open webhooks" }];
}
