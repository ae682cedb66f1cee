/** The program's own HTTP on the server's port: any handler of web-standard requests, within the server's limits; and its middleware around requests. */

import type { Awaitable } from "../../domain/ports.ts";
import { type BodyTooLargeError, checkDeclaredLength, limitedStream } from "../../http/body.ts";
import { errorResponseFor, HttpError, isKnownError } from "../../http/error-response.ts";
import type { RequestUrl } from "../../http/request-url.ts";
import type { EndpointRegistry } from "../endpoints/endpoint-registry.ts";
import type { ResolveCaller } from "../http/caller.ts";
import type { FetchHandler, HttpListener, RequestHandler, Route } from "../http/router.ts";
import type { MiddlewareStack } from "./middleware.ts";

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
    const { address } = identify(request, url, listener);
    const context = { server: program.server, address, draining };
    return runHandler(options, listener, request, (bounded) =>
      handlers?.request
        ? handlers.request(bounded, { ...context, params: found?.params ?? {} })
        : handler?.(bounded, context),
    );
  };
}

/** What running a handler needs to know of the server. */
type HandlerLimits = Pick<ProgramRouteOptions, "bodyBytes" | "draining" | "failed">;

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

const EVENT_STREAM = /^text\/event-stream\b/i;

/** The response itself, unless it is an event stream, which never ends by itself: that one ends on the signal, and its clients come back. */
function endOnAbort(response: Response, signal: AbortSignal, failed: (error: unknown) => void): Response {
  if (!response.body || !EVENT_STREAM.test(response.headers.get("content-type") ?? "")) return response;
  return new Response(untilAborted(response.body, signal, failed), response);
}

/** Closes, rather than breaks off, where the source fails too: what was sent so far is whole, and the client asks again. */
function untilAborted(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
  failed: (error: unknown) => void,
): ReadableStream<Uint8Array> {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const isClientGone = () => {};
  body.pipeTo(writable, { signal, preventAbort: true }).catch((error) =>
    writable.close().then(() => {
      if (!signal.aborted) failed(error);
    }, isClientGone),
  );
  return readable;
}

interface RequestMiddlewareOptions {
  readonly middleware: MiddlewareStack;
  readonly identify: ResolveCaller;
  readonly failed: (error: unknown, during: string) => void;
}

/** Requests inside the program's middleware: the handler itself, as long as there is none for requests. */
export function requestMiddleware(options: RequestMiddlewareOptions): (handler: RequestHandler) => RequestHandler {
  return (handler) => (request, url, listener) => {
    const around = options.middleware.request;
    return around ? runAround(around, handler, options, request, url, listener) : handler(request, url, listener);
  };
}

type Around = NonNullable<MiddlewareStack["request"]>;

/** A function of its own: its closures have a scope made for each request, also where there is no middleware. Never rejects. */
async function runAround(
  around: Around,
  handler: RequestHandler,
  { identify, failed }: RequestMiddlewareOptions,
  request: Request,
  url: RequestUrl,
  listener: HttpListener,
): Promise<Response> {
  const { address } = identify(request, url, listener);
  try {
    // What the program changes in it is what the server then goes by.
    const own = new URL(url.href);
    const next = () => withHeaders(handler(request, own, listener));
    return (await around({ request, url: own, address }, next)) ?? errorResponseFor(undefined);
  } catch (error) {
    if (!isKnownError(error)) failed(error, "an HTTP request");
    return errorResponseFor(error);
  }
}

/** Bun makes the type of a body a header once the headers are asked for, and a program may make another answer of this one's. */
async function withHeaders(answer: Awaitable<Response>): Promise<Response> {
  const response = await answer;
  void response.headers;
  return response;
}
