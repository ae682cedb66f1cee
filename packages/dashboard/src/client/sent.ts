/** What was sent from the dashboard, by app, in this browser only; and what is to be sent next. */

import { signal } from "@preact/signals";

export interface Draft {
  readonly channel: string;
  readonly event: string;
  readonly data: string;
}

export interface Sent extends Draft {
  readonly atMs: number;
}

const MOST = 20;

/** What the form for sending begins with; undefined while it is closed. */
export const sending = signal<(Partial<Draft> & { readonly app?: string | undefined }) | undefined>(undefined);

/** Newest first. */
export function sentBefore(app: string): readonly Sent[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(keyOf(app)) ?? "[]");
    return Array.isArray(kept) ? kept.filter(isSent) : [];
  } catch {
    return [];
  }
}

/** The same once more moves to the top. */
export function remember(app: string, sent: Sent): readonly Sent[] {
  const same = (it: Sent) => it.channel === sent.channel && it.event === sent.event && it.data === sent.data;
  const all = [sent, ...sentBefore(app).filter((it) => !same(it))].slice(0, MOST);
  try {
    localStorage.setItem(keyOf(app), JSON.stringify(all));
  } catch {
    // A browser that keeps nothing, or has no room: the history is of this page's life then.
  }
  return all;
}

export function forget(app: string): void {
  localStorage.removeItem(keyOf(app));
}

function keyOf(app: string): string {
  return `fanfare.sent.${app}`;
}

function isSent(it: unknown): it is Sent {
  if (typeof it !== "object" || it === null) return false;
  const { channel, event, data, atMs } = it as Record<string, unknown>;
  return [channel, event, data].every((part) => typeof part === "string") && typeof atMs === "number";
}
