/** Redis as Laravel's environment says where it is. */

import type { ConfigBuilder } from "../config-builder.ts";
import { describeValue } from "../config-error.ts";

type Values = Record<string, unknown>;

/** To be called when every source is laid. */
export function settleRedis(draft: ConfigBuilder): void {
  const redis: Values = Object(draft.values.redis);
  preferOwn(draft, redis);
  takeScheme(draft, redis);
  // Laravel's documentation has port 0 beside a socket.
  if (String(redis.host).startsWith("/") && redis.port === 0) forget(draft, redis, "port");
}

/** REDIS_URL is the application's, and goes before each part: not where the environment or a flag says which Redis is for this server. */
function preferOwn(draft: ConfigBuilder, redis: Values): void {
  if (draft.sources.get("redis.url") !== "REDIS_URL") return;
  const places = ["host", "cluster", "sentinels"].flatMap((key) => draft.sources.get(`redis.${key}`) ?? []);
  if (places.some((from) => /^(FANFARE_|SOKETI_|--)/.test(from))) forget(draft, redis, "url");
}

/** phpredis has the scheme in front of the host: `tls://redis.example`. */
function takeScheme(draft: ConfigBuilder, redis: Values): void {
  const from = draft.sources.get("redis.host");
  const [, scheme = "", rest = ""] = /^(tls|tcp|unix):\/\/([^\s:]+|\[[^\s\]]+\])$/i.exec(String(redis.host)) ?? [];
  if (from !== "REDIS_HOST" || rest === "") return;
  const isTls = scheme.toLowerCase() === "tls";
  if (isTls && redis.port === undefined) {
    const what = `${from} is ${describeValue(redis.host)}, which needs REDIS_PORT beside it`;
    draft.problems.push({ message: `${what}: servers with TLS have no usual port`, path: "redis.host" });
  }
  redis.host = rest;
  if (!isTls || redis.tls !== undefined) return;
  redis.tls = true;
  draft.sources.set("redis.tls", from);
}

function forget(draft: ConfigBuilder, redis: Values, key: string): void {
  delete redis[key];
  draft.sources.delete(`redis.${key}`);
}
