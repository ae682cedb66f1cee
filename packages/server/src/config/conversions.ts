/** How a value that another server understands becomes the one that the setting takes. */

import { numberIn, switchIn, Unreadable } from "./written.ts";

export interface Conversion {
  /** What becomes of the value, for the documentation. */
  readonly says: string;
  /** Ends the sentence "has to be …". */
  readonly accepts: string;
  /** Undefined where the text says nothing of the setting, Unreadable where it is not what the name takes. */
  readonly read: (text: string) => unknown;
  /** Whether another name may say this beside it; without it, only what `read` gives. */
  readonly allows?: (text: string, value: unknown) => boolean;
  /** Why what the text asks for is not done, or not all of it. */
  readonly leavesOut?: (text: string) => string | undefined;
  /** What is written there is not shown. */
  readonly secret?: boolean;
}

const SWITCH = "true or false";

export const opposite: Conversion = {
  says: "`true` becomes `false`, and `false` becomes `true`",
  accepts: SWITCH,
  read: (text) => {
    const value = switchIn(text);
    return value === undefined ? Unreadable : !value;
  },
};

const CHATTY: readonly unknown[] = ["trace", "debug"];

/** Off is no level: a server that is not to be debugged may still be as quiet as somebody else says. */
export const debugLevel: Conversion = {
  says: "`true` becomes `debug`; `false` says nothing",
  accepts: SWITCH,
  read: (text) => {
    const value = switchIn(text);
    if (value === undefined) return Unreadable;
    return value ? "debug" : undefined;
  },
  allows: (text, value) => CHATTY.includes(value) === (switchIn(text) ?? false),
};

/** Laravel's log channels that are files; the others are what somebody made of them. */
export const logChannel: Conversion = {
  says: "`daily` is `daily`, `single` becomes `none`; any other channel says nothing",
  accepts: "the name of a log channel",
  read: (text) => CHANNELS.get(text.trim()),
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
    says: "`-1` becomes no limit",
    accepts: "a whole number, or -1",
    read: (text) => {
      const value = numberIn(text);
      return value === -1 ? unlimited : (value ?? Unreadable);
    },
  };
}

/** A prefix that is written as a path may be: "/", "ws" and "/ws/" too. */
export const prefix: Conversion = {
  says: "with one `/` in front and none behind; `/` becomes none at all",
  accepts: "a path",
  read: (text) => {
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
  says: "`members` becomes `true`, `none` becomes `false`; `all` is refused",
  accepts: '"members" or "none", for clients publish to channels they are in',
  read: (text) => MEMBERS.get(text.trim()) ?? Unreadable,
};

/** Reverb has Redis or nothing; whoever says NATS here has a cluster as well. */
export const scaling: Conversion = {
  says: "`true` becomes `redis`; `false` says nothing",
  accepts: SWITCH,
  read: (text) => {
    const value = switchIn(text);
    if (value === undefined) return Unreadable;
    return value ? "redis" : undefined;
  },
  allows: (text, value) => switchIn(text) !== true || value !== "memory",
};

const ENGINES: readonly string[] = ["redis", "nats"];

export const adapter: Conversion = {
  says: "`redis` and `nats` are the same; `local` says nothing, and `cluster` is not there",
  accepts: "the name of an adapter",
  read: (text) => ENGINES.find((engine) => engine === text.trim()),
  allows: (text, value) => !ENGINES.includes(text.trim()) || text.trim() === value,
  leavesOut: (text) =>
    [...ENGINES, "local"].includes(text.trim())
      ? undefined
      : 'servers know each other by Redis or NATS only; set `engine` to "redis" or "nats"',
};

export const production: Conversion = {
  says: "`production` is production; anything else says nothing",
  accepts: "the name of an environment",
  read: (text) => (text.trim() === "production" ? "production" : undefined),
};

const SOKETI_PREFIX = "soketi_";

export const metricsPrefix: Conversion = {
  says: "`soketi_` becomes `true`",
  accepts: "a prefix",
  read: (text) => (text.trim() === SOKETI_PREFIX ? true : undefined),
  leavesOut: (text) =>
    text.trim() === SOKETI_PREFIX ? undefined : "names begin with `fanfare_`, or with `soketi_` too",
};

/** Laravel splits it at commas, soketi takes a list in JSON. */
export const words: Conversion = {
  says: "a list with commas, or in JSON",
  accepts: "a list with commas, or in JSON",
  read: (text) => listIn(text) ?? Unreadable,
};

export const hosts: Conversion = {
  says: "the objects' `host` and `port` become `host:port`",
  accepts: "a list of objects with `host` and `port`, in JSON",
  read: (text) => listIn(text)?.map(placeIn) ?? Unreadable,
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
  says: "in JSON: `event_types` becomes `events`, and `filter` becomes `channels`",
  accepts: "a list of objects with `url`, in JSON",
  secret: true,
  read: (text) => webhooksIn(text)?.flatMap((one) => (one.url === undefined ? [] : [webhookOf(one)])) ?? Unreadable,
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
    says,
    accepts: "a number",
    read: (text) => {
      const value = numberIn(text);
      return value === undefined ? Unreadable : scale(value);
    },
  };
}
