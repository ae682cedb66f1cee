/** The apps that are written in the configuration. */

import type { App } from "../domain/app.ts";
import type { AppStore } from "../domain/ports.ts";

export interface ConfigApps extends AppStore {
  byKey(key: string): App | undefined;
  byId(id: string): App | undefined;
  /** These from now on, for whoever asks next. */
  replace(apps: readonly App[]): void;
}

export function configApps(initial: readonly App[]): ConfigApps {
  let { byKey, byId } = indexed(initial);
  return {
    byKey: (key) => byKey.get(key),
    byId: (id) => byId.get(id),
    replace(apps) {
      ({ byKey, byId } = indexed(apps));
    },
  };
}

function indexed(apps: readonly App[]) {
  const byKey: ReadonlyMap<string, App> = new Map(apps.map((app) => [app.key, app]));
  const byId: ReadonlyMap<string, App> = new Map(apps.map((app) => [app.id, app]));
  return { byKey, byId };
}
