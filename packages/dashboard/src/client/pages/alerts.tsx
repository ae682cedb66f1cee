/** What is wrong at the moment, with the page where something can be done about it. */

import { type NodeEntry, OVERLOADED_LAG_MS, type Webhooks } from "fanfare/wire/admin";
import type { ComponentChildren } from "preact";
import { backlog, nodeName, nodeState, overview } from "../overview.ts";
import { Mark } from "../parts/small.tsx";
import { to } from "../route.ts";
import { count, plural } from "../show.ts";

interface Alert {
  readonly tone: "bad" | "warn";
  readonly says: ComponentChildren;
  readonly page: string;
  readonly params?: Readonly<Record<string, string>>;
  readonly verb: string;
}

const NODES = { page: "settings", params: { tab: "nodes" }, verb: "Open nodes" } as const;

export function Alerts() {
  const it = overview.value;
  const alerts = [
    ...(it ? engineAlerts(it.engine) : []),
    ...(it?.nodes ?? []).flatMap(nodeAlerts),
    ...webhookAlerts(backlog.value),
  ];
  if (alerts.length === 0) return null;
  return (
    <ul class="alerts" aria-label="What needs attention">
      {alerts.map(({ tone, says, page, params, verb }, index) => (
        <li key={index} class="alert">
          <Mark tone={tone}>{tone === "bad" ? "Problem" : "Warning"}</Mark>
          <span class="grow breakable">{says}</span>
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

function nodeAlerts(node: NodeEntry): Alert[] {
  const [tone, word] = nodeState(node);
  if (tone === "good") return [];
  const says = {
    silent: "has not been heard from for a while.",
    overloaded: `is overloaded: its event loop runs ${Math.round(node.lagMs)} ms late (limit ${OVERLOADED_LAG_MS} ms).`,
    draining: "drains: it takes no clients.",
  }[word];
  const sentence = (
    <>
      Node <strong>{nodeName(node.id)}</strong> {says}
    </>
  );
  return [{ tone, says: sentence, ...NODES }];
}

function webhookAlerts(webhooks: Webhooks | undefined): Alert[] {
  if (!webhooks || webhooks.failed === 0) return [];
  const says = `${plural(webhooks.failed, "webhook delivery", "webhook deliveries")} failed, ${count(webhooks.waiting)} wait.`;
  return [{ tone: "bad", says, page: "webhooks", verb: "Open webhooks" }];
}
