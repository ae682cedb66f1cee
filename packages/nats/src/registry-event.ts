/** What nodes write about themselves: one event per subject, the last one counts. Checked when read: any NATS client could have written it. */

import { asRecord, asString, type NodeReport, type PresenceEntry, parseCount, parseMemberFields } from "fanfare/engine";
import { type SaidAt, WHEN_JOINED } from "./shown-member.ts";
import type { Subjects } from "./subjects.ts";

/** Each event of a node has the next number `n`, so that none is missed unnoticed; a node's own report repeats the last. */
export type RegistryEvent =
  | {
      readonly type: "node";
      readonly n: number;
      readonly report: NodeReport;
      /** Numbers that were left out before this one were never written. */
      readonly isFresh: boolean;
      /** Since the stream was made, the node has written everything again. */
      readonly isComplete: boolean;
    }
  | {
      /** The user is there, and this is what the node knows of it: written again where that changes. */
      readonly type: "join";
      readonly n: number;
      readonly entry: PresenceEntry;
      readonly saidAt: SaidAt;
      readonly joinedAtMs: number;
      /** How many members there may be; undefined where there is no limit. */
      readonly maxMembers?: number;
    }
  | ({ readonly type: "leave"; readonly n: number } & ChannelRef)
  | ({ readonly type: "count"; readonly n: number; readonly count: number } & ChannelRef)
  /** The incarnation is over: every node removes what it wrote. */
  | { readonly type: "reap"; readonly by: string };

export interface ChannelRef {
  readonly app: string;
  readonly channel: string;
}

/** With the incarnation that wrote it, and its key there. */
export interface ParsedEvent {
  readonly incarnation: string;
  readonly key: string;
  readonly event: RegistryEvent;
}

export type ChannelEvent = Extract<RegistryEvent, { readonly type: "join" | "leave" | "count" }>;

/** A channel event without its number. */
export type UnnumberedEvent = {
  [Type in ChannelEvent["type"]]: Omit<ChannelEvent & { type: Type }, "n">;
}[ChannelEvent["type"]];

/** Grows when an old node could no longer read what a new one writes. */
const VERSION = 2;

type Joined = Omit<Extract<RegistryEvent, { readonly type: "join" }>, "type" | "n" | "maxMembers"> & {
  readonly maxMembers: number;
};

export function joinEvent({ entry, saidAt, joinedAtMs, maxMembers }: Joined): UnnumberedEvent {
  return { type: "join", entry, saidAt, joinedAtMs, ...(Number.isFinite(maxMembers) && { maxMembers }) };
}

export function countEvent(of: ChannelRef, count: number): UnnumberedEvent {
  return { type: "count", ...channelOf(of), count };
}

export function channelOf({ app, channel }: ChannelRef): ChannelRef {
  return { app, channel };
}

export function encodeEvent(event: RegistryEvent): string {
  return JSON.stringify({ v: VERSION, ...event });
}

/** Throws where it is none. */
export function parseEvent(subjects: Subjects, subject: string, text: string): ParsedEvent {
  const parsed = subjects.parseRegistry(subject);
  if (!parsed) throw new Error("a subject of no node");
  return { ...parsed, event: decodeEvent(text) };
}

export function isReport({ event }: ParsedEvent): boolean {
  return event.type === "node";
}

/** Throws where it is none. */
function decodeEvent(text: string): RegistryEvent {
  const fields = asRecord(JSON.parse(text));
  if (fields.v !== VERSION) throw new Error("no registry event, or one of another version");
  const { type } = fields;
  switch (type) {
    case "node":
      return {
        type,
        n: parseCount(fields.n),
        report: reportOf(asRecord(fields.report)),
        isFresh: fields.isFresh === true,
        isComplete: fields.isComplete === true,
      };
    case "join":
      return {
        type,
        n: parseCount(fields.n),
        entry: entryOf(asRecord(fields.entry)),
        saidAt: fields.saidAt === undefined ? WHEN_JOINED : saidAtOf(asRecord(fields.saidAt)),
        joinedAtMs: parseCount(fields.joinedAtMs),
        ...(fields.maxMembers !== undefined && { maxMembers: parseCount(fields.maxMembers) }),
      };
    case "leave":
      return { type, n: parseCount(fields.n), ...parseChannel(fields) };
    case "count":
      return { type, n: parseCount(fields.n), ...parseChannel(fields), count: parseCount(fields.count) };
    case "reap":
      return { type, by: asString(fields.by) };
    default:
      throw new Error("a registry event of no known type");
  }
}

function parseChannel({ app, channel }: Record<string, unknown>): ChannelRef {
  return { app: asString(app), channel: asString(channel) };
}

function entryOf(fields: Record<string, unknown>): PresenceEntry {
  return { ...parseChannel(fields), connection: asString(fields.connection), member: parseMemberFields(fields.member) };
}

function saidAtOf({ info, state }: Record<string, unknown>): SaidAt {
  return { info: parseCount(info), state: parseCount(state) };
}

function reportOf(fields: Record<string, unknown>): NodeReport {
  const { id, name, url, startedAtMs, connections, lagMs, memoryBytes, draining, unready } = fields;
  const { connectionsLimit, portGroup } = fields;
  return {
    id: asString(id),
    name: asString(name),
    ...(url !== undefined && { url: asString(url) }),
    startedAtMs: parseCount(startedAtMs),
    connections: parseCount(connections),
    lagMs: parseCount(lagMs),
    ...(memoryBytes !== undefined && { memoryBytes: parseCount(memoryBytes) }),
    draining: draining === true,
    ...(unready === true && { unready }),
    ...(connectionsLimit !== undefined && { connectionsLimit: parseCount(connectionsLimit) }),
    ...(portGroup !== undefined && { portGroup: asString(portGroup) }),
  };
}
