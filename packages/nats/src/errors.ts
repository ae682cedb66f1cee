/** What can go wrong between a node and NATS, by what one may do about it. */

import { JetStreamApiError } from "@nats-io/jetstream";
import { CommandError } from "fanfare/engine";

/** Another node wrote first: nothing has happened. */
export class WriteConflict extends Error {
  override readonly name = "WriteConflict";
}

/** JetStream, "wrong last sequence". */
const WRONG_LAST_SEQUENCE = 10_071;

export function appendError(error: unknown): unknown {
  return jetStreamCode(error) === WRONG_LAST_SEQUENCE ? new WriteConflict() : error;
}

/** The number by which JetStream names the error of a request; undefined for any other error. */
export function jetStreamCode(error: unknown): number | undefined {
  return error instanceof JetStreamApiError ? error.code : undefined;
}

/** What a caller gets who cannot wait any longer. */
export function unavailable(): CommandError {
  return new CommandError("engine_unavailable", "The server cannot reach its NATS just now; try again soon.");
}
