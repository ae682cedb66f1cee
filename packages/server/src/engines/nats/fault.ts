/** What can go wrong between a node and NATS, by what one may do about it. */

import { JetStreamApiError } from "@nats-io/jetstream";
import { CommandError } from "../../domain/error.ts";

/** Somebody else wrote first: nothing has happened. */
export class Conflict extends Error {
  override readonly name = "Conflict";
}

/** There is no connection to send it over: nothing has happened. */
export class Unsent extends Error {
  override readonly name = "Unsent";
}

/** JetStream, "wrong last sequence". */
const WRONG_LAST_SEQUENCE = 10_071;

/** As what an append failed. */
export function appendFault(error: unknown): unknown {
  return apiCode(error) === WRONG_LAST_SEQUENCE ? new Conflict() : error;
}

/** The number by which JetStream names a fault of a request; undefined where it is none of its own. */
export function apiCode(error: unknown): number | undefined {
  return error instanceof JetStreamApiError ? error.code : undefined;
}

/** What the caller is told. */
export function unavailable(): CommandError {
  return new CommandError("engine_unavailable", "The server cannot reach its NATS just now; try again soon.");
}

export function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
