/** What was refused, and what went wrong, as an overview tells it: the same thing once, and how often. */

import type { FeedEntry, FeedType } from "fanfare/wire/admin";
import { nameOfUser, userOfConnection } from "./names.ts";

/** What an overview shows of it. */
export const TROUBLES: readonly FeedType[] = ["refused", "turned_away", "gap", "error"];

export interface Refusal {
  readonly title: string;
  /** Where, or who. */
  readonly place: string;
  readonly count: number;
  /** The newest of them. */
  readonly latest: FeedEntry;
}

/** Of each code of a refusal, in words. */
export const REASONS: Readonly<Record<string, string>> = {
  app_disabled: "App is disabled",
  app_unknown: "Unknown app key",
  authentication_timeout: "Did not sign in in time",
  backend_unavailable: "Your back end did not answer",
  channel_full: "Channel is full",
  channel_invalid: "Invalid channel name",
  data_invalid: "Invalid data",
  data_too_large: "Event is too large",
  engine_unavailable: "The engine is unreachable",
  event_invalid: "Invalid event name",
  event_reserved: "Reserved event name",
  flooded: "Too many frames",
  issuer_unavailable: "The issuer of tokens is unreachable",
  malformed: "Malformed message",
  not_subscribed: "Not in the channel",
  over_capacity: "The server is full",
  protocol_unsupported: "Unsupported protocol version",
  publish_forbidden: "May not publish",
  quota_exceeded: "Connection limit reached",
  rate_limited: "Too many messages",
  signature_invalid: "Wrong signature",
  tls_required: "TLS is required",
  token_expired: "Token has expired",
  token_invalid: "Invalid token",
  too_many_channels: "In too many channels",
  unauthorized: "No permission",
};

/** Newest first. */
export function grouped(entries: readonly FeedEntry[], most: number): readonly Refusal[] {
  const groups = new Map<string, { title: string; place: string; count: number; latest: FeedEntry }>();
  for (const latest of entries) {
    const [title, place] = [titleOf(latest), placeOf(latest)];
    const key = JSON.stringify([title, place, latest.app]);
    const known = groups.get(key);
    if (!known) groups.set(key, { title, place, count: 1, latest });
    else {
      known.count++;
      if (latest.atMs > known.latest.atMs) known.latest = latest;
    }
  }
  return [...groups.values()].sort((one, other) => other.latest.atMs - one.latest.atMs).slice(0, most);
}

export function titleOf({ type, code, why = "" }: FeedEntry): string {
  if (type === "gap") return "Events may be missing";
  if (type === "error") return why;
  const title = code === undefined ? "Refused" : titleOfCode(code);
  const call = callOf(why);
  return call === undefined ? title : `API call: ${title.charAt(0).toLowerCase()}${title.slice(1)} (${call.status})`;
}

export function titleOfCode(code: string): string {
  return REASONS[code] ?? words(code);
}

/** Where it was, and who it was: people by their names. */
function placeOf({ type, app, channel, user, connection, address, library, why = "" }: FeedEntry): string {
  if (type === "error") return "";
  const call = callOf(why);
  if (call) return [call.asked, address && `from ${address}`].filter(Boolean).join(" · ");
  const [, key] = /by key (\S+)\.$/.exec(why) ?? [];
  if (type === "turned_away") return [key, [library, address].filter(Boolean).join(", ")].filter(Boolean).join(" · ");
  const person = user ?? (connection === undefined ? undefined : userOfConnection(app, connection));
  return [channel, person === undefined ? address : nameOfUser(app, person)].filter(Boolean).join(" · ");
}

/** Where a call of the HTTP API was refused, what was asked: `POST /apps/1/events`, 401, and why. */
function callOf(why: string) {
  const [, asked, status, reason] = /^([A-Z]+ \/\S*): (\d{3}) (.*)$/s.exec(why) ?? [];
  return asked === undefined || status === undefined ? undefined : { asked, status, reason: reason ?? "" };
}

/** What was asked that went wrong, and why, each alone. */
export function troubleIn({ why = "", code }: FeedEntry): { readonly asked: string; readonly reason: string } {
  const call = callOf(why);
  if (call) {
    return { asked: call.asked.replace(/ .*\/apps\/[^/]+/, " "), reason: `${call.status} ${call.reason}` };
  }
  const [, asked = "", reason = why] =
    /^(subscribe|unsubscribe|publish|presence|history|signin|call): (.*)$/s.exec(why) ?? [];
  return {
    asked,
    reason: code !== undefined && reason.startsWith(`${code}: `) ? reason.slice(code.length + 2) : reason,
  };
}

/** What was refused, as a title: "Subscription refused". */
export function refusedThing(entry: FeedEntry): string {
  if (entry.type === "turned_away") return "Connection refused";
  if (entry.type !== "refused") return titleOf(entry);
  if (callOf(entry.why ?? "")) return "API call refused";
  return REFUSED_THINGS[troubleIn(entry).asked] ?? titleOf(entry);
}

const REFUSED_THINGS: Readonly<Record<string, string>> = {
  subscribe: "Subscription refused",
  publish: "Event refused",
  signin: "Sign-in refused",
  presence: "State refused",
  history: "History refused",
  call: "Call refused",
};

function words(code: string): string {
  const text = code.replaceAll("_", " ");
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
