/** What another configuration changes while the server runs, and who has to go for it. */

import type { AppDirectory } from "../../apps/app-directory.ts";
import type { Config } from "../../config/schema/schema.ts";
import { settings } from "../../config/settings.ts";
import type { App } from "../../domain/app.ts";
import type { Connection } from "../../domain/connection.ts";
import { Disconnect } from "../../domain/error.ts";
import { type Barrier, barred } from "../../guards/ip.ts";
import { spreadOf } from "../../hub/expiry.ts";
import type { Hub } from "../../hub/hub.ts";
import { standsOnOldKey } from "../../hub/signature.ts";

/** What came of a reload. */
export interface Reloaded {
  /** Settings, by their path, that are others now. */
  readonly applied: readonly string[];
  /** Settings that were changed and count only after a restart; until then the old ones do. */
  readonly needsRestart: readonly string[];
  readonly apps: AppChanges;
  /** Connections that had to go: of apps that were removed or disabled, or from addresses that may not come any more. */
  readonly closed: number;
}

/** Ids. */
export interface AppChanges {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

/** What counts at once. Whatever is not here needs a restart, so that no new setting is said to count when it does not. */
const RELOADABLE: readonly string[] = [
  "activityTimeoutS",
  "pongTimeoutS",
  "drainTimeoutS",
  "drainDelayS",
  "drainSpreadS",
  "cluster",
  "trustedProxies",
  "allowIps",
  "denyIps",
  "strictProtocol",
  "log.level",
  "tls",
  "limits.connections",
  "limits.memoryBytes",
  "limits.connectionsPerIp",
  "limits.connectionRatePerIp",
  "limits.httpBodyBytes",
  "limits.waitingCommands",
  "limits.waitingBytes",
  "limits.readerLagS",
  "http",
  "dashboard",
  "defaults",
  "apps",
];

export interface MergedConfig extends Pick<Reloaded, "applied" | "needsRestart"> {
  /** The new settings where they count at once, else the old ones. */
  readonly config: Config;
}

export function mergeReloadable(now: Config, wanted: Config): MergedConfig {
  const changed = settings
    .filter(({ kind, path }) => kind !== "object" && !Bun.deepEquals(valueAt(now, path), valueAt(wanted, path)))
    .map(({ path }) => path);
  const switchesTls = (now.tls === undefined) !== (wanted.tls === undefined);
  const countsAtOnce = (path: string) => {
    if (path.startsWith("tls.") && (switchesTls || path.startsWith("tls.api"))) return false;
    return RELOADABLE.some((one) => path === one || path.startsWith(`${one}.`));
  };
  const applied = changed.filter(countsAtOnce);
  const config = applied.reduce((mixed, path) => withValueAt(mixed, path.split("."), valueAt(wanted, path)), now);
  return { config, applied, needsRestart: changed.filter((path) => !countsAtOnce(path)) };
}

/** What is the same stays the very same, so that what is remembered of it is. */
export function appChanges(
  before: readonly App[],
  wanted: readonly App[],
): AppChanges & { readonly now: readonly App[] } {
  const known = new Map(before.map((app) => [app.id, app]));
  const now = wanted.map((app) => {
    const old = known.get(app.id);
    return old !== undefined && Bun.deepEquals(old, app) ? old : app;
  });
  const ids = new Set(wanted.map(({ id }) => id));
  return {
    now,
    added: now.filter(({ id }) => !known.has(id)).map(({ id }) => id),
    removed: before.filter(({ id }) => !ids.has(id)).map(({ id }) => id),
    changed: now.filter((app) => known.has(app.id) && known.get(app.id) !== app).map(({ id }) => id),
  };
}

/** Gives the connection its app as it is now; says why it has to go, where it has. */
export function disconnectReason(
  connection: Connection,
  apps: Pick<AppDirectory, "current" | "hasKey">,
  barrier: Barrier | undefined,
): Disconnect | undefined {
  const { app: before, address } = connection;
  const app = apps.current(before);
  if (!app) {
    // It may come back: the key that it connects by is still there.
    if (apps.hasKey(before.key)) return new Disconnect("shutdown", "The app has another id now; connect again.");
    return new Disconnect("app_unknown", "The app is not on this server any more.");
  }
  connection.app = app;
  connection.checkAtMs = 0;
  if (!app.enabled) return new Disconnect("app_disabled", "The app is disabled.");
  if (standsOnOldKey(connection, app)) {
    const message =
      "What permits this connection was made with a secret that the app does not have any more: get another.";
    return new Disconnect("proof_outdated", message, spreadOf(connection, OLD_KEY_SPREAD_MS));
  }
  const setting = barrier?.(address);
  return setting && new Disconnect("unauthorized", barred(setting));
}

/** When a secret is replaced, those who stand on the old one go at once, and come back over so long. */
const OLD_KEY_SPREAD_MS = 4_000;

/** After so many, other work has a turn. */
const SLICE = 500;

/** Resolves with how many had to go. */
export async function disconnectRejected(
  hub: Pick<Hub, "disconnect">,
  connections: readonly Connection[],
  verdict: (connection: Connection) => Disconnect | undefined,
): Promise<number> {
  let closed = 0;
  for (const connection of connections) {
    const why = connection.closed ? undefined : verdict(connection);
    if (!why) continue;
    hub.disconnect(connection, why);
    if (++closed % SLICE === 0) await Bun.sleep(1);
  }
  return closed;
}

function valueAt(values: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((value, key) => {
    if (typeof value !== "object" || value === null) return undefined;
    return Object.getOwnPropertyDescriptor(value, key)?.value;
  }, values);
}

/** A copy with that value in that place; without it where there is none. */
function withValueAt<T>(values: T, [key, ...rest]: readonly string[], value: unknown): T {
  if (key === undefined) return values;
  const { [key]: inner, ...others } = Object.fromEntries(Object.entries(Object(values)));
  const fresh = rest.length === 0 ? value : withValueAt(inner ?? {}, rest, value);
  return Object.assign(others, fresh === undefined ? {} : { [key]: fresh }) as T;
}
