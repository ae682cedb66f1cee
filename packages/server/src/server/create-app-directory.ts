/** The apps of one process of a server; where the program's answer about one changes, the connections follow. */

import { AppDirectory } from "../apps/app-directory.ts";
import { ProvidedApps } from "../apps/provided-apps.ts";
import type { App } from "../domain/app.ts";
import type { Hub } from "../hub/hub.ts";
import { disconnectReason, disconnectRejected } from "./lifecycle/reload.ts";
import type { Dependencies } from "./parts.ts";

export function createAppDirectory({ config, clock, given }: Dependencies, hub: () => Hub): AppDirectory {
  if (!given.apps) return new AppDirectory(config);
  const provided = new ProvidedApps({
    provider: given.apps,
    clock,
    changed: (id, app) => void follow(hub(), directory, id, app),
    failed: (error, during) => hub().observe({ type: "failed", error, during }),
  });
  const directory = new AppDirectory(config, provided);
  return directory;
}

async function follow(hub: Hub, directory: AppDirectory, id: string, app: App | undefined): Promise<void> {
  if (app) hub.replaceApp(app);
  const connections = [...hub.connections()].filter((connection) => connection.app.id === id);
  await disconnectRejected(hub, connections, (connection) => disconnectReason(connection, directory, undefined));
}
