/** The kinds of value a setting can have. Each carries what messages, environment, flags, documentation and types need. */

import { isIP } from "node:net";
import { availableParallelism } from "node:os";
import ipaddr from "ipaddr.js";
import * as z from "zod/mini";
import { isOriginPattern } from "../../domain/origin.ts";

/** What is known about a setting besides its schema. */
export interface SettingInfo {
  /** One sentence, with the unit where there is one. */
  readonly description: string;
  /** Ends the sentence "has to be …". */
  readonly expects: string;
  /** How text from the environment or a flag becomes a value. */
  readonly parse: "text" | "number" | "boolean" | "json";
  /** Never shown, neither in messages nor by `fanfare config show`. */
  readonly secret?: true;
  /** In TypeScript, where the schema does not say it. */
  readonly type?: string;
  /** An object in whose place `true` stands for one with its defaults, and `false` for none. */
  readonly isSwitch?: true;
}

export const settingInfo = z.registry<SettingInfo>();

// ---- whether it has to be there

/** May be left out, and is then undefined. */
export function optional<Schema extends z.core.SomeType>(setting: Schema) {
  return z.exactOptional(setting);
}

/** May be left out, and is then this value. */
export function withDefault<Schema extends z.core.SomeType>(
  setting: Schema,
  value: z.core.util.NoUndefined<z.output<Schema>>,
) {
  return z._default(setting, value);
}

type WithDefaults = Record<string, z.ZodMiniDefault>;
type WithoutDefaults<Shape extends WithDefaults> = {
  [Key in keyof Shape]: z.ZodMiniExactOptional<Shape[Key]["_zod"]["def"]["innerType"]>;
};

/** The same fields, optional: to override them. */
export function withoutDefaults<Shape extends WithDefaults>(shape: Shape): WithoutDefaults<Shape> {
  const fields = Object.entries(shape).map(([key, field]) => [key, optional(field._zod.def.innerType)]);
  return Object.fromEntries(fields);
}

// ---- text

type TextOptions = {
  readonly expects?: string;
  readonly secret?: true;
  readonly pattern?: RegExp;
  readonly isUrl?: true;
};

/** Text, not empty. */
export function text(description: string, options: TextOptions = {}) {
  return textOrEmpty(description, { expects: "text, not empty", pattern: /./s, ...options });
}

/** Text that may be empty, unless the pattern says otherwise. */
export function textOrEmpty(description: string, { expects = "text", secret, pattern, isUrl }: TextOptions = {}) {
  // An address with an unencoded character in its password looks like one, but cannot be parsed.
  const isAddress = (value: string) => !isUrl || value.startsWith("sqlite:") || URL.canParse(value);
  const fits = (value: string) => (pattern?.test(value) ?? true) && isAddress(value);
  return textThat(fits, { description, expects, ...(secret && { secret }) });
}

/** Text that passes a test. */
export function textThat(test: (value: string) => boolean, info: Omit<SettingInfo, "parse">) {
  return z
    .string()
    .check(passes(test))
    .register(settingInfo, { ...info, parse: "text" });
}

export const WEB_ADDRESS = {
  pattern: /^https?:\/\/[^\s/]/,
  isUrl: true,
  expects: "an http:// or https:// address",
} as const;

