/**
 * What is known of one Pusher instance across its connections: the position in each channel, the ids it had, and when it may connect again.
 * Reads the frames that arrive, and adds to those that are sent.
 */

import type Pusher from "pusher-js";
import type { Position, PositionStore } from "../types.ts";
import type { Config } from "./seams.ts";

export type GapReason = "unrecoverable" | "server";

export interface RecoverOptions {
  /** Something of the channel may be lost: load what you show anew. The channel also gets the event `fanfare:gap`. */
  readonly onGap?: (channel: string, reason: GapReason, pusher: Pusher) => void;
  /** Where positions are kept. Default: in memory, so a reload begins anew. A store is for one Pusher instance. */
  readonly positions?: PositionStore;
  /** Over how many milliseconds reconnects are spread, so that not all clients come back in one moment. Default 1 000. */
  readonly spreadMs?: number;
  /** How long a failed attempt to connect waits for the next, in milliseconds: from `minMs`, doubled up to `maxMs`, times a random 0.5 to 1.5. */
  readonly retry?: { readonly minMs: number; readonly maxMs: number };
  /** Whether the connection is looked after when the page wakes up or the network changes. Default true. */
  readonly wake?: boolean;
}

/** What a session does with the socket that a frame came from. */
interface Link {
  deliver(): void;
  /** Asks again for the channel, after a while. */
  subscribeLater(channel: string): void;
}

interface ControlFrame {
  readonly event?: string;
  readonly channel?: string;
  readonly data?: unknown;
  readonly recover?: boolean;
  readonly recovered?: boolean;
  readonly position?: Position;
}

/** The server takes as many. */
const PREVIOUS_IDS = 8;
const STORE_TIMEOUT_MS = 1_000;
/** The position is the last member, and what is inside a string has its quotes escaped: no second parse of the frame is needed. */
const POSITION = /,"position":\{"epoch":"([^"\\]*)","offset":(\d+)\}\}$/;
const CHANNEL = /,"channel":"([^"\\]*)"/;

export class Session {
  readonly options: RecoverOptions;
  readonly #config: Config;
  readonly #instances: readonly Pusher[];
  #pusher: Pusher | undefined;
  /** Failed attempts since the last connection. */
  #failures = 0;
  /** How long the next attempt is to wait; until when, once it has begun. */
  #waitMs: number | undefined;
  #dialAt = 0;
  readonly #positions = new Map<string, Position>();
  #ids: string[] = [];
  /** Whether the server of the present connection knows positions. */
  #isSupported = false;
  #afterMs: number | undefined;

  constructor(config: Config, instances: readonly Pusher[], options: RecoverOptions) {
    this.#config = config;
    this.#instances = instances;
    this.options = options;
  }

  /** pusher-js asks for the way to connect before it lists the instance. */
  get pusher(): Pusher | undefined {
    this.#pusher ??= this.#instances.find((it) => (it.config as unknown) === this.#config);
    return this.#pusher;
  }

  /** An instance that changes its cluster gets other settings, and stays the same. */
  isOf(config: unknown): boolean {
    return this.#config === config || (this.pusher?.config as unknown) === config;
  }

  /** Whether a connection's first frame is one that pusher-js can go on with. It would wait for ever after any other. */
  begin(text: unknown): boolean {
    const { event, data, recover } = parse(text);
    if (event === "pusher:error") {
      this.#isSupported = false;
      this.lost(parse(data).code);
      return true;
    }
    const { socket_id: id, activity_timeout: timeout } = parse(data);
    if (event !== "pusher:connection_established" || !timeout) return false;
    this.#isSupported = recover === true;
    this.#ids = [...this.#ids, String(id)].slice(-PREVIOUS_IDS - 1);
    this.#failures = 0;
    this.#afterMs = undefined;
    return true;
  }

  /** The connection broke: the next one is not made in the same moment as everybody's. */
  lost(code: number): void {
    const { spreadMs = 1_000 } = this.options;
    const isFull = code >= 4100 && code < 4200;
    this.#waitMs = isFull ? this.nextRetryMs() : (this.#afterMs ?? Math.random() * spreadMs);
  }

