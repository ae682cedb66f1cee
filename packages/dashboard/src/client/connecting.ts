/** How far somebody has come who connects an app, by what the server says happened; and why an attempt failed. */

import type { AppSummary, ChannelRate, FeedEntry, FeedType } from "fanfare/wire/admin";
import type { Target } from "../snippets.ts";
import { titleOf } from "./refusals.ts";

/** Where the code of the page subscribes and publishes. */
export const PUBLIC_TARGET: Target = { channel: "my-channel", event: "my-event" };
export const PRIVATE_TARGET: Target = { channel: "private-my-channel", event: "my-event" };

export const STEPS = ["connected", "subscribed", "published", "received"] as const;

export const WATCHED: readonly FeedType[] = ["connected", "subscribed", "api_message", "refused", "turned_away"];

/** What happened first; of what was published, last. */
export interface Progress {
  readonly connected?: FeedEntry;
  /** The first ones that are nobody's of the board, as far as is known. */
  readonly connections?: readonly FeedEntry[];
  readonly subscribed?: FeedEntry;
  readonly published?: FeedEntry;
  /** What was published, if it went to a subscriber. */
  readonly received?: FeedEntry;
  /** Where something went out in the last seconds: the count of a second may come before the event that it is of. */
  readonly sent?: readonly { readonly app: string; readonly channel: string; readonly atMs: number }[];
  /** Newest first, each once. */
  readonly failed: readonly FeedEntry[];
}

/** An attempt that failed is of interest for so long. */
export const FAILED_MS = 600_000;
const MOST_FAILED = 5;
const MOST_KEPT = 20;
/** The second in which it was counted may end a little later than it was published. */
export const COUNTED_WITHIN_MS = 3_000;

/** The board on the first page is nobody's app. */
const OF_BOARD = /^(?:presence-workshop|private-workshop-cursors|workshop)$/;
const GUEST = /^(?:guest|robot)-[0-9a-f]{8}$/;

export function progressed(before: Progress, entries: readonly FeedEntry[], app: string): Progress {
  return entries.reduce((progress, entry) => step(progress, entry, app), before);
}

function step(progress: Progress, entry: FeedEntry, app: string): Progress {
  const { type } = entry;
  if (type === "refused" || type === "turned_away") {
    const others = progress.failed.filter((it) => it.why !== entry.why);
    // Of an unknown key nobody knows the app.
    return entry.app === undefined || entry.app === app
      ? { ...progress, failed: [entry, ...others].slice(0, MOST_FAILED) }
      : progress;
  }
  if (entry.app !== app) return progress;
  if (GUEST.test(entry.user ?? "")) return connectedBy(progress, others(progress, entry));
  if (OF_BOARD.test(entry.channel ?? "")) return progress;
  if (type === "connected") return connectedBy(progress, [...(progress.connections ?? []), entry].slice(0, MOST_KEPT));
  if (type === "subscribed") return { ...progress, subscribed: progress.subscribed ?? entry };
  return type === "api_message" ? received({ ...progress, published: entry }) : progress;
}

function connectedBy({ connected: _, ...progress }: Progress, connections: readonly FeedEntry[]): Progress {
  const [connected] = connections;
  return { ...progress, connections, ...(connected && { connected }) };
}

/** A client says who it is after it has connected: what comes of it later shows whose it was. */
function others({ connections = [] }: Progress, { connection }: FeedEntry): readonly FeedEntry[] {
  return connections.filter((it) => it.connection !== connection);
}

/** What was published has gone to somebody: of seconds that the nodes counted. */
export function delivered(progress: Progress, rates: readonly ChannelRate[], atMs: number): Progress {
  const before = (progress.sent ?? []).filter((it) => atMs - it.atMs < COUNTED_WITHIN_MS);
  const now = rates.filter(({ out }) => out > 0).map(({ app, channel }) => ({ app, channel, atMs }));
  if (before.length + now.length === 0 && !progress.sent?.length) return progress;
  return received({ ...progress, sent: [...before, ...now] });
}

function received(progress: Progress): Progress {
  const { published, sent = [] } = progress;
  if (!published || progress.received) return progress;
  const isOut = sent.some(
    ({ app, channel, atMs }) =>
      app === published.app && channel === published.channel && Math.abs(atMs - published.atMs) < COUNTED_WITHIN_MS,
  );
  return isOut ? { ...progress, received: published } : progress;
}

export function reached(progress: Progress): number {
  return STEPS.filter((it) => progress[it] !== undefined).length;
}

export interface Reason {
  readonly title: string;
  /** What to do about it. */
  readonly advice: string;
}

/** In the words of somebody who has just copied a snippet. */
export function reasonFor(entry: FeedEntry, app: AppSummary, apps: readonly AppSummary[]): Reason {
  const { code, why = "" } = entry;
  const text = why.replace(/^[a-z_]+: /, "");
  const asked = /Could not find app by key (.*)\.$/.exec(why)?.[1];
  if (asked !== undefined) return { title: `Unknown key ${asked}`, advice: differenceOf(asked, app, apps) };
  if (/\/apps\/([^/]*)\/.*: 404 /.test(why) && code === "app_unknown")
    return { title: "API call: unknown app id", advice: `This app's id is ${app.id}. ${text}` };
  if (code === "tls_required")
    return {
      title: "Plain ws:// where wss:// is needed",
      advice: "Set forceTLS: true, and the port of https (wssPort).",
    };
  if (why.includes("allowedOrigins"))
    return { title: "Origin refused", advice: `${text} Add the page's origin to the app's allowedOrigins.` };
  if (why.includes("auth_timestamp"))
    return { title: titleOf(entry), advice: `${text} Is the clock of the back end right?` };
  return { title: titleOf(entry), advice: text };
}

/** What is wrong with the key that a client asked for. */
function differenceOf(asked: string, { id, key }: AppSummary, apps: readonly AppSummary[]): string {
  const decoded = decode(asked);
  const other = apps.find((it) => it.key === decoded);
  if (other) return `That is the key of another app now: ${other.name || other.id}.`;
  if (decoded === id) return `That is the app's id. Its key is ${key}.`;
  if (/^(?:|undefined|null|\$.*|VITE_.*|MIX_.*|KEY)$/.test(decoded))
    return "The client has no key: the variable is empty where the page is built. Set it, and build the page anew.";
  if (decoded.replaceAll(/[\s"'`]/g, "") === key) return "There are spaces or quotes around it.";
  if (key.startsWith(decoded))
    return `Characters are missing at the end: the key ends in ${key.slice(decoded.length - 2)}.`;
  if (decoded.startsWith(key)) return "There are more characters behind the key.";
  if (key.endsWith(decoded)) return `Characters are missing at the beginning: the key begins with ${key.slice(0, 6)}.`;
  if (key.toLowerCase() === decoded.toLowerCase()) return "Capital and small letters differ.";
  const at = Array.from(key).findIndex((character, index) => character !== decoded[index]);
  return at > 3
    ? `It differs from character ${at + 1} on: the key goes on with ${key.slice(at, at + 6)}.`
    : `This app's key is ${key}.`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
