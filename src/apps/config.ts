/** The apps that are written in the configuration. */

import type { App } from "../domain/app.ts";
import type { AppStore } from "../domain/ports.ts";

export function configApps(apps: readonly App[]): AppStore {
  const byKey = new Map(apps.map((app) => [app.key, app]));
  const byId = new Map(apps.map((app) => [app.id, app]));
  return { byKey: (key) => byKey.get(key), byId: (id) => byId.get(id) };
}
