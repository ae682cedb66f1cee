/** How large frames, bodies and buffers have to be, so that an event of the largest size always passes. */

import type { AppLimits } from "../domain/app.ts";

/** JSON writes a control character, one byte, as six: `\u0001`. */
const ESCAPED = 6;
/** For the names, ids and keys around an event's data, all of them escaped. */
const ENVELOPE_BYTES = 40_960;
/** So many of the largest events at once cut no reader that reads. */
const BURST = 20;
/** What the settings take. */
const MOST = 2 ** 30;

export interface Room {
  readonly frameBytes: number;
  readonly httpBodyBytes: number;
  readonly outboundBufferBytes: number;
}

export function roomFor(eventDataBytes: number, batchSize: number): Room {
  const frameBytes = Math.min(MOST, ESCAPED * eventDataBytes + ENVELOPE_BYTES);
  const times = (many: number) => Math.min(MOST, many * frameBytes);
  return { frameBytes, httpBodyBytes: times(batchSize), outboundBufferBytes: times(BURST) };
}

/** These limits, with more room where the events of an app need it and nobody says how much there is. Never with less. */
export function withRoom<Limits extends Room>(limits: Limits, given: unknown, apps: readonly AppLimits[]): Limits {
  const rooms = apps.map(({ eventDataBytes, batchSize }) => roomFor(eventDataBytes, batchSize));
  const names = NAMES.filter((name) => !Object.hasOwn(Object(given), name));
  const wider = names.map((name) => [name, Math.max(limits[name], ...rooms.map((room) => room[name]))]);
  return { ...limits, ...Object.fromEntries(wider) };
}

const NAMES = ["frameBytes", "httpBodyBytes", "outboundBufferBytes"] as const;
