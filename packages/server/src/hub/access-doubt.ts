/** A node that is cut off does not hear who may no longer stay. After a time, if one is set, it lets go whom it cannot vouch for. */

import { type App, isReserved } from "../domain/app.ts";
import type { Connection } from "../domain/connection.ts";
import { Disconnect } from "../domain/error.ts";
import type { EngineHealth } from "../domain/ports.ts";

/** As the hub is. */
interface Host {
  readonly health: EngineHealth;
  readonly limits: { readonly accessDoubtS?: number };
  connections(app?: Pick<App, "id">): Iterable<Connection>;
  disconnect(connection: Connection, why: Disconnect): void;
}

/** Ends those that are signed in or in private channels, once the engine has been away for longer. Call it every second or two. */
export function endDoubtful(hub: Host): void {
  const { health, limits } = hub;
  if (limits.accessDoubtS === undefined || health.reachable || health.sinceMs < limits.accessDoubtS * 1000) return;
  const message = `This server has been cut off for ${limits.accessDoubtS} s, and cannot say whether this client may stay (accessDoubtS).`;
  for (const connection of [...hub.connections()]) {
    if (connection.isAuthenticated && !isReserved(connection.app)) {
      hub.disconnect(connection, new Disconnect("engine_unavailable", message));
    }
  }
}
