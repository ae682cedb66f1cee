/** The dashboard and the alert rules: promtool reads every expression, and a real server has every metric in them. */

import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { external } from "../support/external.ts";
import { scrape } from "../support/metrics.ts";
import { trigger } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { startWorkers } from "../support/workers.ts";
import { DEPLOY } from "./proxy.ts";

setDefaultTimeout(60_000);

const Dashboard = z.object({
  panels: z.array(
    z.object({
      id: z.number(),
      type: z.enum(["row", "stat", "timeseries"]),
      title: z.string().min(1),
      gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
      targets: z.array(z.object({ expr: z.string() })).optional(),
    }),
  ),
  templating: z.object({ list: z.array(z.object({ name: z.string() })) }),
});

const dashboard = Dashboard.parse(await Bun.file(join(DEPLOY, "grafana-dashboard.json")).json());
const alerts = await Bun.file(join(DEPLOY, "alerts.yml")).text();
const asked = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
/** Metrics that come with the first event of their kind. */
const families = new Map<string, string>();

beforeAll(async () => {
  const { url } = await startWorkers();
  await trigger(url, APP, { name: "n", channel: "c", data: "x" });
  await scrape(url);
  const text = await (await fetch(`${url}/metrics`)).text();
  for (const [, name = "", type = ""] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    families.set(name, type);
    if (type === "histogram") families.set(`${name}_bucket`, type);
  }
  expect(promtool(["check", "metrics"], text)).not.toContain("error while linting");
});

test("promtool takes the rules and the scrape configuration", () => {
  expect(promtool(["check", "rules", join(DEPLOY, "alerts.yml")])).toContain("SUCCESS");
  expect(promtool(["check", "config", join(DEPLOY, "prometheus.yml")])).toContain("SUCCESS");
});

test("promtool takes every expression of the dashboard", () => {
  // As recording rules: there is no command that checks a single expression without asking a server.
  const rules = asked.map((expr, at) => ({ record: `panel:${at}`, expr: resolved(expr) }));
  const file = join(temporaryFolder(), "panels.yml");
  writeFileSync(file, JSON.stringify({ groups: [{ name: "panels", rules }] }));
  expect(promtool(["check", "rules", file])).toContain(`${asked.length} rules found`);
});

test("the dashboard asks for what it promises, and no panel lies on another", () => {
  const titles = dashboard.panels.map(({ title }) => title).join(", ");
  for (const word of ["Connections", "Deliveries", "p99", "refused", "lag", "Memory", "Outbox", "Engine"]) {
    expect(titles).toContain(word);
  }
  const used = new Set(asked.flatMap((expr) => Array.from(expr.matchAll(/\$(?:\{)?(\w+)/g), ([, name]) => name)));
  const variables = new Set(dashboard.templating.list.map(({ name }) => name));
  expect([...used].filter((name) => name !== "__rate_interval" && !variables.has(name ?? ""))).toEqual([]);
  const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, at) => `${x + (at % w)},${y + Math.floor(at / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
});

test("every metric in the dashboard and in the rules is one that a real server has", () => {
  const rules = Array.from(alerts.matchAll(/^ +expr: ((?:\|\n(?: {10}.*\n)+)|.*)/gm), ([, expr = ""]) => expr);
  expect(rules.length).toBeGreaterThan(12);
  for (const expr of [...asked, ...rules]) {
    const names = expr.match(/\b(fanfare|process|nodejs|soketi)_\w+/g) ?? [];
    if (!expr.startsWith("up{")) expect([expr, names.length]).not.toEqual([expr, 0]);
    expect([expr, names.filter((name) => !families.has(name))]).toEqual([expr, []]);
  }
});

test("a rule wakes somebody when the engine is away, and nobody when it is there", () => {
  const series = (values: string) => ({ series: 'fanfare_engine_up{instance="a:9501",worker="0"}', values });
  const test = (values: string, exp_alerts: readonly object[]) => ({
    interval: "15s",
    input_series: [series(values)],
    alert_rule_test: [{ eval_time: "5m", alertname: "FanfareEngineDown", exp_alerts }],
  });
  const fired = {
    exp_labels: { severity: "critical", instance: "a:9501" },
    exp_annotations: {
      summary: "a:9501 does not reach its engine.",
      description: "Publications are refused with 503 after `publishWaitS`. Connections stay.",
    },
  };
  const file = join(temporaryFolder(), "unit.yml");
  const tests = [test("1x30", []), test("1x10 0x30", [fired])];
  writeFileSync(file, JSON.stringify({ rule_files: [join(DEPLOY, "alerts.yml")], tests }));
  expect(promtool(["test", "rules", file])).toContain("SUCCESS");
});

/** As Grafana would fill it in. */
function resolved(expr: string): string {
  return expr.replaceAll("$__rate_interval", "1m").replaceAll("$job", "fanfare").replaceAll("$instance", ".*");
}

function promtool(args: readonly string[], input = ""): string {
  const { stdout, stderr } = Bun.spawnSync([external("promtool"), ...args], { stdin: Buffer.from(input) });
  return `${stdout}${stderr}`;
}
