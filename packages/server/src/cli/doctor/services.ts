/** Checks what the server needs elsewhere, as it would reach it itself: the engine between its nodes, back ends with hooks, and outboxes. */

import { HookClient } from "../../backend/hook-client.ts";
import { errorReason } from "../../config/config-error.ts";
import type { Config } from "../../config/load.ts";
import { type App, HOOK_NAMES } from "../../domain/app.ts";
import type { Engine } from "../../domain/ports.ts";
import { messageOf } from "../../domain/thrown.ts";
import { sourceSettings } from "../../outbox/outboxes.ts";
import { OutboxSource } from "../../outbox/source.ts";
import { createClusterEngine } from "../../server/cluster/create-engine.ts";
import { hookSettings } from "../../server/hook-settings.ts";
import { machineClock } from "../../server/system/machine-clock.ts";
import { plural } from "../output.ts";
import { type Finding, findings } from "./finding.ts";

const LOOK = "doctor";

/** The Redis or NATS that nodes share. */
export async function checkEngine(config: Config): Promise<Finding[]> {
  const { ok, warning, problem } = findings("engine");
  const warnings: string[] = [];
  let engine: Engine | undefined;
  try {
    engine = await createClusterEngine({ config, clock: machineClock, warn: (sentence) => warnings.push(sentence) });
  } catch (error) {
    return [problem(errorReason(error), `see the settings below \`${config.engine}\``)];
  }
  if (!engine) return [ok(config.workers > 1 ? `memory, shared by ${config.workers} workers` : "memory, one process")];
  const { engine: name } = config;
  try {
    await engine.start({
      receive: () => {},
      interrupted: () => {},
      registryChanged: () => {},
      failed: () => {},
      // A look does not make it a node that clients could be sent to.
      report: () => ({ id: LOOK, name: LOOK, startedAtMs: Date.now(), connections: 0, lagMs: 0, draining: true }),
    });
    const health = engine.health();
    if (!health.reachable) return [problem(health.why, `see the settings below \`${name}\`, and whether it runs`)];
    const nodes = (await engine.nodes()).filter(({ id }) => id !== LOOK);
    const change = "docs/operating.md, several machines, says what it has to be";
    return [
      ok(`${name} can be reached; ${nodes.length} nodes`),
      ...warnings.map((sentence) => warning(sentence, change)),
    ];
  } finally {
    await engine.close();
  }
}

const HOOK_CHANGE =
  'answer {"hook":"ping"} with 204 where its signature is right; docs/hooks.md says how it is checked';

/** Each address is sent a signed ping, as the server would ask it. */
export async function checkHooks(config: Config): Promise<Finding[]> {
  const client = new HookClient({
    ...{ clock: machineClock, random: Math.random, version: "doctor", settings: hookSettings(config) },
    answered: () => {},
    turned: () => {},
  });
  try {
    const asked = config.apps.flatMap((app) => addressesOf(app).map((url) => ping(client, app, url)));
    return await Promise.all(asked);
  } finally {
    client.close();
  }
}

function addressesOf({ hooks }: App): string[] {
  const all = hooks ? [hooks.url, ...HOOK_NAMES.map((name) => hooks[name]?.url)] : [];
  return [...new Set(all.flatMap((url) => url ?? []))];
}

async function ping(client: HookClient, app: App, url: string): Promise<Finding> {
  const { ok, problem } = findings("hooks");
  // Each address for itself, whichever hook it is for.
  const asked = { ...app, id: `${app.id} ${url}`, hooks: app.hooks && { ...app.hooks, url } };
  const where = `${URL.parse(url)?.host ?? url}, the back end of ${app.id}`;
  try {
    await client.ask({ app: asked as App, hook: "ping", body: "", forwarded: {} });
    return ok(`${where}, answers`);
  } catch (error) {
    const detail = (error as { readonly detail?: string }).detail ?? (error as Error).message;
    return problem(`${where}: ${detail}`, HOOK_CHANGE);
  }
}

const MOST_LISTED = 1_000;

/** Whether the server can read and change the tables. */
export function checkOutboxes({ outbox }: Config): Promise<Finding[]> {
  return Promise.all(outbox.map((settings) => checkOutbox(sourceSettings(settings))));
}

async function checkOutbox(settings: ReturnType<typeof sourceSettings>): Promise<Finding> {
  const { ok, warning, problem } = findings("outbox");
  const { name, table } = settings;
  await using source = await OutboxSource.open(settings);
  try {
    await source.checkAccess();
    const failed = await source.failed(MOST_LISTED);
    if (failed.length === 0) return ok(`${name}: ${table} in ${source.place} can be read and changed`);
    return warning(
      `${name}: ${plural(failed.length, "row")} of ${table} cannot be published`,
      "`fanfare outbox failed` says why",
    );
  } catch (error) {
    const change = "`fanfare outbox migrate` makes the table; docs/outbox.md says what its role has to be allowed";
    return problem(`${name}: ${table} in ${source.place} cannot be used: ${messageOf(error)}`, change);
  }
}
