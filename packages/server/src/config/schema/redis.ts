/** Where Redis is, and how this server talks to it; read where `engine` is "redis". */

import { z } from "zod";
import { parseRedisUrl } from "../redis-url.ts";
import { boolean, host, integer, optionalText, seconds, settingInfo, text } from "./fields.ts";

const list = { parse: "json" } as const;

function places(says: string) {
  const expects = 'a host and a port, such as "10.0.0.5:26379"';
  const one = z
    .string()
    .regex(/^(\[[0-9A-Fa-f:.]+\]|[^\s:/]+):\d{1,5}$/)
    .register(settingInfo, { description: "One of them.", expects: expects, parse: "text" });
  return z
    .array(one)
    .default([])
    .register(settingInfo, { ...list, description: says, expects: "a list of hosts with ports" });
}

export const redis = z
  .strictObject({
    url: z
      .string()
      .refine((url) => parseRedisUrl(url) !== undefined)
      .exactOptional()
      .register(settingInfo, {
        description:
          "Redis in one line, `redis://user:password@host:port/db`, `rediss://` for TLS, `unix:///path` for a Unix socket; goes before the settings for each part.",
        expects:
          "an address such as redis://user:password@host:6379/0, which may begin with rediss://, tcp://, tls:// or unix:// as well",
        parse: "text",
        secret: true,
        aliases: ["REDIS_URL"],
      }),
    host: host("Host of a server on its own, or its Unix socket.", "127.0.0.1", { aliases: ["REDIS_HOST"] }),
    port: integer("Its port.", 6379, 1, 65_535, { aliases: ["REDIS_PORT"] }),
    username: optionalText("User of Redis's access control lists.", { aliases: ["REDIS_USERNAME"] }),
    password: optionalText("Password of the user, or of the server where there are no users.", {
      secret: true,
      aliases: ["REDIS_PASSWORD"],
    }),
    db: integer("Number of the database; a cluster has only 0.", 0, 0, 1_000_000, { aliases: ["REDIS_DB"] }),
    tls: boolean("Talk to Redis by TLS.", false),
    caFile: optionalText(
      "File with the certificate authority of Redis's certificate (PEM), where the system does not know it.",
      {
        expects: "the name of a file",
      },
    ),
    sentinels: places("Sentinels that say which server is the master; then `host` and `port` say nothing."),
    sentinelMaster: text("What the sentinels call the master.", "mymaster", {
      pattern: /^\S+$/,
      expects: "text without spaces",
    }),
    sentinelPassword: optionalText("Password of the sentinels.", { secret: true }),
    cluster: places("Some servers of a Redis Cluster, which know the others; then `host` and `port` say nothing."),
    prefix: text("Begins every key and every channel of Redis that this server uses.", "fanfare", {
      pattern: /^[-A-Za-z0-9_.:]{1,64}$/,
      expects: 'text of up to 64 letters, digits, "-", "_", "." and ":"',
    }),
    connectTimeoutS: seconds("Time a connection to Redis may take, in seconds.", 2, 0.05),
    commandTimeoutS: seconds(
      "Time an answer of Redis may take, in seconds; then the connection is given up and made anew.",
      1.5,
      0.05,
    ),
    reconnectMaxS: seconds(
      "Longest pause between attempts to reach Redis, in seconds. When it is back, publications wait that long for the other nodes.",
      0.5,
      0.05,
    ),
  })
  .prefault({})
  .register(settingInfo, { ...list, description: 'Redis, where `engine` is "redis".', expects: "an object" });
