/** Hearing a channel without being in it: nobody is told of it, and no channel comes to life by it. */

import type { App } from "../domain/app.ts";
import type { EventPublication } from "../domain/message.ts";
import type { Tenants } from "./tenants.ts";

export type Listener = (publication: EventPublication) => void;

export async function listen(tenants: Tenants, app: App, name: string, listener: Listener): Promise<() => void> {
  const tenant = tenants.of(app);
  const audience = tenant.retain(name);
  const stop = () => {
    if (audience.listeners.delete(listener)) tenants.release(tenant, audience);
  };
  audience.listeners.add(listener);
  try {
    await audience.attached;
  } catch (error) {
    stop();
    throw error;
  }
  return stop;
}
