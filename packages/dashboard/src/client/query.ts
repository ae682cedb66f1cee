/** The query of the console: words such as `channel:orders.* user:42 late` that stand in the address, and the filter that they make. */

import { FEED_TYPES, type FeedFilter, type FeedType, liveChannel } from "fanfare/wire/admin";
import { type ConsoleEntry, isKind, KINDS } from "./feed.ts";
import { nodeName, overview } from "./overview.ts";
import { REASONS } from "./refusals.ts";
import type { Params } from "./route.ts";
import { TYPE_NAMES } from "./show.ts";

/** With what can be written behind each. */
const FIELDS = {
  channel: "name, * for any characters",
  event: "name, * for any characters",
  user: "id, * for any characters",
  type: "message, client_event, refused…",
  app: "id",
  node: "name",
  connection: "id",
  reason: "signature_invalid…",
} as const;

type Field = keyof typeof FIELDS;

export interface Chip {
  readonly field: Field | "text";
  readonly value: string;
}

/** Between several values of one parameter: no name has it. */
const BETWEEN = "\n";
const NAMES = [...(Object.keys(FIELDS) as Field[]), "text"] as const;
const MOST_SUGGESTED = 8;
/** Longest name of a live channel. */
const LONGEST_WATCH = 1_000;

export function chipsOf(params: Params): readonly Chip[] {
  return NAMES.flatMap((field) => valuesOf(params, field).map((value) => ({ field, value })));
}

/** What of the address the chips are; a name without a value goes away. */
export function paramsOf(chips: readonly Chip[]): Readonly<Record<string, string>> {
  const of = (field: Chip["field"]) => chips.filter((chip) => chip.field === field).map(({ value }) => value);
  // There is one scope.
  const all = NAMES.map((field) => [field, field === "app" ? (of("app").at(-1) ?? "") : of(field).join(BETWEEN)]);
  return Object.fromEntries(all);
}

/** `channel:orders "two words"`: what names no field is looked for everywhere. */
export function parse(text: string): readonly Chip[] {
  return Array.from(text.matchAll(/(?:(\w+):)?("[^"]*"|\S+)/g), ([all, name = "", value = ""]): Chip => {
    const isField = Object.hasOwn(FIELDS, name) && value !== "";
    return isField ? { field: name as Field, value: unquoted(value) } : { field: "text", value: unquoted(all) };
  }).filter(({ value }) => value !== "");
}

export function filterOf(params: Params): FeedFilter {
  const some = (field: Exclude<Chip["field"], "app" | "type">) => {
    const values = valuesOf(params, field);
    return values.length > 0 ? { [field]: values } : {};
  };
  const types = typesOf(params);
  const nodes = valuesOf(params, "node").flatMap(nodesOf);
  return {
    ...(params.app && { app: params.app }),
    ...some("channel"),
    ...some("event"),
    ...some("user"),
    ...some("connection"),
    ...some("reason"),
    ...some("text"),
    ...(params.node && { node: nodes }),
    ...(types && { types }),
  };
}

/** What the server is asked: where all of the filter is too long for it, its most useful part; the page looks at the rest. */
export function watchOf(filter: FeedFilter) {
  const { app, types } = filter;
  const whole = { type: "feed", ...filter } as const;
  if (liveChannel(whole).length <= LONGEST_WATCH) return whole;
  return { type: "feed", ...(app !== undefined && { app }), ...(types && { types }) } as const;
}

/** What fits the word that is being written: fields, or values of the field. */
export function suggestions(word: string, entries: readonly ConsoleEntry[]): readonly (readonly [string, string])[] {
  const [, name = "", begun = ""] = /^(\w+):"?(.*)$/s.exec(word) ?? [];
  if (!Object.hasOwn(FIELDS, name)) {
    return Object.entries(FIELDS).flatMap(([field, hint]) => (field.startsWith(word) ? [[`${field}:`, hint]] : []));
  }
  const fitting = known(name as Field, entries).filter(([value]) => value.toLowerCase().includes(begun.toLowerCase()));
  return fitting
    .slice(0, MOST_SUGGESTED)
    .map(([value, hint]) => [`${name}:${/\s/.test(value) ? `"${value}"` : value}`, hint]);
}

function known(field: Field, entries: readonly ConsoleEntry[]): (readonly [string, string])[] {
  switch (field) {
    case "channel":
    case "event":
    case "user":
    case "connection": {
      const counts = new Map<string, number>();
      for (const { [field]: value } of entries) if (value) counts.set(value, (counts.get(value) ?? 0) + 1);
      return [...counts].sort(([, one], [, other]) => other - one).map(([value, times]) => [value, `${times} here`]);
    }
    case "type":
      return FEED_TYPES.map((type) => [type, TYPE_NAMES[type]]);
    case "app":
      return (overview.value?.apps ?? []).map(({ id, name }) => [id, name]);
    case "node":
      return (overview.value?.nodes ?? []).map(({ id }) => [nodeName(id), ""]);
    case "reason":
      return Object.entries(REASONS);
  }
}

function typesOf(params: Params): readonly FeedType[] | undefined {
  const chips = valuesOf(params, "type");
  const byChips = FEED_TYPES.filter((type) => chips.some((it) => it === type || it === TYPE_NAMES[type]));
  if (!isKind(params.show)) return chips.length > 0 ? byChips : undefined;
  const ofKind: readonly FeedType[] = KINDS[params.show][1];
  return chips.length > 0 ? byChips.filter((type) => ofKind.includes(type)) : ofKind;
}

/** A name that no node has fits nothing. */
function nodesOf(name: string): readonly string[] {
  const ids = (overview.value?.nodes ?? [])
    .filter(({ id }) => id === name || nodeName(id) === name)
    .map(({ id }) => id);
  return ids.length > 0 ? ids : [name];
}

function valuesOf(params: Params, field: Chip["field"]): readonly string[] {
  return (params[field] ?? "").split(BETWEEN).filter((value) => value !== "");
}

function unquoted(value: string): string {
  return value.replaceAll('"', "");
}
