/** How a value that another server understands becomes the one that the setting takes. */

import { parseBoolean, parseNumber, Unparseable } from "../parse-value.ts";

export interface Conversion {
  /** What becomes of the value, for the documentation. */
  readonly description: string;
  /** Ends the sentence "has to be …". */
  readonly expects: string;
  /** Undefined where the text says nothing of the setting, Unreadable where it is not what the name takes. */
  readonly parse: (text: string) => unknown;
  /** Whether another name may say this beside it; without it, only what `read` gives. */
  readonly allows?: (text: string, value: unknown) => boolean;
  /** Why what the text asks for is not done, or not all of it. */
  readonly leavesOut?: (text: string) => string | undefined;
  /** What is written there is not shown. */
  readonly secret?: boolean;
}

const SWITCH = "true or false";

export const opposite: Conversion = {
  description: "`true` becomes `false`, and `false` becomes `true`",
  expects: SWITCH,
  parse: (text) => {
    const value = parseBoolean(text);
    return value === undefined ? Unparseable : !value;
  },
};

const CHATTY: readonly unknown[] = ["trace", "debug"];

/** Off is no level: a server that is not to be debugged may still be as quiet as somebody else says. */
export const debugLevel: Conversion = {
  description: "`true` becomes `debug`; `false` says nothing",
  expects: SWITCH,
  parse: (text) => {
    const value = parseBoolean(text);
    if (value === undefined) return Unparseable;
    return value ? "debug" : undefined;
  },
  allows: (text, value) => CHATTY.includes(value) === (parseBoolean(text) ?? false),
};

/** Laravel's log channels that are files; the others are what somebody made of them. */
export const logChannel: Conversion = {
  description: "`daily` is `daily`, `single` becomes `none`; any other channel says nothing",
  expects: "the name of a log channel",
  parse: (text) => CHANNELS.get(text.trim()),
  allows: (text, value) => (CHANNELS.get(text.trim()) ?? value) === value,
};

const CHANNELS = new Map([
  ["daily", "daily"],
  ["single", "none"],
]);

export const kilobytes = scaled("kilobytes of 1024 bytes become bytes", (value) => Math.ceil(value * 1024));

export const megabytes = scaled("megabytes of 1024 kilobytes become bytes", (value) => Math.ceil(value * 1_048_576));

export const milliseconds = scaled("milliseconds become seconds", (value) => value / 1000);

/** What stands where a limit is to have no end: "unlimited", or a number too large to reach where the setting has no such word. */
export function orNone(unlimited: "unlimited" | number): Conversion {
  return {
    description: "`-1` becomes no limit",
    expects: "a whole number, or -1",
    parse: (text) => {
      const value = parseNumber(text);
      return value === -1 ? unlimited : (value ?? Unparseable);
    },
  };
}

/** A prefix that is written as a path may be: "/", "ws" and "/ws/" too. */
export const prefix: Conversion = {
  description: "with one `/` in front and none behind; `/` becomes none at all",
  expects: "a path",
  parse: (text) => {
    const bare = text.trim().replace(/^\/+|\/+$/g, "");
    return bare === "" ? "" : `/${bare}`;
  },
};

const MEMBERS = new Map([
  ["members", true],
  ["none", false],
]);

/** Reverb's third choice, events of clients that are not even in the channel, is nobody's here. */
export const fromMembers: Conversion = {
  description: "`members` becomes `true`, `none` becomes `false`; `all` is refused",
  expects: '"members" or "none", for clients publish to channels they are in',
  parse: (text) => MEMBERS.get(text.trim()) ?? Unparseable,
};

/** Reverb has Redis or nothing; whoever says NATS here has a cluster as well. */
export const scaling: Conversion = {
  description: "`true` becomes `redis`; `false` says nothing",
  expects: SWITCH,
  parse: (text) => {
    const value = parseBoolean(text);
    if (value === undefined) return Unparseable;
    return value ? "redis" : undefined;
  },
  allows: (text, value) => parseBoolean(text) !== true || value !== "memory",
};

