/** The frames of one connection as they pass, for those who watch it: the first of each report, and how many more there were. */

import type { FrameTap } from "../domain/traffic.ts";
import type { Frame } from "../domain/transport.ts";
import type { ConnectionTraffic, Payload, TappedFrame } from "./api-types.ts";

/** Of one report; and of all payloads in it together, in characters. */
const MOST = 50;
const CHARACTERS = 65_536;
const LEAST_SHOWN = 200;
const SHOWN = 4096;

export class FrameRecorder implements FrameTap {
  readonly #nowMs: () => number;
  readonly #show: (frame: Frame, longest: number) => Payload;
  #frames: TappedFrame[] = [];
  #leftOut = 0;
  #room = CHARACTERS;
  #traffic = { framesIn: 0, framesOut: 0, bytesIn: 0, bytesOut: 0 };

  constructor(nowMs: () => number, show: (frame: Frame, longest: number) => Payload) {
    this.#nowMs = nowMs;
    this.#show = show;
  }

  received(frame: Frame): void {
    this.#traffic.framesIn++;
    this.#traffic.bytesIn += Buffer.byteLength(frame);
    this.#note("in", frame);
  }

  sent(frame: string): void {
    this.#traffic.framesOut++;
    this.#traffic.bytesOut += Buffer.byteLength(frame);
    this.#note("out", frame);
  }

  get traffic(): ConnectionTraffic {
    return { ...this.#traffic };
  }

  /** What came since the last time. */
  take(): { readonly frames: readonly TappedFrame[]; readonly leftOut: number } {
    const taken = { frames: this.#frames, leftOut: this.#leftOut };
    this.#frames = [];
    this.#leftOut = 0;
    this.#room = CHARACTERS;
    return taken;
  }

  #note(direction: "in" | "out", frame: Frame): void {
    if (this.#frames.length >= MOST) {
      this.#leftOut++;
      return;
    }
    const payload = this.#show(frame, Math.max(LEAST_SHOWN, Math.min(SHOWN, this.#room)));
    this.#room -= payload.text.length;
    this.#frames.push({ atMs: this.#nowMs(), direction, payload });
  }
}
