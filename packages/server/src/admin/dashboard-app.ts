/** The app that dashboards are clients of. Its id and key can be no configured app's: they begin with "#". */

import type { App } from "../domain/app.ts";

/** Whatever an app has beside what it is called and what it is signed with. */
type Defaults = Omit<App, "id" | "key" | "secrets" | "name" | "enabled" | "token" | "webhooks">;

const NAME = "#dashboard";
/** On one node. */
const MAX_CONNECTIONS = 200;
const MAX_WATCHED = 20;

/** Its secret opens nothing: clients connect with a ticket, and the HTTP API does not know the app. */
export function dashboardApp(defaults: Defaults): App {
  return {
    ...defaults,
    ...{ id: NAME, key: NAME, name: "the dashboard", enabled: true, secrets: [crypto.randomUUID()] },
    recovery: { ...defaults.recovery, enabled: false },
    ...{ clientEvents: false, subscriptionCounts: false, anonymous: false, requireTls: false },
    ...{ requireAuthentication: false, allowedOrigins: [], allowMissingOrigin: true, channels: [] },
    limits: {
      ...defaults.limits,
      ...{ connections: MAX_CONNECTIONS, channelsPerConnection: MAX_WATCHED, channelNameLength: 1000 },
      ...{ subscribesPerSecond: 50, framesPerSecond: 100, userIdLength: 128 },
    },
  };
}
