/** The program's own HTTP on the server's port: any handler of web-standard requests, and what it cannot harm. */

import type { Awaitable } from "../../domain/ports.ts";
import type { EndpointRegistry } from "../endpoints/endpoint-registry.ts";
import { bodyTooLargeResponse, boundedBody } from "./bounded-body.ts";
import type { ResolveCaller } from "./caller.ts";
import { internalError } from "./error-response.ts";
import { endOnAbort } from "./event-stream.ts";
import type { FetchHandler } from "./fetch-handler.ts";
import type { HttpListener, Route } from "./router.ts";

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

/** An endpoint's own requests, then what is mounted. Leaves everything to the next route where neither is. */
export function programRoute(options: ProgramRouteOptions): Route {
  const { program, identify, draining } = options;
  return (request, url, gate) => {
    const found = program.endpoints.find(url.pathname);
    const handler = program.fetch;
    const handlers = found?.endpoint.handlers;
    if (!handlers?.request && !handler) return undefined;
    const { address } = identify(request, url, gate.requestIP(request)?.address);
    const context = { server: program.server, address, draining };
    return runHandler(options, gate, request, (bounded) =>
      handlers?.request
        ? handlers.request(bounded, { ...context, params: found?.params ?? {} })
        : handler?.(bounded, context),
    );
  };
}

/** What serving needs to know of the server. */
export type HandlerLimits = Pick<ProgramRouteOptions, "bodyBytes" | "draining" | "failed">;

/** Runs a program's handler with a request it may take its time over. Never rejects. */
export async function runHandler(
  { bodyBytes, draining, failed }: HandlerLimits,
  gate: HttpListener,
  request: Request,
  handle: (request: Request) => Awaitable<unknown>,
): Promise<Response> {
  if (Number(request.headers.get("content-length")) > bodyBytes) return bodyTooLargeResponse(request, bodyBytes);
  // Bun hangs up on a silent request; a client owes no more than its body, and the handler may think as long as it likes.
  const unhurried = () => gate.timeout(request, 0);
  const body = request.body ? boundedBody(request, request.body, bodyBytes, unhurried) : undefined;
  if (!body) unhurried();
  try {
    const response = await handle(body?.request ?? request);
    if (!(response instanceof Response)) {
      if (body?.isOver()) return bodyTooLargeResponse(request, bodyBytes);
      throw new TypeError(`The handler of HTTP requests returned ${kindOf(response)} for a Response.`);
    }
    if (body?.isOver()) {
      void response.body?.cancel().catch(() => {});
      return bodyTooLargeResponse(request, bodyBytes);
    }
    unhurried();
    return endOnAbort(response, draining, (error) => failed(error, "an event stream"));
  } catch (error) {
    if (body?.isOver()) return bodyTooLargeResponse(request, bodyBytes);
    if (!isClientAbort(request, error)) failed(error, "an HTTP request");
    return internalError();
  }
}

/** The client went away, and the handler noticed. */
function isClientAbort({ signal }: Request, error: unknown): boolean {
  return signal.aborted && error instanceof Error && error.name === "AbortError";
}

function kindOf(value: unknown): string {
  return value === null ? "null" : typeof value;
}
