/** Headers of a handshake or a call, as the dashboard may show them: those that tell what the client is, and none that lets it in. */

import type { Connection } from "../../domain/connection.ts";
import { redactReason } from "../redact.ts";

const SHOWN = [
  "host",
  "origin",
  "user-agent",
  "accept-language",
  "content-type",
  "content-length",
  "idempotency-key",
  "x-pusher-library",
  "sec-websocket-version",
  "sec-websocket-extensions",
] as const;
const LONGEST = 256;

export type ShownHeaders = Readonly<Record<string, string>>;

export function shownHeaders(headers: Headers): ShownHeaders {
  const shown: Record<string, string> = {};
  for (const name of SHOWN) {
    const value = headers.get(name);
    if (value !== null) shown[name] = redactReason(value, LONGEST);
  }
  return shown;
}

/** Most clients are of a few kinds, and stay for long: those of the same headers share what is kept of them. */
const known = new Map<string, ShownHeaders>();
const MOST_KNOWN = 500;

export function sharedHeaders(headers: Headers): ShownHeaders {
  const shown = shownHeaders(headers);
  const key = JSON.stringify(shown);
  const found = known.get(key);
  if (found) return found;
  if (known.size === MOST_KNOWN) known.clear();
  known.set(key, shown);
  return shown;
}

/** Beside the connections: most have none, and a place for it would cost every one of them. */
const handshakes = new WeakMap<Connection, ShownHeaders>();

export function keepHeaders(connection: Connection, headers: Headers): void {
  handshakes.set(connection, sharedHeaders(headers));
}

export function keptHeaders(connection: Connection): ShownHeaders | undefined {
  return handshakes.get(connection);
}