/** Of headers of a request to it. */
export const HEADER_NAME = /^[-!#$%&'*+.^_`|~0-9A-Za-z]+$/;
export const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** An address of a database. */
export const DATABASE_URL = {
  secret: true,
  pattern: /^(sqlite:.+|(postgres(ql)?|mysql|mariadb):\/\/.+)$/,
  isUrl: true,
  expects: '"sqlite:FILE", "postgres://…" or "mysql://…", with what is special in the password encoded',
} as const;

/** The name of a file. */
export function fileName(description: string) {
  return text(description, { expects: "the name of a file" });
}

/** A name or an address without scheme and port, or the path of a Unix socket. */
export function host(description: string) {
  const expects = "a host name, an IP address or the path of a Unix socket, without scheme and port";
  return withoutBrackets(textThat((value) => isHost(value) || isUnixSocketPath(value), { description, expects }));
}

/** A name or an address without scheme and port. */
export function tcpHost(description: string) {
  return withoutBrackets(
    textThat(isHost, { description, expects: "a host name or an IP address, without scheme and port" }),
  );
}

/** As Node takes an IPv6 address. */
function withoutBrackets(setting: z.ZodMiniString<string>) {
  return setting.check(z.overwrite(stripBrackets));
}

const LABEL = "[A-Za-z0-9_](?:[-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?";
const HOST_NAME = new RegExp(`^${LABEL}(?:\\.${LABEL})*\\.?$`);

function isHost(value: string): boolean {
  if (isIP(stripBrackets(value)) > 0) return true;
  return value.length <= 253 && HOST_NAME.test(value) && !/^\d+(\.\d+){3}$/.test(value);
}

/** The kernel takes no longer path. */
const MAX_SOCKET_PATH_BYTES = 107;

/** An absolute path, as long as the kernel takes. */
export function isUnixSocketPath(value: string): boolean {
  return /^\/[^\0]+$/.test(value) && Buffer.byteLength(value) <= MAX_SOCKET_PATH_BYTES;
}

function stripBrackets(value: string): string {
  return value.replace(/^\[(.*)\]$/, "$1");
}

// ---- numbers, switches and words

const MAX_NUMBER = Number.MAX_SAFE_INTEGER;
/** The longest a timer can wait: 2^31 - 1 milliseconds. */
const MAX_TIMER_S = 2_147_483;

function number(description: string, kind: string, min: number, max: number, isWhole = false) {
  const expects = `${kind} from ${max === MAX_NUMBER ? `${min} up` : `${min} to ${max}`}`;
  return z
    .number()
    .check(passes((value) => value >= min && value <= max && (!isWhole || Number.isSafeInteger(value))))
    .register(settingInfo, { description, expects, parse: "number" });
}

/** A count or a size. */
export function integer(description: string, min = 1, max = MAX_NUMBER) {
  return number(description, "a whole number", min, max, true);
}

/** A part of a whole. */
export function ratio(description: string) {
  return number(description, "a number", 0, 1);
}

/** A duration; fractions are allowed. */
export function seconds(description: string, min = 0.001, max = MAX_TIMER_S) {
  return number(description, "a number of seconds", min, max);
}

/** A switch. */
export function boolean(description: string) {
  return z.boolean().register(settingInfo, { description, expects: "true or false", parse: "boolean" });
}

/** One of several words. */
export function oneOf<const T extends readonly [string, ...string[]]>(description: string, choices: T) {
  const quoted = choices.map((choice) => JSON.stringify(choice));
  const expects = `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`;
  return z.enum(choices).register(settingInfo, { description, expects, parse: "text" });
}

/** A count that may be without limit. JSON has no infinity, so it is spelt "unlimited". */
export function limit(description: string) {
  return numberOr(
    "unlimited",
    (value) => value === Number.POSITIVE_INFINITY || isWithin(value, 1),
    () => Number.POSITIVE_INFINITY,
    {
      description,
      expects: 'a whole number from 1 up, or "unlimited"',
    },
  );
}

/** A number of processes; "auto" is one for each processor that this process may use. */
export function workerCount(description: string, max: number) {
  return numberOr(
    "auto",
    (value) => isWithin(value, 1, max),
    () => Math.min(max, availableParallelism()),
    {
      description,
      expects: `a whole number from 1 to ${max}, or "auto"`,
    },
  );
}

/** A number, or a word that stands for one. */
function numberOr<Word extends string>(
  word: Word,
  test: (value: unknown) => boolean,
  meaning: () => number,
  info: Pick<SettingInfo, "description" | "expects">,
) {
  const given = z.custom<number | Word>((value) => value === word || test(value));
  const number = z.transform((value: number | Word) => (typeof value === "number" ? value : meaning()));
  return z.pipe(given, number).register(settingInfo, { ...info, parse: "number", type: `number | "${word}"` });
}

function isWithin(value: unknown, min: number, max = MAX_NUMBER): boolean {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max;
}

// ---- lists and objects

/** A list of addresses and CIDR ranges. */
export function ipRanges(description: string) {
  const one = textThat((value) => isIpRange(stripBrackets(value)), {
    description: "An address.",
    expects: 'an IP address, a range such as "10.0.0.0/8" or "2001:db8::/32", "loopback" or "private"',
  });
  return list(description, withoutBrackets(one), 'a list of IP addresses, CIDR ranges, "loopback" and "private"');
}

/** Without zones, and IPv4 in four decimal parts only: other forms are read differently by different programs. */
function isIpRange(value: string): boolean {
  if (value === "loopback" || value === "private") return true;
  if (ipaddr.IPv4.isValidFourPartDecimal(value) || ipaddr.IPv4.isValidCIDRFourPartDecimal(value)) return true;
  return !value.includes("%") && (ipaddr.IPv6.isValid(value) || ipaddr.IPv6.isValidCIDR(value));
}

/** A list of webpages: origins, or hosts. */
export function origins(description: string) {
  const one = textThat(isOriginPattern, {
    description: "An origin.",
    expects:
      'an origin such as "https://a.example", a host such as "a.example" or "*.a.example", "null", "file://" or "*"',
  });
  return list(description, one, "a list of origins and hosts");
}

/** A list of such elements. */
export function list<Element extends z.core.SomeType>(
  description: string,
  element: Element,
  expects: string,
  more: { readonly secret?: true } = {},
) {
  return z.array(element).register(settingInfo, { description, expects, parse: "json", ...more });
}

/** At least one element. */
export function nonEmptyList<Element extends z.core.SomeType>(...args: Parameters<typeof list<Element>>) {
  return list(...args).check(passes((value) => value.length > 0));
}

/** An object with these fields and no others. */
export function object<Shape extends z.core.$ZodShape>(description: string, shape: Shape, expects = "an object") {
  return z.strictObject(shape).register(settingInfo, { description, expects, parse: "json" });
}

/** The same, of which `true` and `false` say enough where its defaults will do: what merges the sources puts an object there. */
export function switchOrObject<Shape extends z.core.$ZodShape>(description: string, shape: Shape) {
  const info = { description, expects: "true, false or an object", parse: "json", isSwitch: true } as const;
  const setting = z.strictObject(shape).register(settingInfo, info);
  return setting as unknown as z.ZodMiniType<z.output<typeof setting>, boolean | z.input<typeof setting>>;
}

/** An object that is always there, since everything in it has a default. */
export function section<Shape extends z.core.$ZodShape>(description: string, shape: Shape) {
  return z.prefault(object(description, shape), {} as never);
}

/** HTTP headers, which may hold a secret. */
export function headers(description: string, name = /(?:)/, value = /(?:)/) {
  const expects = "an object of header names and their text";
  return z
    .record(z.string().check(z.regex(name)), z.string().check(z.regex(value)))
    .register(settingInfo, { description, expects, parse: "json", secret: true });
}

/** Names and a text each. */
export function textMap(description: string) {
  const expects = "an object of names and their text";
  return z.record(z.string(), z.string()).register(settingInfo, { description, expects, parse: "json" });
}

// ---- checks

/** A check that is no object of zod's: there are hundreds of settings, and their schema stays as long as the process lives. */
export function passes<T>(test: (value: T) => boolean): z.core.CheckFn<T> {
  return ({ value, issues }) => {
    if (!test(value)) issues.push({ code: "custom", input: value, path: [] });
  };
}
