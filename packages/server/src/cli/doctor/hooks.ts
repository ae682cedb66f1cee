/** Checks the back ends of apps with hooks: each address is sent a signed ping, as the server would ask it. */

import { HookClient } from "../../backend/hook-client.ts";
import type { Config } from "../../config/load.ts";
import { type App, HOOK_NAMES } from "../../domain/app.ts";
import { hookSettings } from "../../server/hook-settings.ts";
import { machineClock } from "../../server/system/machine-clock.ts";
import { type Finding, findings } from "./finding.ts";

const { ok, problem } = findings("hooks");

const CHANGE = 'answer {"hook":"ping"} with 204 where its signature is right; docs/hooks.md says how it is checked';

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
  // Each address for itself, whichever hook it is for.
  const asked = { ...app, id: `${app.id} ${url}`, hooks: app.hooks && { ...app.hooks, url } };
  const where = `${URL.parse(url)?.host ?? url}, the back end of ${app.id}`;
  try {
    await client.ask({ app: asked as App, hook: "ping", body: "", forwarded: {} });
    return ok(`${where}, answers`);
  } catch (error) {
    const detail = (error as { readonly detail?: string }).detail ?? (error as Error).message;
    return problem(`${where}: ${detail}`, CHANGE);
  }
}
