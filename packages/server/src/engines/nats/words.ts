/** What nodes write down about themselves: one word per subject, the last one counts. Read with suspicion. */

import type { NodeReport, PresenceEntry } from "../../domain/ports.ts";
import { asText, record } from "../fields.ts";
import { count, memberOf } from "./codec.ts";

/** Each word of a node has the next number `n`, so that nobody misses one without noticing; a node's own record repeats the last. */
export type Word =
  | {
      readonly type: "node";
      readonly n: number;
      readonly report: NodeReport;
      /** Numbers that were left out before this one were never written. */
      readonly isFresh: boolean;
      /** Since the stream was made, all that the node has was written again. */
      readonly isComplete: boolean;
    }
  | {
      readonly type: "join";
      readonly n: number;
      readonly row: PresenceEntry;
      readonly joinedAtMs: number;
      /** How many members there may be; undefined where there is no limit. */
      readonly most?: number;
    }
  | { readonly type: "leave"; readonly n: number; readonly app: string; readonly channel: string }
  | {
      readonly type: "tally";
      readonly n: number;
      readonly app: string;
      readonly channel: string;
      readonly count: number;
    }
  /** The generation is over: whoever hears it takes back all that it wrote. */
  | { readonly type: "reap"; readonly by: string };

/** A word without its number. */
export type Unnumbered =
  | Omit<Word & { type: "join" }, "n">
  | Omit<Word & { type: "leave" }, "n">
  | Omit<Word & { type: "tally" }, "n">;

const VERSION = 1;

export function joinWord(row: PresenceEntry, most: number, joinedAtMs: number): Unnumbered {
  return { type: "join", row, joinedAtMs, ...(Number.isFinite(most) && { most }) };
}

export function tallyWord({ app, channel, count }: { app: string; channel: string; count: number }): Unnumbered {
  return { type: "tally", app, channel, count };
}

/** Only the place. */
export function about({ app, channel }: { readonly app: string; readonly channel: string }) {
  return { app, channel };
}

export function encodeWord(word: Word): string {
  return JSON.stringify({ v: VERSION, ...word });
}

/** Throws where it is none. */
export function decodeWord(text: string): Word {
  const fields = record(JSON.parse(text));
  if (fields.v !== VERSION) throw new Error("no word of a node, or one of a later version");
  const { type } = fields;
  switch (type) {
    case "node": {
      const { isFresh, isComplete } = fields;
      return {
        type,
        n: count(fields.n),
        report: reportOf(record(fields.report)),
        isFresh: isFresh === true,
        isComplete: isComplete === true,
      };
    }
    case "join": {
      const { row, most } = fields;
      const limit = most === undefined ? {} : { most: count(most) };
      return { type, n: count(fields.n), row: rowOf(record(row)), joinedAtMs: count(fields.joinedAtMs), ...limit };
    }
    case "leave":
      return { type, n: count(fields.n), ...placeOf(fields) };
    case "tally":
      return { type, n: count(fields.n), ...placeOf(fields), count: count(fields.count) };
    case "reap":
      return { type, by: asText(fields.by) };
    default:
      throw new Error("a word of no known type");
  }
}

function placeOf({ app, channel }: Record<string, unknown>) {
  return { app: asText(app), channel: asText(channel) };
}

function rowOf(fields: Record<string, unknown>): PresenceEntry {
  return { ...placeOf(fields), connection: asText(fields.connection), member: memberOf(fields.member) };
}

function reportOf(fields: Record<string, unknown>): NodeReport {
  const { id, name, url, startedAtMs, connections, lagMs, memoryBytes, draining, unready } = fields;
  return {
    id: asText(id),
    name: asText(name),
    ...(url !== undefined && { url: asText(url) }),
    startedAtMs: count(startedAtMs),
    connections: count(connections),
    lagMs: count(lagMs),
    ...(memoryBytes !== undefined && { memoryBytes: count(memoryBytes) }),
    draining: draining === true,
    ...(unready === true && { unready }),
  };
}
