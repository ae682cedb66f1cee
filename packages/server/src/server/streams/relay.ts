/**
 * Requests of clients whose connection another node has: what is sent is passed on, and what is to be read is fetched, so that no
 * balancer has to know which node a client is with. And what nodes say to each other for it.
 */

import type { Awaitable, Ledger } from "../../domain/ports.ts";
import { nodeNumber } from "../../hub/context.ts";
import type { Hub } from "../../hub/hub.ts";
import { NodeStates } from "../cluster/node-states.ts";
import { type Outcome, SESSION_GONE } from "./deliver.ts";
import { type CloseReason, HttpSocket, type Streams } from "./http-socket.ts";

/** How long the owner may have nothing to report before it says so. */
const WAIT_MS = 8_000;
/** How much longer the answer may take, before it counts as lost and is asked for again. */
const TRAVEL_MS = 3_000;
/** What is sent may have to wait at its owner for commands that are missing, five seconds of them. */
const SEND_MS = 8_000;
const RETRY_MS = 500;
/** Owners of sessions that clients made up are noted for so long, and again after half of it. */
const NOTED_MS = 120_000;
const SHUTDOWN = { code: 4200, reason: "The connection is lost; connect again." };

export interface Relayed {
  readonly session: string;
  readonly origin: string | null;
  readonly owner: number;
}

export interface RelayedReading extends Relayed {
  readonly after: number | undefined;
  readonly isPoll: boolean;
  readonly isResumable: boolean;
}

/** What a request reads from here is what its connection's node sent. */
export interface Mirror {
  readonly socket: HttpSocket;
  readonly key: string;
}

export class Relay {
  readonly #hub: Hub;
  readonly #streams: Streams;
  readonly #ledger: Ledger;
  readonly #nodes: NodeStates;
  #lastReader = 0;

  constructor(options: { readonly hub: Hub; readonly streams: Streams; readonly ledger: Ledger }) {
    this.#hub = options.hub;
    this.#streams = options.streams;
    this.#ledger = options.ledger;
    this.#nodes = new NodeStates(options.hub, options.hub.clock);
  }

  /** Other nodes find the session here, for two minutes. Rejects with CommandError `engine_unavailable`. */
  async note(session: string): Promise<void> {
    await this.#ledger.setMax(noteOf(session), this.#hub.nodeBus.number, NOTED_MS);
  }

  /** How often `note` is due. */
  readonly noteAgainMs = NOTED_MS / 2;

  /** The node that noted the session; undefined where none did, or where that one is this one, or dead. */
  async noted(session: string): Promise<number | undefined> {
    return this.#alive(await this.#ledger.get(noteOf(session)));
  }

  /** The node that the session names. */
  named(session: string): Awaitable<number | undefined> {
    const [, number] = /^(\d{1,10})\./.exec(session) ?? [];
    return number === undefined ? undefined : this.#alive(Number(number));
  }

  async send(relayed: Relayed, frames: readonly string[], seq?: number): Promise<Outcome> {
    return this.#act(relayed, { do: "send", frames, ...(seq !== undefined && { seq }) });
  }

  close(relayed: Relayed): Promise<Outcome> {
    return this.#act(relayed, { do: "close" });
  }

  /** Begins to read. The mirror has what was waiting, and gets what follows for as long as a request reads it. */
  async read(reading: RelayedReading): Promise<Mirror | Exclude<ReadAnswer["type"], "frames">> {
    const reader = `${this.#hub.nodeBus.number}.${++this.#lastReader}`;
    const first = await this.#ask(reading, reader, { isFirst: true, after: reading.after, waitMs: 0 });
    if (first.type !== "frames") return first.type;
    const source = new MirrorSource(this.#hub, this.#streams, first.position, () => {
      const isGone = source.isCutOff && !reading.isResumable;
      if (!source.isDone) void this.#act(reading, { do: "hang up", reader, isGone }).catch(() => {});
    });
    source.feed(first);
    source.isDone = reading.isPoll && first.frames.length > 0;
    // The request attaches in this turn of the event loop.
    if (!source.isDone) setImmediate(() => void this.#pump(reading, reader, source));
    return { socket: source.socket, key: first.key };
  }

  async #pump(reading: RelayedReading, reader: string, source: MirrorSource): Promise<void> {
    let failedAtMs: number | undefined;
    while (!source.isOver) {
      try {
        const answer = await this.#ask(reading, reader, { isFirst: false, after: source.last, waitMs: WAIT_MS });
        failedAtMs = undefined;
        if (answer.type !== "frames") return source.finish(answer.type);
        source.feed(answer);
        if (reading.isPoll && answer.frames.length > 0) source.isDone = true;
        if (answer.closing || source.isDone) return;
        await source.written();
      } catch {
        // It is asked again: the answer may be what was lost.
        const nowMs = this.#hub.clock.monotonicMs();
        failedAtMs ??= nowMs;
        const isDead = (await this.#alive(reading.owner).catch(() => reading.owner)) === undefined;
        if (isDead || nowMs - failedAtMs > WAIT_MS) return source.finish("gone");
        await Bun.sleep(RETRY_MS);
      }
    }
  }

