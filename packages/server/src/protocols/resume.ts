/** What a client says of a channel's past, and a channel's position: the same members in every protocol's JSON. */

import { CommandError } from "../domain/error.ts";
import type { Position, Resume, ResumeOptions, Rewind } from "../domain/message.ts";
import { isObject, type JsonObject, own } from "./json.ts";

/** Longest `epoch` of a position that a command may carry, in characters. */
const EPOCH_LENGTH = 64;

/** Most earlier connections that a client may name, and the longest id of one, in characters. */
const PREVIOUS_IDS = 8;
const PREVIOUS_ID_LENGTH = 64;

const NOTHING: ResumeOptions = {};

/** `previousKey` is the protocol's name for the ids of the client's earlier connections. */
export function resumeOptionsIn(data: JsonObject, previousKey: string): ResumeOptions {
  const resume = resumeIn(data);
  const previousIds = previousIdsIn(data, previousKey);
  const rewind = rewindIn(data);
  if (!resume && !previousIds && !rewind) return NOTHING;
  return { ...(resume && { resume }), ...(rewind && { rewind }), ...(previousIds && { previousIds }) };
}

/** Most events, and the longest time in seconds, that a client may ask for. */
const REWIND_COUNT = 1_000;
const REWIND_S = 7 * 86_400;

function rewindIn(data: JsonObject): Rewind | undefined {
  const rewind = own(data, "rewind");
  if (rewind === undefined || rewind === null) return undefined;
  if (isObject(rewind)) {
    const { count, seconds } = { count: own(rewind, "count"), seconds: own(rewind, "seconds") };
    const isCount = Number.isSafeInteger(count) && (count as number) >= 1 && (count as number) <= REWIND_COUNT;
    if (isCount && seconds === undefined) return { count: count as number };
    if (typeof seconds === "number" && seconds > 0 && seconds <= REWIND_S && count === undefined)
      return { ms: seconds * 1000 };
  }
  const bound = `{"count"} of 1 to ${REWIND_COUNT}, or {"seconds"} of at most ${REWIND_S}`;
  throw new CommandError("malformed", `The data's rewind is neither ${bound}.`);
}

/** A position counts before `recover`: a client that was there wants what came after. */
function resumeIn(data: JsonObject): Resume | undefined {
  const position = positionIn(data, "position");
  if (position) return position;
  const recover = own(data, "recover");
  if (recover === undefined || recover === null || recover === false) return undefined;
  if (recover === true) return "kept";
  throw new CommandError("malformed", "The data's recover is neither true nor false.");
}

export function positionIn(data: JsonObject, key: string): Position | undefined {
  const position = own(data, key);
  if (position === undefined || position === null) return undefined;
  if (isObject(position)) {
    const { epoch, offset } = { epoch: own(position, "epoch"), offset: own(position, "offset") };
    const isEpoch = typeof epoch === "string" && epoch.length <= EPOCH_LENGTH;
    if (isEpoch && typeof offset === "number" && Number.isSafeInteger(offset) && offset >= 0) return { epoch, offset };
  }
  throw new CommandError("malformed", `The data's ${key} is not the position of a channel: an epoch and an offset.`);
}

export function previousIdsIn(data: JsonObject, key: string): readonly string[] | undefined {
  const ids = own(data, key);
  if (ids === undefined || ids === null) return undefined;
  if (Array.isArray(ids) && ids.length <= PREVIOUS_IDS && ids.every(isPreviousId))
    return ids.length > 0 ? ids : undefined;
  const bound = `at most ${PREVIOUS_IDS} strings of at most ${PREVIOUS_ID_LENGTH} characters`;
  throw new CommandError("malformed", `The data's ${key} is not a list of ${bound}.`);
}

function isPreviousId(id: unknown): id is string {
  return typeof id === "string" && id.length <= PREVIOUS_ID_LENGTH;
}

/** The member of a frame that says where the channel stands. */
export function positionText({ epoch, offset }: Position): string {
  return `"position":{"epoch":${JSON.stringify(epoch)},"offset":${offset}}`;
}
