/** The kinds of value a setting can have. Each carries what messages, environment, flags and documentation need to know. */

import { isIP } from "node:net";
import { availableParallelism } from "node:os";
import ipaddr from "ipaddr.js";
import { z } from "zod";
import { isOriginPattern } from "../../domain/origin.ts";

/** What is known about one setting beside its schema. */
export interface SettingInfo {
  /** One sentence, with the unit where there is one. */
  readonly description: string;
  /** Ends the sentence "has to be …". */
  readonly expects: string;
  /** How text from the environment or a flag becomes a value. */
  readonly parse: "text" | "number" | "switch" | "json";
  /** Never shown, neither in messages nor by `fanfare config show`. */
  readonly secret?: true;
  /** Other environment names that mean the same. */
  readonly aliases?: readonly string[];
}

export const settingInfo = z.registry<SettingInfo>();

/** What a field may say about itself beside its kind. */
type Extra = Pick<SettingInfo, "secret" | "aliases"> & { readonly expects?: string };

/** What text has to be. */
type Shape = { readonly pattern?: RegExp; readonly isUrl?: true };

/** An address with an unencoded character in its password looks like one, and is none. */
function textSchema(least: number, { pattern = /(?:)/, isUrl }: Shape) {
  return z
    .string()
    .min(least)
    .regex(pattern)
    .refine((text) => !isUrl || text.startsWith("sqlite:") || URL.canParse(text));
}

const MOST = Number.MAX_SAFE_INTEGER;

export function text(says: string, initial: string, extra: Extra & Shape = {}) {
  const { pattern, isUrl, ...more } = extra;
  return textSchema(0, extra)
    .default(initial)
    .register(settingInfo, { description: says, expects: "text", parse: "text", ...more });
}

/** Text that has no default: required, or made optional by whoever uses it. */
export function requiredText(says: string, extra: Extra & Shape = {}) {
  const { pattern, isUrl, ...more } = extra;
  return textSchema(1, extra).register(settingInfo, {
    description: says,
    expects: "text, not empty",
    parse: "text",
    ...more,
  });
}

export function optionalText(says: string, extra: Extra & Shape = {}) {
  const { pattern, isUrl, ...more } = extra;
  return textSchema(1, extra)
    .exactOptional()
    .register(settingInfo, { description: says, expects: "text, not empty", parse: "text", ...more });
}

/** A name or an address without scheme and port, or the path of a Unix socket. */
export function host(says: string, initial: string, extra: Extra = {}) {
  const check = (text: string) => isHost(text) || isUnixSocketPath(text);
  const expects = "a host name, an IP address or the path of a Unix socket, without scheme and port";
  return z
    .string()
    .refine(check)
    .overwrite(stripBrackets)
    .default(initial)
    .register(settingInfo, { description: says, expects: expects, parse: "text", ...extra });
}

export function optionalHost(says: string) {
  const expects = "a host name or an IP address, without scheme and port";
  const schema = z.string().refine(isHost).overwrite(stripBrackets).exactOptional();
  return schema.register(settingInfo, { description: says, expects: expects, parse: "text" });
}

const NAME_PART = "[A-Za-z0-9_](?:[-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?";
const HOST_NAME = new RegExp(`^${NAME_PART}(?:\\.${NAME_PART})*\\.?$`);

function isHost(text: string): boolean {
  if (isIP(stripBrackets(text)) > 0) return true;
  return text.length <= 253 && HOST_NAME.test(text) && !/^\d+(\.\d+){3}$/.test(text);
}

/** The kernel takes no longer path. */
const LONGEST_SOCKET = 107;

export function isUnixSocketPath(host: string): boolean {
  return /^\/[^\0]+$/.test(host) && Buffer.byteLength(host) <= LONGEST_SOCKET;
}

function stripBrackets(text: string): string {
  return text.replace(/^\[(.*)\]$/, "$1");
}

/** A count or a size. */
export function integer(says: string, initial: number, least = 1, most = MOST, extra: Extra = {}) {
  const expects = most === MOST ? `a whole number from ${least} up` : `a whole number from ${least} to ${most}`;
  const schema = z.number().int().min(least).max(most);
  return schema
    .default(initial)
    .register(settingInfo, { description: says, expects: expects, parse: "number", ...extra });
}

/** A part of a whole. */
export function ratio(says: string, initial: number) {
  const expects = "a number from 0 to 1";
  return z
    .number()
    .min(0)
    .max(1)
    .default(initial)
    .register(settingInfo, { description: says, expects: expects, parse: "number" });
}

/** A number of processes; "auto" is one for each processor that this process may use. */
export function workerCount(says: string, initial: number, most: number) {
  const check = (value: unknown): value is number | "auto" =>
    value === "auto" || (Number.isSafeInteger(value) && Number(value) >= 1 && Number(value) <= most);
  return z
    .custom<number | "auto">(check)
    .overwrite((value) => (value === "auto" ? Math.min(most, availableParallelism()) : value))
    .pipe(z.custom<number>())
    .default(initial)
    .register(settingInfo, {
      description: says,
      expects: `a whole number from 1 to ${most}, or "auto"`,
      parse: "number",
    });
}

