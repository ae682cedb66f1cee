/**
 * One turn at a time per connection: a quick publish must not overtake the slow subscribe before it. What comes during a turn,
 * or beyond the connection's share, waits for its own. The same for connections of the hub and of the program's endpoints.
 */

import type { Clock } from "../domain/ports.ts";
import type { Frame, FrameQueue, Socket } from "../domain/transport.ts";
import {
  countFrame,
  countWork,
  isOverShare,
  PacedQueue,
  type QueueOwner,
  type ShareHolder,
  type TurnQueue,
} from "./turn-queue.ts";

export interface TurnTaker extends ShareHolder {
  readonly socket: Pick<Socket, "cork" | "pause" | "resume"> | undefined;
  /** What waits is dropped. */
  readonly closed: boolean;
  /** What waits. Absent while nothing does. */
  frameQueue: FrameQueue | undefined;
  turnsUnderWay: number;
}

/** What connections are connections of: the hub, an endpoint. */
export interface TurnHost {
  readonly turnQueue: TurnQueue;
  readonly clock: Clock;
}

/** What turns of one kind of connection consist of. */
export interface TurnHandler<H, C extends TurnTaker> {
  /** One at a time, unless it says otherwise. */
  maxTurns?(host: H): number;
  waitingLimits(host: H, of: C): { readonly frames: number; readonly bytes: number };
  /** Undefined when the turn is over; else a promise that is fulfilled when it is. Never throws or rejects. It is `nowMs`. */
  run(host: H, of: C, frame: Frame, nowMs: number): Promise<void> | undefined;
  /** More wait than may. */
  overflowed(host: H, of: C, limit: "frames" | "bytes"): void;
  /** It has asked for more than its share for so long. */
  fellBehind(host: H, of: C, seconds: number): void;
  /** A turn is over, or nothing waits any more. */
  turnEnded?(of: C): void;
}

export class Turns<H extends TurnHost, C extends TurnTaker> {
  readonly handler: TurnHandler<H, C>;

  constructor(handler: TurnHandler<H, C>) {
    this.handler = handler;
  }

  /** A frame came in: runs it now where it may, or else in its turn. */
  receive(host: H, of: C, frame: Frame, bytes: number, nowMs: number): void {
    countFrame(of, nowMs);
    if (this.isBusy(host, of) || isOverShare(of) || of.frameQueue?.hasPending) this.#wait(host, of, frame, bytes);
    else this.run(host, of, frame, nowMs);
  }

  /** A ping or a pong came in, which the runtime has answered already. It cannot be made to wait, but what follows it can. */
  receivePing(host: H, of: C, nowMs: number): void {
    countFrame(of, nowMs);
    if (isOverShare(of)) this.#queueOf(host, of).rest(nowMs);
  }

  /** Makes the frames that come wait for this work, which never throws or rejects. */
  hold(host: H, of: C, work: () => Promise<void> | undefined): void {
    of.turnsUnderWay++;
    this.#follow(host, of, work());
  }

  /** What begins at once counts against the connection's share; what waited has paid for itself. */
  run(host: H, of: C, frame: Frame, startMs?: number): void {
    of.turnsUnderWay++;
    const turn = this.handler.run(host, of, frame, startMs ?? host.clock.monotonicMs());
    if (turn) this.#follow(host, of, turn, startMs);
    else endTurn(this.handler, host, of, startMs);
  }

  isBusy(host: H, of: C): boolean {
    return of.turnsUnderWay > 0 && of.turnsUnderWay >= (this.handler.maxTurns?.(host) ?? 1);
  }

  #follow(host: H, of: C, turn: Promise<void> | undefined, startMs?: number): void {
    if (!turn) return endTurn(this.handler, host, of, startMs);
    void turn.then(() => {
      endTurn(this.handler, host, of, startMs);
      of.frameQueue?.drain();
    });
  }

  #wait(host: H, of: C, frame: Frame, bytes: number): void {
    const queue = this.#queueOf(host, of);
    const limits = this.handler.waitingLimits(host, of);
    if (queue.size >= limits.frames) return this.handler.overflowed(host, of, "frames");
    if (queue.bytes >= limits.bytes) return this.handler.overflowed(host, of, "bytes");
    queue.add(frame, bytes);
  }

  #queueOf(host: H, of: C): FrameQueue {
    of.frameQueue ??= new PacedQueue(host.turnQueue, new WaitingFrames(this, host, of));
    return of.frameQueue;
  }
}

/** Makes the frames of a connection of any kind wait for work that never rejects. */
export function holdTurn(of: TurnTaker, work: Promise<void>): void {
  of.turnsUnderWay++;
  void work.then(() => {
    of.turnsUnderWay--;
    of.frameQueue?.drain();
  });
}

/** A function, because calling a private method costs each frame some nanoseconds. */
function endTurn<H extends TurnHost, C extends TurnTaker>(
  { turnEnded }: TurnHandler<H, C>,
  { clock }: H,
  of: C,
  startMs: number | undefined,
): void {
  of.turnsUnderWay--;
  if (startMs !== undefined) countWork(of, startMs, clock.monotonicMs());
  turnEnded?.(of);
}

/** The frames of one connection, as the turn queue has them. */
class WaitingFrames<H extends TurnHost, C extends TurnTaker> implements QueueOwner<Frame> {
  readonly #turns: Turns<H, C>;
  readonly #host: H;
  readonly #of: C;

  constructor(turns: Turns<H, C>, host: H, of: C) {
    this.#turns = turns;
    this.#host = host;
    this.#of = of;
  }

  get socket(): TurnTaker["socket"] {
    return this.#of.socket;
  }

  get isClosed(): boolean {
    return this.#of.closed;
  }

  get isBusy(): boolean {
    return this.#turns.isBusy(this.#host, this.#of);
  }

  process(frame: Frame): void {
    this.#turns.run(this.#host, this.#of, frame);
  }

  onEmpty(wasPaused: boolean): void {
    if (!wasPaused) this.#of.frameQueue = undefined;
    this.#turns.handler.turnEnded?.(this.#of);
  }

  onTooFarBehind(seconds: number): void {
    this.#turns.handler.fellBehind(this.#host, this.#of, seconds);
  }
}
