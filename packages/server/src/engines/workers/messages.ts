/**
 * What the nodes of one machine and the process between them say to each other. Everything of one tick goes in one
 * parcel, and parcels keep their order. They travel as JSON, which costs Bun's IPC less than its structured clone does.
 */

import { CommandError, type CommandErrorCode } from "../../domain/error.ts";
import type { EventPublication, Position, Publication } from "../../domain/message.ts";
import type { HistoryPolicy, IdempotencyKey, NodeReport, PresenceEntry, RegistryChange } from "../../domain/ports.ts";

/** What a node wants done. */
export type Request =
  | readonly ["subscribe" | "unsubscribe", app: string, channel: string]
  | readonly ["publish", publication: Publication, keep: HistoryPolicy | null]
  | readonly ["publishOnce", publication: EventPublication, once: IdempotencyKey, keep: HistoryPolicy | null]
  | readonly ["history", app: string, channel: string, since: Position | null, limit: number]
  /** JSON has no word for "without end": null. */
  | readonly ["join", row: PresenceEntry, maxMembers: number | null]
  | readonly ["leave", row: PresenceEntry]
  | readonly ["tally", app: string, channel: string, count: number]
  /** The node has told on that the channel is occupied, or that a member has left it for good. */
  | readonly ["told", app: string, channel: string]
  | readonly ["members" | "summary", app: string, channel: string]
  | readonly ["channels", app: string, prefix: string]
  | readonly ["take", place: string, holder: string, most: number | null]
  | readonly ["giveBack", place: string, holder: string]
  | readonly ["spend", bucket: string, perSecond: number]
  | readonly ["once", key: string, ttlMs: number]
  | readonly ["noted" | "forget", key: string]
  | readonly ["raise", name: string, to: number, ttlMs: number]
  | readonly ["level", name: string]
  | readonly ["nodes"]
  | readonly ["beat", report: NodeReport]
  /** The node takes everything of its own back, and is a node no more. */
  | readonly ["close"];

export type Operation = Request[0];

/** With the number that its answer repeats; 0 where none is wanted. */
export type NumberedRequest = readonly [id: number, ask: Request];

export interface WorkerBatch {
  /** The last parcel that this node has worked off. */
  readonly acknowledged: number;
  /**
   * When whoever asked gives up, by the other side's clock: what is read later is not published any more. Null as long as
   * this node has not heard from the other side.
   */
  readonly untilMs: number | null;
  readonly requests: readonly NumberedRequest[];
}

/** What a node is told, in the order in which it happened. */
export type Message =
  | readonly ["publication", publication: Publication]
  | readonly ["answer", id: number, value?: unknown]
  | readonly ["refusal", id: number, code: CommandErrorCode, message: string]
  | readonly ["facts", facts: readonly RegistryChange[]];

export interface HubBatch {
  readonly number: number;
  /** The clock that counts. */
  readonly atMs: number;
  readonly messages: readonly Message[];
}

/** How often either side says that it is there. */
export const HEARTBEAT_MS = 1_000;

/** Whoever publishes is slowed while more than this waits for a node, in bytes. */
export const BACKPRESSURE_BYTES = 1024 * 1024;

/** Of one word beside what it carries, in bytes; a rough figure is enough for a limit. */
const WORD_BYTES = 200;

export function bytesOf([type, content]: Message): number {
  return WORD_BYTES + (type === "publication" && content.type === "event" ? content.data.length : 0);
}

/** One way of a conversation: either side hands parcels to the other through it. */
export type Send<Parcel> = (parcel: Parcel) => void;

export function without(most: number): number | null {
  return Number.isFinite(most) ? most : null;
}

export function limitOf(most: number | null): number {
  return most ?? Number.POSITIVE_INFINITY;
}

export function hubUnavailable(): CommandError {
  return new CommandError("engine_unavailable", "The process that this one works for does not answer; try again.");
}
