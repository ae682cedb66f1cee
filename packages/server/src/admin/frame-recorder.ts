/** Records the frames of one connection for the dashboards that watch it: the first of each report, and how many more there were. */

import type { FrameTap } from "../domain/traffic.ts";
import type { Frame } from "../domain/transport.ts";
import type { ConnectionTraffic, Payload, TappedFrame } from "./api-types.ts";

const MAX_FRAMES = 50;
/** Of all payloads of one report together; each gets at least the one and at most the other. */
const MAX_CHARACTERS = 65_536;
const MIN_PAYLOAD = 200;
const MAX_PAYLOAD = 4096;

export class FrameRecorder implements FrameTap {
  readonly #nowMs: () => number;
  readonly #redact: (frame: Frame, longest: number) => Payload;
  #frames: TappedFrame[] = [];
  #leftOut = 0;
  #leftCharacters = MAX_CHARACTERS;
  #traffic = { framesIn: 0, framesOut: 0, bytesIn: 0, bytesOut: 0 };

  constructor(nowMs: () => number, redact: (frame: Frame, longest: number) => Payload) {
    this.#nowMs = nowMs;
    this.#redact = redact;
  }

  received(frame: Frame): void {
    this.#traffic.framesIn++;
    this.#traffic.bytesIn += Buffer.byteLength(frame);
    this.#record("in", frame);
  }

  sent(frame: string): void {
    this.#traffic.framesOut++;
    this.#traffic.bytesOut += Buffer.byteLength(frame);
    this.#record("out", frame);
  }

  get traffic(): ConnectionTraffic {
    return { ...this.#traffic };
  }

  /** What came since the last time. */
  take(): { readonly frames: readonly TappedFrame[]; readonly leftOut: number } {
    const taken = { frames: this.#frames, leftOut: this.#leftOut };
    this.#frames = [];
    this.#leftOut = 0;
    this.#leftCharacters = MAX_CHARACTERS;
    return taken;
  }

  #record(direction: "in" | "out", frame: Frame): void {
    if (this.#frames.length >= MAX_FRAMES) {
      this.#leftOut++;
      return;
    }
    const payload = this.#redact(frame, Math.max(MIN_PAYLOAD, Math.min(MAX_PAYLOAD, this.#leftCharacters)));
    this.#leftCharacters -= payload.text.length;
    this.#frames.push({ atMs: this.#nowMs(), direction, payload });
  }
}
