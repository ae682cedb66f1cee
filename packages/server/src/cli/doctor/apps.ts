/** Checks the mode and the apps: what is fine for a try and no good in production. */

import { demoAppFile, readDemoApp } from "../../config/demo-app.ts";
import type { Config } from "../../config/load.ts";
import type { App } from "../../domain/app.ts";
import { isEverywhere } from "../../server/system/machine.ts";
import { type Finding, findings } from "./finding.ts";

const { ok, warning, problem } = findings("apps");

const NEW_APP = "make one with `fanfare init`, or set PUSHER_APP_ID, PUSHER_APP_KEY and PUSHER_APP_SECRET";
const NEW_SECRET =
  "take a random one (`openssl rand -hex 20`); keep the old one in `secrets` until all back ends have the new";
const OWN_KEYS = "give it a key and a secret of its own; the demo page has shown these to everyone who opened it";

export async function checkApps(config: Config): Promise<Finding[]> {
  const { apps, mode, stateDir } = config;
  const isProduction = mode === "production";
  if (apps.length === 0 && isProduction) {
    return [problem("none is configured, and production makes no demo app", NEW_APP)];
  }
  if (apps.length === 0) return [ok("none is configured: the demo app is used"), modeFinding(config)];
  const demo = isProduction ? await readDemoApp(demoAppFile(stateDir)).catch(() => undefined) : undefined;
  const found = apps.flatMap((app, index) => [
    ...(demo && (app.key === demo.key || app.secrets.includes(demo.secret))
      ? [problem(`${app.id} has the key or the secret of the demo app, in production`, OWN_KEYS)]
      : []),
    ...app.secrets.flatMap((secret) => secretFindings(app, secret, isProduction)),
    ...switchFindings(app, isProduction),
    ...sharedSecrets(app, apps.slice(0, index)),
  ]);
  return [...(found.length > 0 ? found : [ok(apps.map(({ id }) => id).join(", "))]), modeFinding(config)];
}

function modeFinding({ mode, host }: Config): Finding {
  const found = findings("mode");
  if (mode === "production") return found.ok("production");
  const who = `everyone who can reach ${isEverywhere(host) ? "this machine" : host}`;
  return found.ok(`development: the demo page is shown to ${who}; set NODE_ENV=production to serve users`);
}

/** 16 random letters and digits are 95 bits. */
const MIN_SECRET_LENGTH = 16;
const MIN_CHARACTERS = 6;

function secretFindings({ id, key }: App, secret: string, isProduction: boolean): Finding[] {
  const weak = isProduction ? problem : warning;
  if (secret === key) return [problem(`the secret of ${id} is its key, which is public`, NEW_SECRET)];
  if (secret.length < MIN_SECRET_LENGTH) {
    return [weak(`a secret of ${id} has only ${secret.length} characters: it can be guessed`, NEW_SECRET)];
  }
  if (new Set(secret).size >= MIN_CHARACTERS) return [];
  return [weak(`a secret of ${id} is made of very few different characters`, NEW_SECRET)];
}

function switchFindings({ id, anonymous, enabled }: App, isProduction: boolean): Finding[] {
  const open = warning(
    `${id} lets anybody in without a token (anonymous)`,
    "turn `anonymous` off, unless that is meant",
  );
  const off = warning(`${id} is disabled and refuses all clients`, "turn `enabled` on, or remove the app");
  return [...(anonymous && isProduction ? [open] : []), ...(enabled ? [] : [off])];
}

function sharedSecrets(app: App, others: readonly App[]): Finding[] {
  const other = others.find(({ secrets }) => secrets.some((secret) => app.secrets.includes(secret)));
  if (other === undefined) return [];
  return [warning(`${other.id} and ${app.id} have the same secret: what one signs counts for the other`, NEW_SECRET)];
}
