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
