/** A program's handler of HTTP requests, and its context. */

import type { Awaitable } from "../../domain/ports.ts";

/** What a handler gets beside the request. Hono has it in `c.env`. */
export interface FetchContext<S = unknown> {
  readonly server: S;
  /** The client's, as the server trusts it. */
  readonly address: string;
  /** Aborted when the server begins to stop: the moment to end an answer that would go on for ever. */
  readonly draining: AbortSignal;
}

/** Answers what none of the server's own routes does. What it throws is logged and answered 500. */
export type FetchHandler<S = unknown> = (request: Request, context: FetchContext<S>) => Awaitable<Response>;