  async #ask(
    { owner, session, origin, isPoll, isResumable }: RelayedReading,
    reader: string,
    { isFirst, after, waitMs }: { isFirst: boolean; after: number | undefined; waitMs: number },
  ): Promise<ReadAnswer> {
    const question: Question = {
      ...{ do: "read", session, origin, reader, isPoll, isResumable, isFirst, waitMs },
      ...(after !== undefined && { after }),
    };
    return (await this.#hub.nodeBus.ask(owner, SESSIONS_TOPIC, question, waitMs + TRAVEL_MS)) as ReadAnswer;
  }

  async #act({ owner, session, origin }: Relayed, what: object): Promise<Outcome> {
    const answer = await this.#hub.nodeBus.ask(owner, SESSIONS_TOPIC, { session, origin, ...what }, SEND_MS);
    return (answer as Outcome | undefined) ?? SESSION_GONE;
  }

  /** A node that is not listed is not asked, which would take seconds. */
  async #alive(node: number | undefined): Promise<number | undefined> {
    if (node === undefined || node === this.#hub.nodeBus.number) return undefined;
    const nodes = await this.#nodes.read();
    return nodes.some(({ id }) => nodeNumber(id) === node) ? node : undefined;
  }
}

function noteOf(session: string): string {
  return `http session ${session}`;
}

/** Frames of another node, in a socket that a request reads as it reads any. */
class MirrorSource {
  readonly socket: HttpSocket;
  /** The request is answered, so that its end is none of the owner's business. */
  isDone = false;
  /** The client hung up. */
  isCutOff = false;
  isOver = false;
  #written: (() => void) | undefined;
  last: number;

  constructor(hub: Hub, streams: Streams, position: number, hungUp: () => void) {
    this.last = position;
    const over = (isCutOff: boolean) => {
      if (this.isOver) return;
      this.isOver = true;
      this.isCutOff = isCutOff;
      this.#written?.();
      hungUp();
    };
    this.socket = new HttpSocket({
      streams,
      limitBytes: Number.POSITIVE_INFINITY,
      encode: (frame) => frame,
      startAt: position,
      nowMs: () => hub.clock.monotonicMs(),
      caughtUp: () => this.#written?.(),
      overflowed: () => {},
      detached: () => queueMicrotask(() => over(false)),
      ended: () => over(true),
    });
  }

  feed({ position, frames, closing, isAlive }: Batch): void {
    // Asked twice, the owner may repeat itself.
    for (const frame of frames.slice(this.last - position)) this.socket.send(frame);
    this.last = Math.max(this.last, position + frames.length);
    if (isAlive) this.socket.giveSignOfLife();
    if (!closing) return;
    this.isDone = true;
    this.socket.close(closing.code, closing.reason);
  }

  /** When the client has taken what there was, or is gone. */
  written(): Promise<void> {
    if (this.isOver) return Promise.resolve();
    return new Promise((resolve) => {
      this.#written = resolve;
      this.socket.ping("written");
    });
  }

  finish(why: Exclude<ReadAnswer["type"], "frames">): void {
    this.isDone = true;
    if (why === "gone") this.socket.close(SHUTDOWN.code, SHUTDOWN.reason);
    else this.socket.terminate();
  }
}

/** The topic on the bus of the nodes. */
export const SESSIONS_TOPIC = "http session";

interface Named {
  readonly session: string;
  readonly origin: string | null;
}

/** The next frames, as soon as there are any. What it has not been given `after` for may be asked again. */
export interface ReadQuestion extends Named {
  readonly do: "read";
  /** The request, by a name that its node gave it. */
  readonly reader: string;
  /** From now on this request reads. Otherwise it only goes on, and never takes the place of another. */
  readonly isFirst: boolean;
  /** The last frame that arrived; without it, the last that was ever written. */
  readonly after?: number;
  /** 0 where `after` is what the client itself says that it has. */
  readonly waitMs: number;
  readonly isPoll: boolean;
  /** A client that hangs up comes back. */
  readonly isResumable: boolean;
}

export interface HangUpQuestion extends Named {
  readonly do: "hang up";
  readonly reader: string;
  /** The client does not come back. */
  readonly isGone: boolean;
}

export interface SendQuestion extends Named {
  readonly do: "send";
  /** Without it, frames of Pusher's. */
  readonly seq?: number;
  readonly frames: readonly string[];
}

export interface CloseQuestion extends Named {
  readonly do: "close";
}

export type Question = ReadQuestion | HangUpQuestion | SendQuestion | CloseQuestion;

export interface Batch {
  readonly type: "frames";
  /** Of the app, for what pages of other origins may read. */
  readonly key: string;
  /** The number of the frame before the first of these. */
  readonly position: number;
  readonly frames: readonly string[];
  /** All is said. */
  readonly closing?: CloseReason;
  /** The client asked whether the server is there. */
  readonly isAlive?: true;
}

/** `replaced`: by another request of the client's. `limited`: the session sends too many. */
export type ReadAnswer = Batch | { readonly type: "gone" | "forbidden" | "replaced" | "limited" };

export type Answer = ReadAnswer | Outcome;

/** Anything that can publish in the engine can ask. Throws where it is no question. */
export function parseQuestion(data: unknown): Question {
  const question = data as Partial<Record<string, unknown>>;
  const { session, origin, reader, frames, after, waitMs, seq } = question;
  const isNamed = typeof session === "string" && (origin === null || typeof origin === "string");
  const isNumber = (value: unknown) => value === undefined || Number.isSafeInteger(value);
  const isRight = {
    read: typeof reader === "string" && typeof waitMs === "number" && isNumber(after),
    "hang up": typeof reader === "string",
    send: Array.isArray(frames) && frames.every((frame) => typeof frame === "string") && isNumber(seq),
    close: true,
  }[question.do as Question["do"]];
  if (!isNamed || isRight !== true) throw new Error("It is no question about a session.");
  return question as unknown as Question;
}
