/** Redis in one line, as Redis clients and Laravel write it. */

export interface RedisAddress {
  /** A host without brackets, or the path of a Unix socket; empty where it is not said. */
  readonly host: string;
  readonly port?: number;
  readonly username?: string;
  readonly password?: string;
  readonly db?: number;
  readonly isTls: boolean;
}

/** `tcp:` is what Predis calls it, `tls:` phpredis. */
const SCHEMES: ReadonlyMap<string, boolean> = new Map([
  ["redis", false],
  ["tcp", false],
  ["rediss", true],
  ["tls", true],
  ["unix", false],
  ["redis+unix", false],
]);

/** What follows `//`: who, where, which database, and what Laravel says behind `?`. A password that was not encoded may hold any character. */
const PARTS =
  /^(?:(?<who>.*)@)?(?<host>\[[0-9a-f:.]+\]|[^\s/?#@:[\]]*)(?::(?<port>\d{1,5}))?(?:\/(?<db>\d*))?(?:\?(?<query>[^\s@]*))?$/i;
const SOCKET_PARTS = /^(?:(?<who>.*)@)?(?<host>\/[^\s?#]+)(?:\?(?<query>\S*))?$/;

/** Undefined where it is none. */
export function parseRedisUrl(url: string): RedisAddress | undefined {
  const [, scheme = "", rest = ""] = /^([a-z+]+):\/\/(\S*)$/i.exec(url) ?? [];
  const isTls = SCHEMES.get(scheme.toLowerCase());
  if (isTls === undefined) return undefined;
  const { groups } = (/unix$/i.test(scheme) ? SOCKET_PARTS : PARTS).exec(rest) ?? {};
  if (!groups) return undefined;
  const more = new URLSearchParams(groups.query ?? "");
  const colon = (groups.who ?? "").indexOf(":");
  const [user, secret] =
    colon < 0 ? [groups.who, undefined] : [groups.who?.slice(0, colon), groups.who?.slice(colon + 1)];
  const username = decoded(user) || more.get("username");
  const password = decoded(secret) || more.get("password");
  const db = groups.db || more.get("database") || more.get("db");
  const port = groups.port === undefined ? undefined : Number(groups.port);
  if ((port !== undefined && (port < 1 || port > 65_535)) || (db && !/^\d{1,6}$/.test(db))) return undefined;
  return {
    host: (groups.host ?? "").replace(/^\[|\]$/g, ""),
    isTls,
    ...(port !== undefined && { port }),
    ...(username && { username }),
    ...(password && { password }),
    ...(db && { db: Number(db) }),
  };
}

function decoded(text: string | undefined): string {
  try {
    return decodeURIComponent(text ?? "");
  } catch {
    return text ?? "";
  }
}