/** A duration; fractions are fine. */
export function seconds(says: string, initial: number, least = 0.001, most = MAX_TIMER_S) {
  const expects = `a number of seconds from ${least} to ${most}`;
  return z
    .number()
    .min(least)
    .max(most)
    .default(initial)
    .register(settingInfo, { description: says, expects: expects, parse: "number" });
}

export function optionalSeconds(says: string, least = 0, most = MAX_TIMER_S) {
  const expects = `a number of seconds from ${least} to ${most}`;
  return z
    .number()
    .min(least)
    .max(most)
    .exactOptional()
    .register(settingInfo, { description: says, expects: expects, parse: "number" });
}

/** The longest a timer can wait: 2^31 - 1 milliseconds. */
const MAX_TIMER_S = 2_147_483;

export function boolean(says: string, initial: boolean) {
  return z
    .boolean()
    .default(initial)
    .register(settingInfo, { description: says, expects: "true or false", parse: "switch" });
}

export function optionalBoolean(says: string) {
  return z
    .boolean()
    .exactOptional()
    .register(settingInfo, { description: says, expects: "true or false", parse: "switch" });
}

export function oneOf<const T extends readonly [string, ...string[]]>(
  says: string,
  choices: T,
  initial: T[number],
  extra: Extra = {},
) {
  const quoted = choices.map((choice) => JSON.stringify(choice));
  const expects = `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`;
  return z
    .enum(choices)
    .default(() => initial)
    .register(settingInfo, { description: says, expects: expects, parse: "text", ...extra });
}

/** A count that may also be without end. JSON has no word for that, so it is spelt "unlimited". */
export function limit(says: string, initial: number | "unlimited") {
  return limitSchema()
    .default(initial === "unlimited" ? Number.POSITIVE_INFINITY : initial)
    .register(settingInfo, { description: says, expects: LIMIT_ACCEPTS, parse: "number" });
}

export function optionalLimit(says: string) {
  return limitSchema()
    .exactOptional()
    .register(settingInfo, { description: says, expects: LIMIT_ACCEPTS, parse: "number" });
}

const LIMIT_ACCEPTS = 'a whole number from 1 up, or "unlimited"';

function limitSchema() {
  const check = (value: unknown): value is number | "unlimited" =>
    value === "unlimited" || value === Number.POSITIVE_INFINITY || (Number.isSafeInteger(value) && Number(value) >= 1);
  return z
    .custom<number | "unlimited">(check)
    .overwrite((value) => (value === "unlimited" ? Number.POSITIVE_INFINITY : value))
    .pipe(z.custom<number>());
}

/** Addresses; none by default. */
export function addresses(says: string, initial: string[] = []) {
  const expects = 'an IP address, a range such as "10.0.0.0/8" or "2001:db8::/32", "loopback" or "private"';
  const one = z
    .string()
    .overwrite(stripBrackets)
    .refine(isAddressRange)
    .register(settingInfo, { description: "An address.", expects: expects, parse: "text" });
  const all = 'a list of IP addresses, CIDR ranges, "loopback" and "private"';
  return z.array(one).default(initial).register(settingInfo, { description: says, expects: all, parse: "json" });
}

/** Without zones, and IPv4 in four decimal parts only: other forms are read differently by different programs. */
function isAddressRange(text: string): boolean {
  if (text === "loopback" || text === "private") return true;
  if (ipaddr.IPv4.isValidFourPartDecimal(text) || ipaddr.IPv4.isValidCIDRFourPartDecimal(text)) return true;
  return !text.includes("%") && (ipaddr.IPv6.isValid(text) || ipaddr.IPv6.isValidCIDR(text));
}

/** Webpages; all by default. */
export function origins(says: string) {
  return originList().default([]).register(settingInfo, { description: says, expects: ORIGINS_ACCEPTS, parse: "json" });
}

export function optionalOrigins(says: string) {
  return originList()
    .exactOptional()
    .register(settingInfo, { description: says, expects: ORIGINS_ACCEPTS, parse: "json" });
}

const ORIGINS_ACCEPTS = "a list of origins and hosts";

function originList() {
  const expects =
    'an origin such as "https://a.example", a host such as "a.example" or "*.a.example", "null", "file://" or "*"';
  return z.array(
    z
      .string()
      .refine(isOriginPattern)
      .register(settingInfo, { description: "An origin.", expects: expects, parse: "text" }),
  );
}

type Overrides<Shape extends Record<string, z.ZodDefault>> = {
  [Key in keyof Shape]: z.ZodExactOptional<ReturnType<Shape[Key]["unwrap"]>>;
};

/** The same fields without their defaults, to override them. */
export function withoutDefaults<Shape extends Record<string, z.ZodDefault>>(shape: Shape): Overrides<Shape> {
  const fields = Object.entries(shape).map(([key, field]) => {
    const schema = z.exactOptional(field.unwrap());
    const known = settingInfo.get(field);
    if (known !== undefined) settingInfo.add(schema, known);
    return [key, schema];
  });
  return Object.fromEntries(fields);
}
