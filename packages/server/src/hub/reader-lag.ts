/**
 * How far a reader is behind. What is written to it is followed by a WebSocket ping every so often: the pong comes after
 * the data before it, so that its delay is the reader's. The kernel takes some 4 MB before anything waits in this process,
 * an hour's worth for a reader of 1 KB/s.
 */

export interface Reader {
  /** Something was sent to it, and to nobody else, since it was last looked at. */
  wasSent: boolean;
  /** What the pong has to repeat; undefined while none is awaited. */
  probe: string | undefined;
  /** When that ping went out, or else when it was last looked whether one should. */
  probedAtMs: number;
}

const EVERY_MS = 10_000;

/** "probe" where `sendProbe` is due; "cut" where the reader is further behind than it may be. Call it every second or so. */
export function judgeReader(
  reader: Reader,
  nowMs: number,
  mostLagS: number,
  wasTold?: (sinceMs: number) => boolean,
): "probe" | "cut" | undefined {
  const sinceMs = reader.probedAtMs;
  if (reader.probe !== undefined) return nowMs - sinceMs > mostLagS * 1000 ? "cut" : undefined;
  if (nowMs - sinceMs < Math.min(EVERY_MS, (mostLagS * 1000) / 3)) return undefined;
  reader.probedAtMs = nowMs;
  return reader.wasSent || wasTold?.(sinceMs) ? "probe" : undefined;
}

/** `text` is another each time, and nobody can guess it, or it could be answered before it is read. */
export function sendProbe(reader: Reader, socket: { ping(data: string): unknown } | undefined, text: string): void {
  reader.wasSent = false;
  reader.probe = text;
  socket?.ping(text);
}

/** Whether that is what was awaited. */
export function answersProbe(reader: Reader, payload: Uint8Array): boolean {
  if (reader.probe === undefined || new TextDecoder().decode(payload) !== reader.probe) return false;
  reader.probe = undefined;
  return true;
}
