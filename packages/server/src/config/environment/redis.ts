/** Redis as Laravel's environment says where it is. */

import type { ConfigBuilder } from "../config-builder.ts";
import { describeValue } from "../config-error.ts";

/** To be called when every source is merged. */
export function completeRedis(builder: ConfigBuilder): void {
  const { sources, values } = builder;
  const redis: Record<string, unknown> = Object(values.redis);
  const forget = (key: string) => {
    delete redis[key];
    sources.delete(`redis.${key}`);
  };
  // REDIS_URL is the application's: it counts only where the environment and flags name no Redis for this server.
  const places = ["host", "cluster", "sentinels"].flatMap((key) => sources.get(`redis.${key}`) ?? []);
  const isNamed = places.some((source) => /^(FANFARE_|SOKETI_|--)/.test(source));
  if (isNamed && sources.get("redis.url") === "REDIS_URL") forget("url");
  if (sources.get("redis.host") === "REDIS_HOST") splitScheme(builder, redis);
  // Laravel's documentation has port 0 beside a socket.
  if (String(redis.host).startsWith("/") && redis.port === 0) forget("port");
}

/** phpredis has the scheme in front of the host: `tls://redis.example`. */
function splitScheme(builder: ConfigBuilder, redis: Record<string, unknown>): void {
  const [, scheme = "", host = ""] = /^(tls|tcp|unix):\/\/([^\s:]+|\[[^\s\]]+\])$/i.exec(String(redis.host)) ?? [];
  if (host === "") return;
  const isTls = scheme.toLowerCase() === "tls";
  if (isTls && redis.port === undefined) {
    const what = `REDIS_HOST is ${describeValue(redis.host)}, which needs REDIS_PORT beside it`;
    builder.refuse(`${what}: servers with TLS have no usual port`, "redis.host");
  }
  redis.host = host;
  if (isTls && redis.tls === undefined) builder.set("redis.tls", true, "REDIS_HOST");
}
