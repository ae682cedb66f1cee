/** Counts the frames in a stream of bytes by their headers, RFC 6455 section 5.2, and looks at nothing else. */

const FIN_AND_OPCODE = 0x8f;
const WHOLE_TEXT = 0x81;
const LENGTH = 0x7f;

export class FrameCounter {
  /** Whole text frames so far. */
  count = 0;
  /** Frames of any other kind: a close, or something that should not be. */
  others = 0;
  #left = 0;
  #head: Uint8Array | undefined;

  add(bytes: Uint8Array): void {
    const chunk = this.#withHead(bytes);
    let at = 0;
    if (this.#left > 0) {
      if (chunk.length < this.#left) {
        this.#left -= chunk.length;
        return;
      }
      at = this.#left;
      this.#left = 0;
    }
    while (at < chunk.length) {
      const size = frameSize(chunk, at);
      if (size === undefined) {
        this.#head = chunk.slice(at);
        return;
      }
      if (((chunk[at] ?? 0) & FIN_AND_OPCODE) === WHOLE_TEXT) this.count++;
      else this.others++;
      at += size;
    }
    // The last frame's bytes may still be on their way; it counts from its header on.
    this.#left = at - chunk.length;
  }

  #withHead(bytes: Uint8Array): Uint8Array {
    const head = this.#head;
    if (!head) return bytes;
    this.#head = undefined;
    const joined = new Uint8Array(head.length + bytes.length);
    joined.set(head);
    joined.set(bytes, head.length);
    return joined;
  }
}

/** With its header; undefined where the header is not all there. Servers send no masks. */
function frameSize(chunk: Uint8Array, at: number): number | undefined {
  if (at + 2 > chunk.length) return undefined;
  const short = (chunk[at + 1] ?? 0) & LENGTH;
  if (short < 126) return 2 + short;
  if (at + 4 > chunk.length) return undefined;
  if (short === 126) return 4 + (((chunk[at + 2] ?? 0) << 8) | (chunk[at + 3] ?? 0));
  throw new Error("No frame of the bench is larger than 65 535 bytes.");
}

/** A masked text frame, as clients send it. The mask is nought, so that the bytes can be read. */
export function clientFrame(text: string): Uint8Array {
  const payload = new TextEncoder().encode(text);
  const isShort = payload.length < 126;
  const head = isShort
    ? [WHOLE_TEXT, 0x80 | payload.length]
    : [WHOLE_TEXT, 0xfe, payload.length >> 8, payload.length & 0xff];
  return new Uint8Array([...head, 0, 0, 0, 0, ...payload]);
}
