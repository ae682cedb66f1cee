/** The commands of a native client that come in several requests: numbered, so that each is handled once and in order. */

import type { Connection } from "../../domain/connection.ts";
import { BodyTooLargeError, readBody } from "../../http/body.ts";
import { HttpError } from "../../http/error-response.ts";
import { receive } from "../../hub/execute.ts";
import type { Hub } from "../../hub/hub.ts";

/** A body holds so many of the largest frames. */
const FRAMES_PER_BODY = 4;
/** What came too early waits for what is missing, for so long. */
const HELD_COMMANDS = 64;
const HELD_UNITS = 65_536;
const HELD_MS = 5_000;

/** The lines of a body, without empty ones. Throws HttpError. */
export async function readCommands(request: Request, frameBytes: number): Promise<readonly string[]> {
  const text = new TextDecoder().decode(await readFrames(request, frameBytes));
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  for (const line of lines) if (Buffer.byteLength(line) > frameBytes) throw tooLarge(frameBytes);
  return lines;
}

/** A body with frames in it. Throws HttpError. */
export async function readFrames(request: Request, frameBytes: number): Promise<Uint8Array> {
  try {
    return await readBody(request, FRAMES_PER_BODY * frameBytes);
  } catch (error) {
    throw error instanceof BodyTooLargeError ? tooLarge(FRAMES_PER_BODY * frameBytes) : error;
  }
}

export function tooLarge(bytes: number): HttpError {
  return new HttpError(413, "data_too_large", `It is larger than ${bytes} bytes (limits.frameBytes).`, {
    Connection: "close",
  });
}

interface Held {
  readonly seq: number;
  readonly count: number;
  readonly units: number;
  resolve(): void;
}

export class CommandQueue {
  /** The number of the command that comes next; from 1. */
  next = 1;
  readonly #held = new Set<Held>();

  /** The first of the commands is the client's `seq`-th. Those that were handled already are passed over. Throws HttpError. */
  async receive(hub: Hub, connection: Connection, seq: number, commands: readonly string[]): Promise<void> {
    if (seq > this.next) await this.#hold(seq, commands);
    if (connection.closed) return;
    const fresh = commands.slice(this.next - seq);
    this.next = Math.max(this.next, seq + commands.length);
    for (const command of fresh) receive(hub, connection, command);
    for (const held of this.#held) if (held.seq <= this.next) held.resolve();
  }

  async #hold(seq: number, commands: readonly string[]): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const units = commands.reduce((sum, { length }) => sum + length, 0);
    // One without a command waits as long.
    const held: Held = { seq, count: Math.max(1, commands.length), units, resolve };
    this.#held.add(held);
    const timer = this.#isFull ? undefined : setTimeout(resolve, HELD_MS);
    if (timer) await promise;
    clearTimeout(timer);
    this.#held.delete(held);
    if (seq > this.next) throw new AheadError(this.next);
  }

  get #isFull(): boolean {
    const held = [...this.#held];
    const sumOf = (key: "count" | "units") => held.reduce((sum, one) => sum + one[key], 0);
    return sumOf("count") > HELD_COMMANDS || sumOf("units") > HELD_UNITS;
  }
}

/** Commands before these are missing. */
export class AheadError extends HttpError {
  readonly expected: number;

  constructor(expected: number) {
    super(409, "commands_missing", `Command ${expected} has not come: send it, and all that follow, again.`);
    this.expected = expected;
  }
}
