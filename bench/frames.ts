/** Counts the frames in a stream of bytes by their headers, RFC 6455 section 5.2, and reads none but pings. */

const FIN_AND_OPCODE = 0x8f;
const WHOLE_TEXT = 0x81;
const WHOLE_PING = 0x89;
const WHOLE_PONG = 0x8a;
const LENGTH = 0x7f;
/** No ping is longer, header and all, and no message of the bench is shorter. */
const MOST_OF_A_PING = 48;
/** How each server's ping begins, and what answers it: the Pusher protocol, the native one, Socket.IO, Centrifugo. */
const PONGS = [
  [/^\{"event":"pusher:ping"/, '{"event":"pusher:pong","data":{}}'],
  [/^\{"event":"ping"\}$/, '{"event":"pong"}'],
  [/^2$/, "3"],
  [/^\{\}$/, "{}"],
] as const;

export class FrameCounter {
  /** Whole text frames so far, but for pings. */
  count = 0;
  /** Frames of any other kind: a close, or something that should not be. */
  others = 0;
  /** What answers the pings that have come; whoever sends it takes it out. */
  pongs: Uint8Array[] = [];
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
      if (size <= MOST_OF_A_PING && at + size > chunk.length) {
        this.#head = chunk.slice(at);
        return;
      }
      this.#take((chunk[at] ?? 0) & FIN_AND_OPCODE, chunk, at, size);
      at += size;
    }
    // The last frame's bytes may still be on their way; it counts from its header on.
    this.#left = at - chunk.length;
  }

  #take(kind: number, chunk: Uint8Array, at: number, size: number): void {
    const pong = size <= MOST_OF_A_PING ? pongFor(kind, chunk.subarray(at + 2, at + size)) : undefined;
    if (pong) this.pongs.push(pong);
    else if (kind === WHOLE_TEXT) this.count++;
    else this.others++;
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

function pongFor(kind: number, payload: Uint8Array): Uint8Array | undefined {
  if (kind === WHOLE_PING) return maskedFrame(WHOLE_PONG, payload);
  if (kind !== WHOLE_TEXT) return undefined;
  const text = new TextDecoder().decode(payload);
  const answer = PONGS.find(([ping]) => ping.test(text))?.[1];
  return answer === undefined ? undefined : clientFrame(answer);
}

/** A text frame, as clients send it. */
export function clientFrame(text: string): Uint8Array {
  return maskedFrame(WHOLE_TEXT, new TextEncoder().encode(text));
}

/** The mask is nought, so that the bytes can be read. */
function maskedFrame(kind: number, payload: Uint8Array): Uint8Array {
  const isShort = payload.length < 126;
  const head = isShort ? [kind, 0x80 | payload.length] : [kind, 0xfe, payload.length >> 8, payload.length & 0xff];
  return new Uint8Array([...head, 0, 0, 0, 0, ...payload]);
}
