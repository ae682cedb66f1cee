/** Where Redis is, and how this server talks to it; read where `engine` is "redis". */

import { parseRedisUrl } from "../redis-url.ts";
import {
  boolean,
  fileName,
  host,
  integer,
  list,
  optional,
  seconds,
  section,
  text,
  textThat,
  withDefault,
} from "./fields.ts";

function hostPorts(description: string) {
  const one = text("The address of one server.", {
    pattern: /^(\[[0-9A-Fa-f:.]+\]|[^\s:/]+):\d{1,5}$/,
    expects: 'a host and a port, such as "10.0.0.5:26379"',
  });
  return list(description, one, "a list of hosts with ports").apply(withDefault, []);
}

export const redis = section('Redis, where `engine` is "redis".', {
  url: textThat((url) => parseRedisUrl(url) !== undefined, {
    description:
      "Redis in one line, `redis://user:password@host:port/db`, `rediss://` for TLS, `unix:///path` for a Unix socket; takes precedence over the settings for each part.",
    expects:
      "an address such as redis://user:password@host:6379/0, which may begin with rediss://, tcp://, tls:// or unix:// as well",
    secret: true,
  }).apply(optional),
  host: host("Host of a server on its own, or its Unix socket.").apply(withDefault, "127.0.0.1"),
  port: integer("Port of a server on its own.", 1, 65_535).apply(withDefault, 6379),
  username: text("User of Redis's access control lists.").apply(optional),
  password: text("Password of the user, or of the server where there are no users.", { secret: true }).apply(optional),
  db: integer("Number of the database; a cluster has only 0.", 0, 1_000_000).apply(withDefault, 0),
  tls: boolean("Talk to Redis by TLS.").apply(withDefault, false),
  caFile: fileName(
    "File with the certificate authority of Redis's certificate (PEM), where the system does not know it.",
  ).apply(optional),
  sentinels: hostPorts("Sentinels that say which server is the master; `host` and `port` are then not used."),
  sentinelMaster: text("What the sentinels call the master.", {
    pattern: /^\S+$/,
    expects: "text without spaces",
  }).apply(withDefault, "mymaster"),
  sentinelPassword: text("Password of the sentinels.", { secret: true }).apply(optional),
  cluster: hostPorts("Some servers of a Redis Cluster, which know the others; `host` and `port` are then not used."),
  prefix: text("Begins every key and every channel of Redis that this server uses.", {
    pattern: /^[-A-Za-z0-9_.:]{1,64}$/,
    expects: 'text of up to 64 letters, digits, "-", "_", "." and ":"',
  }).apply(withDefault, "fanfare"),
  connectTimeoutS: seconds("Time a connection to Redis may take, in seconds.", 0.05).apply(withDefault, 2),
  commandTimeoutS: seconds(
    "Time an answer of Redis may take, in seconds; then the connection is closed and made anew.",
    0.05,
  ).apply(withDefault, 1.5),
  reconnectMaxS: seconds(
    "Longest pause between attempts to reach Redis, in seconds. When it is back, publications wait that long for the other nodes.",
    0.05,
  ).apply(withDefault, 0.5),
});
