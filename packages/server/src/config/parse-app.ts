/** One app by itself, for those who keep their apps elsewhere than in the configuration. */

import type { App } from "../domain/app.ts";
import { ConfigError } from "./config-error.ts";
import { type ConfigInput, parseConfig } from "./load.ts";
import type { AppDefaults } from "./schema/schema.ts";

export type AppInput = NonNullable<ConfigInput["apps"]>[number];

/** The app with what it does not say taken from `defaults`. Throws ConfigError, one line for each problem. */
export function parseApp(input: unknown, defaults: AppDefaults): App {
  const [app] = parseConfig({ apps: [input], defaults }).apps;
  if (!app) throw new ConfigError(["an app has to be an object"]);
  return app;
}
