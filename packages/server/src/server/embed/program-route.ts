/** The program's own HTTP on the server's port: any handler of web-standard requests, within the server's limits. */

import type { Awaitable } from "../../domain/ports.ts";
import { type BodyTooLargeError, checkDeclaredLength, limitedStream } from "../../http/body.ts";
import { errorResponseFor, HttpError } from "../../http/error-response.ts";
import type { EndpointRegistry } from "../endpoints/endpoint-registry.ts";
import type { ResolveCaller } from "../http/caller.ts";
import { endOnAbort } from "../http/event-stream.ts";
import type { FetchHandler } from "../http/fetch-handler.ts";
import type { HttpListener, Route } from "../http/router.ts";

export interface ProgramRouteOptions {
  readonly program: {
    readonly server: unknown;
    readonly fetch: FetchHandler | undefined;
    readonly endpoints: Pick<EndpointRegistry, "find">;
  };
  readonly bodyBytes: number;
  readonly identify: ResolveCaller;
  readonly draining: AbortSignal;
  readonly failed: (error: unknown, during: string) => void;
}

/** An endpoint's own requests, then the mounted handler. Leaves everything to the next route where neither is. */
export function programRoute(options: ProgramRouteOptions): Route {
  const { program, identify, draining } = options;
  return (request, url, listener) => {
    const found = program.endpoints.find(url.pathname);
    const handler = program.fetch;
    const handlers = found?.endpoint.handlers;
    if (!handlers?.request && !handler) return undefined;
    const { address } = identify(request, url, listener.requestIP(request)?.address);
    const context = { server: program.server, address, draining };
    return runHandler(options, listener, request, (bounded) =>
      handlers?.request
        ? handlers.request(bounded, { ...context, params: found?.params ?? {} })
        : handler?.(bounded, context),
    );
  };
}

/** What running a handler needs to know of the server. */
export type HandlerLimits = Pick<ProgramRouteOptions, "bodyBytes" | "draining" | "failed">;

/** Runs a program's handler with a request that it may take its time over. Never rejects. */
async function runHandler(
  { bodyBytes, draining, failed }: HandlerLimits,
  listener: HttpListener,
  request: Request,
  handle: (request: Request) => Awaitable<unknown>,
): Promise<Response> {
  // Bun hangs up on a silent request. A client owes no more than its body; then the handler may think as long as it likes.
  const stopTimeout = () => listener.timeout(request, 0);
  let tooLarge: BodyTooLargeError | undefined;
  const exceeded = (error: BodyTooLargeError) => {
    tooLarge = error;
  };
  try {
    checkDeclaredLength(request, bodyBytes);
    const body = request.body && limitedStream(request.body, bodyBytes, { ended: stopTimeout, exceeded });
    if (!body) stopTimeout();
    const response = await handle(body ? new Request(request, { body }) : request);
    if (!tooLarge) {
      stopTimeout();
      return endOnAbort(checkResponse(response), draining, (error) => failed(error, "an event stream"));
    }
    if (response instanceof Response) void response.body?.cancel().catch(() => {});
  } catch (error) {
    if (error instanceof HttpError) return errorResponseFor(error);
    if (!tooLarge && !isClientAbort(request, error)) failed(error, "an HTTP request");
  }
  return errorResponseFor(tooLarge);
}

function checkResponse(response: unknown): Response {
  if (response instanceof Response) return response;
  const kind = response === null ? "null" : typeof response;
  throw new TypeError(`The handler of HTTP requests returned ${kind} for a Response.`);
}

/** The client went away, and the handler noticed. */
function isClientAbort({ signal }: Request, error: unknown): boolean {
  return signal.aborted && error instanceof Error && error.name === "AbortError";
}