const ENGINES: readonly string[] = ["redis", "nats"];

export const adapter: Conversion = {
  description: "`redis` and `nats` are the same; `local` says nothing, and `cluster` is not there",
  expects: "the name of an adapter",
  parse: (text) => ENGINES.find((engine) => engine === text.trim()),
  allows: (text, value) => !ENGINES.includes(text.trim()) || text.trim() === value,
  leavesOut: (text) =>
    [...ENGINES, "local"].includes(text.trim())
      ? undefined
      : 'servers know each other by Redis or NATS only; set `engine` to "redis" or "nats"',
};

export const production: Conversion = {
  description: "`production` is production; anything else says nothing",
  expects: "the name of an environment",
  parse: (text) => (text.trim() === "production" ? "production" : undefined),
};

const SOKETI_PREFIX = "soketi_";

export const metricsPrefix: Conversion = {
  description: "`soketi_` becomes `true`",
  expects: "a prefix",
  parse: (text) => (text.trim() === SOKETI_PREFIX ? true : undefined),
  leavesOut: (text) =>
    text.trim() === SOKETI_PREFIX ? undefined : "names begin with `fanfare_`, or with `soketi_` too",
};

/** Laravel splits it at commas, soketi takes a list in JSON. */
export const words: Conversion = {
  description: "a list with commas, or in JSON",
  expects: "a list with commas, or in JSON",
  parse: (text) => listIn(text) ?? Unparseable,
};

export const hosts: Conversion = {
  description: "the objects' `host` and `port` become `host:port`",
  expects: "a list of objects with `host` and `port`, in JSON",
  parse: (text) => listIn(text)?.map(placeIn) ?? Unparseable,
};

function placeIn(one: unknown): unknown {
  if (typeof one !== "object" || one === null || !("host" in one)) return one;
  const host = String(one.host).includes(":") ? `[${one.host}]` : String(one.host);
  return "port" in one ? `${host}:${one.port}` : host;
}

function listIn(text: string): readonly unknown[] | undefined {
  if (!/^\s*[[{]/.test(text)) return text.split(",").flatMap((one) => one.trim() || []);
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

interface SoketiWebhook {
  readonly url?: unknown;
  readonly event_types?: unknown;
  readonly headers?: unknown;
  readonly filter?: Readonly<Record<string, unknown>>;
  readonly filters?: Readonly<Record<string, unknown>>;
}

/** Headers may hold a secret. */
export const soketiWebhooks: Conversion = {
  description: "in JSON: `event_types` becomes `events`, and `filter` becomes `channels`",
  expects: "a list of objects with `url`, in JSON",
  secret: true,
  parse: (text) => webhooksIn(text)?.flatMap((one) => (one.url === undefined ? [] : [webhookOf(one)])) ?? Unparseable,
  leavesOut: (text) =>
    webhooksIn(text)?.some((one) => one.url === undefined)
      ? "Lambda functions are not called; give the function an address, and `url`"
      : undefined,
};

function webhooksIn(text: string): readonly SoketiWebhook[] | undefined {
  return listIn(text)?.map((one) => Object(one));
}

function webhookOf({ url, event_types: events, headers, filter, filters }: SoketiWebhook): object {
  const { channel_name_starts_with: prefix, channel_name_ends_with: suffix } = filter ?? filters ?? {};
  const isFiltered = Boolean(prefix || suffix);
  return {
    url,
    ...(Array.isArray(events) && events.length > 0 && { events }),
    ...(headers !== undefined && { headers }),
    ...(isFiltered && { channels: { ...(prefix ? { prefix } : {}), ...(suffix ? { suffix } : {}) } }),
  };
}

function scaled(says: string, scale: (value: number) => number): Conversion {
  return {
    description: says,
    expects: "a number",
    parse: (text) => {
      const value = parseNumber(text);
      return value === undefined ? Unparseable : scale(value);
    },
  };
}
