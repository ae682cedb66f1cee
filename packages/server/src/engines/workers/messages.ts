/**
 * What workers and the hub process between them send to each other. Everything of one tick goes in one batch, and batches keep
 * their order. They travel as JSON, which costs Bun's IPC less than its structured clone does.
 */

import { CommandError, type CommandErrorCode } from "../../domain/error.ts";
import type { Publication } from "../../domain/message.ts";
import type { Awaitable, Broker, Ledger, NodeReport, NodeState, Registry, RegistryChange } from "../../domain/ports.ts";

/** What a worker may call: the methods of the engine's ports, and those of its own session. */
export interface HubMethods extends Required<Broker>, Required<Registry>, Ledger {
  nodes(): Awaitable<readonly NodeState[]>;
  heartbeat(report: NodeReport): void;
  /** The worker is no node any more: all that it has in the engine is taken back. */
  close(): Awaitable<void>;
}

export type Method = keyof HubMethods;
export type Answer<M extends Method> = Awaited<ReturnType<HubMethods[M]>>;

/**
 * `id` is repeated by the answer; 0 where no answer is wanted. JSON makes null of an argument that is absent, and of a limit that is
 * infinite.
 */
export type Request = {
  [M in Method]: readonly [id: number, method: M, args: Parameters<HubMethods[M]>];
}[Method];

export interface WorkerBatch {
  /** The last batch that this worker has processed. */
  readonly acknowledged: number;
  /**
   * When the caller gives up, by the hub's clock: a publication that is read later is not published any more. Null until this
   * worker has heard from the hub.
   */
  readonly untilMs: number | null;
  readonly requests: readonly Request[];
}

/** What a worker receives, in the order in which it happened. */
export type Message =
  | readonly ["publication", publication: Publication]
  | readonly ["answer", id: number, value?: unknown]
  | readonly ["refusal", id: number, code: CommandErrorCode, message: string]
  | readonly ["changes", changes: readonly RegistryChange[]];

export interface HubBatch {
  readonly number: number;
  /** By the hub's clock. */
  readonly atMs: number;
  readonly messages: readonly Message[];
}

export type Send<Batch> = (batch: Batch) => void;

/** How often either side sends a sign of life. */
export const HEARTBEAT_MS = 1_000;

/** Publishers are slowed while more than this waits for a worker, in bytes. */
export const BACKPRESSURE_BYTES = 1024 * 1024;

/** Of one message besides its data, in bytes; a rough figure is enough for a limit. */
const MESSAGE_BYTES = 200;

export function bytesOf([type, content]: Message): number {
  return MESSAGE_BYTES + (type === "publication" && content.type === "event" ? content.data.length : 0);
}

export function hubUnavailable(): CommandError {
  return new CommandError("engine_unavailable", "The process that this one works for does not answer; try again.");
}

/** Collects what is to be sent in one tick, so that it costs one message. */
export class TickBatch<Item> {
  readonly #send: (items: readonly Item[]) => void;
  #items: Item[] = [];
  #isScheduled = false;

  constructor(send: (items: readonly Item[]) => void) {
    this.#send = send;
  }

  add(item: Item): void {
    this.#items.push(item);
    this.schedule();
  }

  /** Sends at the end of the tick, even if there is nothing but the sign of life. */
  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.flush());
  }

  /** Sends now what is scheduled. */
  flush(): void {
    if (!this.#isScheduled) return;
    const items = this.#items;
    this.#items = [];
    this.#isScheduled = false;
    this.#send(items);
  }
}
