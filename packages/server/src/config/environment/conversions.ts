/** How a value that another server understands becomes the one that the setting takes. */

import { parseBoolean, parseJson, parseNumber, Unparseable } from "../parse-value.ts";

export interface Conversion {
  /** What becomes of the value, for the documentation. */
  readonly description: string;
  /** Ends the sentence "has to be …". */
  readonly expects: string;
  /** Undefined where the text says nothing about the setting, Unparseable where it is not what the variable takes. */
  readonly parse: (text: string) => unknown;
  /** Whether another variable may set this value; without it, only the parsed one, or any where that is undefined. */
  readonly allows?: (text: string, value: unknown) => boolean;
  /** Why what the text asks for is not done, or not all of it. */
  readonly notSupported?: (text: string) => string | undefined;
  /** The text may hold a secret and is not shown. */
  readonly secret?: true;
}

export const opposite = fromBoolean("`true` becomes `false`, and `false` becomes `true`", false, true);

/** Off is no level: a server that is not debugged may still log as little as another variable says. */
export const debugLevel: Conversion = {
  ...fromBoolean("`true` becomes `debug`; `false` says nothing", "debug"),
  allows: (text, value) => (value === "trace" || value === "debug") === parseBoolean(text),
};

/** Reverb has Redis or nothing; with NATS, there is a cluster as well. */
export const scaling: Conversion = {
  ...fromBoolean("`true` becomes `redis`; `false` says nothing", "redis"),
  allows: (text, value) => parseBoolean(text) !== true || value !== "memory",
};

/** Laravel's log channels that are files; the others are whatever an application made of them. */
export const logChannel = fromWords(
  "`daily` is `daily`, `single` becomes `none`; any other channel says nothing",
  "the name of a log channel",
  { daily: "daily", single: "none" },
);

/** Reverb's third choice, events of clients that are not even in the channel, is not supported. */
export const fromMembers = fromWords(
  "`members` becomes `true`, `none` becomes `false`; `all` is refused",
  '"members" or "none", for clients publish to channels they are in',
  { members: true, none: false },
  Unparseable,
);

export const adapter: Conversion = {
  ...fromWords(
    "`redis` and `nats` are the same; `local` says nothing, and `cluster` is not there",
    "the name of an adapter",
    {
      redis: "redis",
      nats: "nats",
    },
  ),
  notSupported: (text) =>
    ["redis", "nats", "local"].includes(text.trim())
      ? undefined
      : 'servers know each other by Redis or NATS only; set `engine` to "redis" or "nats"',
};

export const production = fromWords(
  "`production` is production; anything else says nothing",
  "the name of an environment",
  { production: "production" },
);

/** Many programs go by NODE_ENV, and call their modes as they like. */
export const nodeEnv = fromWords(
  "`production` and `development` are the same; anything else says nothing",
  "the name of an environment",
  { production: "production", development: "development" },
);

export const metricsPrefix: Conversion = {
  ...fromWords("`soketi_` becomes `true`", "a prefix", { soketi_: true }),
  notSupported: (text) =>
    text.trim() === "soketi_" ? undefined : "names begin with `fanfare_`, or with `soketi_` too",
};

/** OpenTelemetry's exporters, each by its name. */
export const otlp = fromWords(
  "`otlp` becomes `true`, `none` becomes `false`; others are refused",
  '"otlp" or "none"',
  {
    otlp: true,
    none: false,
  },
  Unparseable,
);

/** Without the way by gRPC. */
export const otlpProtocol = fromWords(
  "the same; `grpc` is refused",
  '"http/protobuf" or "http/json": there is no gRPC, whose collectors take HTTP on port 4318',
  { "http/protobuf": "http/protobuf", "http/json": "http/json" },
  Unparseable,
);

/** As W3C Baggage writes them. */
export const pairs: Conversion = {
  description: "`name=value` with commas between, percent-encoded",
  expects: "name=value, with commas between",
  secret: true,
  parse: (text) => {
    const parts = text.split(",").flatMap((part) => part.trim() || []);
    if (!parts.every((part) => /^[^=]+=.*$/.test(part))) return Unparseable;
    const decoded = (word: string) => decodeURIComponent(word.trim());
    try {
      return Object.fromEntries(parts.map((part) => part.split(/=(.*)/, 2).map(decoded)));
    } catch {
      return Unparseable;
    }
  },
};