  /** For an attempt that begins now, after the second that pusher-js always waits. */
  waitMs(): number {
    const now = Date.now();
    if (this.#waitMs !== undefined) this.#dialAt = now + this.#waitMs;
    this.#waitMs = undefined;
    return this.#dialAt - now;
  }

  nextRetryMs(): number {
    const { minMs, maxMs } = this.options.retry ?? { minMs: 500, maxMs: 8_000 };
    return Math.min(maxMs, minMs * 2 ** this.#failures++) * (0.5 + Math.random());
  }

  receive(text: unknown, link: Link): void {
    if (!this.#isSupported || typeof text !== "string") return link.deliver();
    if (text.startsWith('{"event":"pusher')) return this.#control(parse(text), link);
    const [, epoch = "", offset] = POSITION.exec(text) ?? [];
    const channel = CHANNEL.exec(text)?.[1];
    if (offset !== undefined && channel !== undefined) {
      const position = { epoch, offset: Number(offset) };
      const last = this.#positions.get(channel);
      if (last?.epoch === epoch && position.offset <= last.offset) return;
      // Before it is delivered: a listener that throws does not make it come again.
      this.#remember(channel, position);
    }
    link.deliver();
  }

  /** A subscription as the server is to get it; later where the store takes its time. */
  request(frame: string, channel: string): string | Promise<string> {
    const { positions } = this.options;
    if (!this.#isSupported) return frame;
    const known = this.#positions.get(channel);
    if (known || !positions) return this.#withPosition(frame, known);
    const read = async () => positions.get(channel);
    const late = new Promise<undefined>((resolve) => setTimeout(resolve, STORE_TIMEOUT_MS));
    return Promise.race([read(), late]).then(
      (stored) => this.#withPosition(frame, stored),
      () => frame,
    );
  }

  forget(channel: string): void {
    this.#positions.delete(channel);
    this.#store((positions) => positions.delete(channel));
  }

  #control({ event, channel = "", data, recovered, position }: ControlFrame, link: Link): void {
    if (event === "pusher_internal:gap") return this.#tellGap(channel, "server");
    if (event === "pusher:subscription_error" && isRetryable(parse(data).status)) return link.subscribeLater(channel);
    if (event === "pusher:error") this.#afterMs = parse(data).after_ms;
    const isAnswer = event === "pusher_internal:subscription_succeeded";
    if (isAnswer && position) this.#remember(channel, position);
    link.deliver();
    if (!isAnswer) return;
    if (recovered) this.pusher?.channel(channel)?.emit("fanfare:recovered", {});
    if (recovered === false) this.#tellGap(channel, "unrecoverable");
  }

  #tellGap(name: string, reason: GapReason): void {
    const { pusher } = this;
    const channel = pusher?.channel(name);
    if (!pusher || !channel) return;
    channel.emit("fanfare:gap", { reason });
    this.options.onGap?.(name, reason, pusher);
  }

  /** Frames that were on their way when the channel was left do not count: who joins it again begins anew. */
  #remember(channel: string, position: Position): void {
    if (!this.pusher?.channel(channel)) return;
    this.#positions.set(channel, position);
    this.#store((positions) => positions.set(channel, position));
  }

  /** A store that fails costs what it was for, and no more. */
  async #store(act: (positions: PositionStore) => unknown): Promise<void> {
    try {
      if (this.options.positions) await act(this.options.positions);
    } catch {}
  }

  #withPosition(frame: string, position: Position | undefined): string {
    if (typeof position?.epoch !== "string" || !Number.isSafeInteger(position.offset)) return frame;
    const message = JSON.parse(frame);
    Object.assign(message.data, { position, previous_socket_ids: this.#ids.slice(0, -1) });
    return JSON.stringify(message);
  }
}

function isRetryable(status: number): boolean {
  return status === 429 || status >= 500;
}

// biome-ignore lint/suspicious/noExplicitAny: any JSON object; what is read of it is compared.
function parse(text: unknown): any {
  try {
    return (typeof text === "string" ? JSON.parse(text) : text) ?? {};
  } catch {
    return {};
  }
}
