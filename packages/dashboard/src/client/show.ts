/** Numbers, sizes, times and names as people read them. */

import type { FeedType, Payload } from "fanfare/wire/admin";
import type { IconName } from "./parts/icon.tsx";

const COUNT = new Intl.NumberFormat();
const SHORT = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const DAY_AND_TIME = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export function count(value: number): string {
  return COUNT.format(value);
}

export function short(value: number): string {
  return SHORT.format(value);
}

/** With a tenth where it is small, and a hundredth where it is less than one. */
export function rateText(value: number): string {
  if (value >= 10 || value === 0) return short(Math.round(value));
  return value < 1 ? value.toFixed(2) : value.toFixed(1);
}

/** Rounded down: what failed once in a thousand times is not 100 %. */
export function percent(part: number): string {
  return `${(Math.floor(part * 1_000) / 10).toFixed(part === 1 ? 0 : 1)} %`;
}

/** In units of 1024. */
export function size(bytes: number): string {
  if (bytes < 1024) return `${Math.round(bytes)} B`;
  const [value, unit] =
    bytes < 1024 ** 2
      ? [bytes / 1024, "KB"]
      : bytes < 1024 ** 3
        ? [bytes / 1024 ** 2, "MB"]
        : [bytes / 1024 ** 3, "GB"];
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

/** `3 s`, `4 min`, `2 h 5 min`, `3 d 4 h`. */
export function lasting(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  const min = Math.floor(s / 60);
  if (min < 60) return `${min} min`;
  const h = Math.floor(min / 60);
  if (h < 24) return min % 60 > 0 ? `${h} h ${min % 60} min` : `${h} h`;
  return h % 24 > 0 ? `${Math.floor(h / 24)} d ${h % 24} h` : `${Math.floor(h / 24)} d`;
}

/** The person's own time zone, to the millisecond. */
export function clock(atMs: number): string {
  const at = new Date(atMs);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

export function dateAndTime(atMs: number): string {
  return DAY_AND_TIME.format(atMs);
}

const MINUTES = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hour12: false });

/** `today 08:12`, or the day. */
export function moment(atMs: number): string {
  const isToday = new Date(atMs).toDateString() === new Date().toDateString();
  return isToday ? `today ${MINUTES.format(atMs)}` : dateAndTime(atMs);
}

export function iso(atMs: number): string {
  return new Date(atMs).toISOString();
}

export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

export const TYPE_NAMES: Readonly<Record<FeedType, string>> = {
  connected: "connected",
  disconnected: "disconnected",
  subscribed: "subscribed",
  unsubscribed: "unsubscribed",
  occupied: "occupied",
  vacated: "vacated",
  member_added: "joined",
  member_removed: "left",
  client_event: "client event",
  api_message: "message",
  cache_miss: "cache miss",
  gap: "gap",
  refused: "refused",
  turned_away: "refused",
  webhook: "webhook",
  error: "error",
};

export type Tone = "good" | "bad" | "info" | "send" | "plain" | "warn" | "teal";

export const TYPE_TONES: Readonly<Record<FeedType, Tone>> = {
  connected: "plain",
  disconnected: "plain",
  subscribed: "plain",
  unsubscribed: "plain",
  occupied: "plain",
  vacated: "plain",
  member_added: "teal",
  member_removed: "plain",
  client_event: "send",
  api_message: "info",
  cache_miss: "warn",
  gap: "warn",
  refused: "bad",
  turned_away: "bad",
  webhook: "plain",
  error: "bad",
};

export const TYPE_ICONS: Readonly<Record<FeedType, IconName>> = {
  connected: "plug",
  disconnected: "unplug",
  subscribed: "in",
  unsubscribed: "out",
  occupied: "hash",
  vacated: "hash",
  member_added: "join",
  member_removed: "leave",
  client_event: "client",
  api_message: "msg",
  cache_miss: "msg",
  gap: "warn",
  refused: "err",
  turned_away: "err",
  webhook: "hook",
  error: "err",
};

/** The value in the text, where it is all there and is JSON. */
export function parsed(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

/** What is masked may be shorter than it was, so only a text that ends in the middle counts as cut. */
export function isCut({ text, bytes }: Payload): boolean {
  return new TextEncoder().encode(text).length < bytes && parsed(text) === undefined;
}