export const kilobytes = scaled("kilobytes of 1024 bytes become bytes", (value) => Math.ceil(value * 1024));
export const megabytes = scaled("megabytes of 1024 kilobytes become bytes", (value) => Math.ceil(value * 1_048_576));
export const milliseconds = scaled("milliseconds become seconds", (value) => value / 1000);

/** What `-1` becomes: "unlimited", or a number too large to reach where the setting has no such word. */
export function unlimited(value: "unlimited" | number): Conversion {
  return {
    description: "`-1` becomes no limit",
    expects: "a whole number, or -1",
    parse: (text) => {
      const number = parseNumber(text);
      return number === -1 ? value : (number ?? Unparseable);
    },
  };
}

/** A path prefix in any form: "/", "ws" and "/ws/" too. */
export const pathPrefix: Conversion = {
  description: "with one `/` in front and none behind; `/` becomes none at all",
  expects: "a path",
  parse: (text) => {
    const path = text.trim().replace(/^\/+|\/+$/g, "");
    return path === "" ? "" : `/${path}`;
  },
};

/** Laravel splits it at commas, soketi takes a list in JSON. */
export const words: Conversion = {
  description: "a list with commas, or in JSON",
  expects: "a list with commas, or in JSON",
  parse: (text) => parseList(text) ?? Unparseable,
};

export const hosts: Conversion = {
  description: "the objects' `host` and `port` become `host:port`",
  expects: "a list of objects with `host` and `port`, in JSON",
  parse: (text) => parseList(text)?.map(hostAndPort) ?? Unparseable,
};

export const soketiWebhooks: Conversion = {
  description: "in JSON: `event_types` becomes `events`, and `filter` becomes `channels`",
  expects: "a list of objects with `url`, in JSON",
  // Headers may hold one.
  secret: true,
  parse: (text) =>
    parseWebhooks(text)
      ?.filter(({ url }) => url !== undefined)
      .map(convertWebhook) ?? Unparseable,
  notSupported: (text) =>
    parseWebhooks(text)?.some(({ url }) => url === undefined)
      ? "Lambda functions are not called; give the function an address, and `url`"
      : undefined,
};

interface SoketiWebhook {
  readonly url?: unknown;
  readonly event_types?: unknown;
  readonly headers?: unknown;
  readonly filter?: Readonly<Record<string, unknown>>;
  readonly filters?: Readonly<Record<string, unknown>>;
}

function parseWebhooks(text: string): readonly SoketiWebhook[] | undefined {
  return parseList(text)?.map((one) => Object(one));
}

function convertWebhook({ url, event_types: events, headers, filter, filters }: SoketiWebhook): object {
  const { channel_name_starts_with: prefix, channel_name_ends_with: suffix } = filter ?? filters ?? {};
  return {
    url,
    ...(Array.isArray(events) && events.length > 0 && { events }),
    ...(headers !== undefined && { headers }),
    ...(Boolean(prefix || suffix) && { channels: { ...(prefix ? { prefix } : {}), ...(suffix ? { suffix } : {}) } }),
  };
}

function hostAndPort(value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("host" in value)) return value;
  const host = String(value.host).includes(":") ? `[${value.host}]` : String(value.host);
  return "port" in value ? `${host}:${value.port}` : host;
}

function parseList(text: string): readonly unknown[] | undefined {
  if (!/^\s*[[{]/.test(text)) return text.split(",").flatMap((one) => one.trim() || []);
  const value = parseJson(text);
  return Array.isArray(value) ? value : undefined;
}

function fromBoolean(description: string, whenTrue: unknown, whenFalse?: unknown): Conversion {
  return {
    description,
    expects: "true or false",
    parse: (text) => {
      const value = parseBoolean(text);
      if (value === undefined) return Unparseable;
      return value ? whenTrue : whenFalse;
    },
  };
}

function fromWords(
  description: string,
  expects: string,
  values: Readonly<Record<string, unknown>>,
  otherwise?: typeof Unparseable,
): Conversion {
  const known = new Map(Object.entries(values));
  const parse = (text: string) => (known.has(text.trim()) ? known.get(text.trim()) : otherwise);
  return { description, expects, parse };
}

function scaled(description: string, scale: (value: number) => number): Conversion {
  return {
    description,
    expects: "a number",
    parse: (text) => {
      const value = parseNumber(text);
      return value === undefined ? Unparseable : scale(value);
    },
  };
}
