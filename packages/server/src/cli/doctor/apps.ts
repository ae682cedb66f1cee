/** Checks the mode and the apps: what is fine for a try and no good in production. */

import { demoAppFile, readDemoApp } from "../../config/demo-app.ts";
import type { Config } from "../../config/load.ts";
import type { App } from "../../domain/app.ts";
import { isEverywhere } from "../banner.ts";
import { type Finding, findings } from "./finding.ts";

const { ok, warning, problem } = findings("apps");

export async function checkApps(config: Config): Promise<Finding[]> {
  const { apps, mode, stateDir } = config;
  const isProduction = mode === "production";
  if (apps.length === 0 && isProduction) return [problem("none is configured, and production makes no demo app", MAKE)];
  if (apps.length === 0) return [ok("none is configured: the demo app is used"), modeFinding(config)];
  const demo = await readDemoApp(demoAppFile(stateDir)).catch(() => undefined);
  const found = apps.flatMap((app) => [
    ...(isProduction && demo !== undefined ? demoFindings(app, demo) : []),
    ...app.secrets.flatMap((secret) => secretFindings(app, secret, isProduction)),
    ...switchFindings(app, isProduction),
  ]);
  const all = [...found, ...sharedSecrets(apps)];
  return [...(all.length > 0 ? all : [ok(apps.map(({ id }) => id).join(", "))]), modeFinding(config)];
}

const MAKE = "make one with `fanfare init`, or set PUSHER_APP_ID, PUSHER_APP_KEY and PUSHER_APP_SECRET";

function modeFinding({ mode, host }: Config): Finding {
  const found = findings("mode");
  if (mode === "production") return found.ok("production");
  const reach = isEverywhere(host) ? "whoever reaches this machine" : `whoever reaches ${host}`;
  return found.ok(`development: the demo page is shown to ${reach}; set NODE_ENV=production to serve users`);
}

function demoFindings(app: App, demo: { readonly key: string; readonly secret: string }): Finding[] {
  if (app.key !== demo.key && !app.secrets.includes(demo.secret)) return [];
  const change = "give it a key and a secret of its own; the demo page has shown these to whoever opened it";
  return [problem(`${app.id} has the key or the secret of the demo app, in production`, change)];
}

/** 16 random letters and digits are 95 bits. */
const LEAST_SECRET = 16;
const NEW_SECRET =
  "take a random one (`openssl rand -hex 20`); keep the old one in `secrets` until all back ends have the new";

function secretFindings({ id, key }: App, secret: string, isProduction: boolean): Finding[] {
  const found = isProduction ? problem : warning;
  if (secret === key) return [problem(`the secret of ${id} is its key, which is public`, NEW_SECRET)];
  if (secret.length < LEAST_SECRET)
    return [found(`a secret of ${id} has only ${secret.length} characters: it can be guessed`, NEW_SECRET)];
  if (new Set(secret).size < 6)
    return [found(`a secret of ${id} is made of very few different characters`, NEW_SECRET)];
  return [];
}

function switchFindings(app: App, isProduction: boolean): Finding[] {
  const open = app.anonymous && isProduction;
  return [
    ...(open
      ? [warning(`${app.id} lets anybody in without a token (anonymous)`, "turn `anonymous` off, unless that is meant")]
      : []),
    ...(app.enabled
      ? []
      : [warning(`${app.id} is disabled and refuses everybody`, "turn `enabled` on, or take the app out")]),
  ];
}

function sharedSecrets(apps: readonly App[]): Finding[] {
  return apps.flatMap((app, index) => {
    const other = apps.slice(0, index).find(({ secrets }) => secrets.some((secret) => app.secrets.includes(secret)));
    if (other === undefined) return [];
    return [warning(`${other.id} and ${app.id} have the same secret: what one signs counts for the other`, NEW_SECRET)];
  });
}
