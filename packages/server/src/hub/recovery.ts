/**
 * What a newcomer is handed of the channel's past: the last event of a cache channel, or all that it missed since it was here,
 * and nothing twice or too little while that is read. What cannot be proved complete is said to be lost.
 */

import type { App } from "../domain/app.ts";
import { CommandError } from "../domain/error.ts";
import type { EventPublication, Position, Resume } from "../domain/message.ts";
import type { Broker } from "../domain/ports.ts";
import type { Audience } from "./audience.ts";
import { isFromBackend, lastOf, withoutPosition } from "./history.ts";
import { isUpTo } from "./sequence.ts";
import { SharedHistoryRead } from "./shared-history-read.ts";

export interface CatchUp {
  /** To be told before anything new, oldest first. */
  readonly events: readonly EventPublication[];
  /** Where the client stands before those; only in channels with history. */
  readonly position?: Position;
  /** Whether they are all that it missed; only where it asked. */
  readonly recovered?: boolean;
  /** A cache channel that has no event to give. */
  readonly isMissing?: true;
}

export interface Reading {
  readonly broker: Pick<Broker, "history">;
  readonly app: App;
  readonly audience: Audience;
  readonly resume: Resume | undefined;
  /** Most bytes that the client may be handed. */
  readonly bytes: number;
  /** How many bytes it takes to hand it the event. */
  weigh(event: EventPublication): number;
}

/** What was read, and up to where. */
interface Read {
  readonly upTo: Position;
  readonly from: Position;
  readonly events: readonly EventPublication[];
  readonly recovered: boolean | undefined;
}

const NO_PAST: CatchUp = { events: [] };
const LOST_PAST: CatchUp = { events: [], recovered: false };
/** So often it is read again when publications come in faster than they can be read. */
const ATTEMPTS = 5;
/** Publications that are read at a time. */
const PAGE = 200;
/** Most that a newcomer without a position is handed. */
const MOST_KEPT = 1_000;

/** Runs `tune` with the channel's past up to the moment, and where that ends. Throws what the engine throws. */
export async function withCatchUp(
  reading: Reading,
  tune: (past: CatchUp, upTo: Position | undefined) => void,
): Promise<void> {
  const { audience } = reading;
  const { traits, policy } = audience.channel;
  if (!traits.cache && !policy.history) return tune(reading.resume ? LOST_PAST : NO_PAST, undefined);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const shared = SharedHistoryRead.of(reading.broker, audience, reading.resume);
    try {
      const read = withHeard(await readPast({ ...reading, broker: shared }), shared.heard);
      const isCurrent = shared.isCurrent && !(read && audience.sequence?.isPast(read.upTo));
      if (read && isCurrent) return tune(pastOf(reading, read), read.upTo);
    } finally {
      shared.end();
    }
  }
  throw new CommandError("engine_unavailable", "The channel's past changes faster than it can be read.");
}

function readPast(reading: Reading): Promise<Read> {
  const { resume, audience } = reading;
  if (!resume || !audience.channel.policy.history) return readLast(reading);
  return resume === "kept" ? readKept(reading) : readMissed(reading, resume);
}

/** Only where the channel stands, and what a cache channel keeps. */
async function readLast({ broker, app, audience, resume }: Reading): Promise<Read> {
  const { kept, position } = await lastOf(broker, app.id, audience.channel);
  const recovered = resume === undefined ? undefined : false;
  return { upTo: position, from: position, events: kept ? [kept.publication] : [], recovered };
}

async function readMissed(reading: Reading, since: Position): Promise<Read> {
  const { broker, app, audience } = reading;
  const events: EventPublication[] = [];
  let bytes = 0;
  let upTo = since;
  for (;;) {
    const page = await broker.history(app.id, audience.channel.name, upTo, PAGE);
    if (!page.complete) return readLast(reading);
    for (const { publication } of page.events) {
      bytes += reading.weigh(publication);
      if (bytes > reading.bytes || !follows(publication.position, upTo)) return readLast(reading);
      events.push(publication);
      upTo = publication.position;
    }
    if (upTo.offset >= page.position.offset) return { upTo, from: since, events, recovered: true };
    if (page.events.length === 0) return readLast(reading);
  }
}

/** The latest that are kept and fit; complete where they go back to the first. */
async function readKept({ broker, app, audience, bytes, weigh }: Reading): Promise<Read> {
  const most = Math.min(audience.channel.policy.history?.size ?? 1, MOST_KEPT);
  const page = await broker.history(app.id, audience.channel.name, undefined, most);
  const events: EventPublication[] = [];
  let left = bytes;
  let from = page.position;
  for (const { publication } of page.events.toReversed()) {
    const { position } = publication;
    left -= weigh(publication);
    if (left < 0 || !position || !isUpTo(position, from) || position.offset !== from.offset) break;
    events.unshift(publication);
    from = { epoch: position.epoch, offset: position.offset - 1 };
  }
  return { upTo: page.position, from, events, recovered: from.offset === 0 };
}

/** With what came in meanwhile; undefined where the two do not meet. */
function withHeard(read: Read, heard: readonly EventPublication[] | undefined): Read | undefined {
  if (!heard) return undefined;
  const events = [...read.events];
  let { upTo } = read;
  for (const publication of heard) {
    if (isUpTo(publication.position, upTo)) continue;
    if (!follows(publication.position, upTo)) return undefined;
    events.push(publication);
    upTo = publication.position;
  }
  return { ...read, upTo, events };
}

function pastOf(reading: Reading, { upTo, from, events, recovered }: Read): CatchUp {
  const { traits, policy } = reading.audience.channel;
  const asked = reading.resume === undefined ? {} : { recovered: recovered ?? false };
  const isResumed = recovered === true || (reading.resume === "kept" && policy.history !== undefined);
  if (isResumed) {
    const fits = events.reduce((sum, event) => sum + reading.weigh(event), 0) <= reading.bytes;
    return fits ? { events, position: from, ...asked } : { events: [], position: upTo, recovered: false };
  }
  const place = policy.history && { position: upTo };
  if (!traits.cache) return { events: [], ...place, ...asked };
  const last = events.findLast(isFromBackend);
  if (!last) return { events: [], ...place, ...asked, isMissing: true };
  // Without its position: what clients said since may lie between the two.
  return { events: [withoutPosition(last)], ...place, ...asked };
}

function follows(position: Position | undefined, before: Position): position is Position {
  return position?.epoch === before.epoch && position.offset === before.offset + 1;
}
