/** The compose files as compose itself reads them. No container is started. */

import { join } from "node:path";
import { external } from "../support/external.ts";
import { DEPLOY } from "./proxy.ts";

export const APP = { id: "shop", key: "shop-key", secret: "change-me" };
/** What the compose files want from whoever starts them. */
export const ENV = {
  ...{ PUSHER_APP_ID: APP.id, PUSHER_APP_KEY: APP.key, PUSHER_APP_SECRET: APP.secret },
  ...{ REVERB_APP_ID: APP.id, REVERB_APP_KEY: APP.key, REVERB_APP_SECRET: APP.secret },
  ...{ FANFARE_DASHBOARD_PASSWORD: "a password of the dashboard", GRAFANA_PASSWORD: "another" },
};

export interface Service {
  readonly image: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Compose 1 prints the short form, compose 2 the long one. */
  readonly volumes?: readonly (string | { readonly source: string; readonly target: string })[];
  readonly ports?: readonly (string | { readonly published: number | string; readonly target: number })[];
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
}

/** As compose reads them, one over the other, with the variables filled in. */
export function compose(files: readonly string[], env: Readonly<Record<string, string>> = ENV) {
  const args = files.flatMap((file) => ["-f", join(DEPLOY, file)]);
  const program = external("docker-compose");
  const { exitCode, stdout, stderr } = Bun.spawnSync([program, ...args, "config"], { env: { ...process.env, ...env } });
  return { exitCode, stderr: String(stderr), ...(Bun.YAML.parse(String(stdout)) as Compose) };
}
