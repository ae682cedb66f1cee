/** The program's own HTTP on the server's port: any handler of web-standard requests, and what it cannot harm. */

import type { Awaitable } from "../../domain/ports.ts";
import type { Identify } from "../door/address.ts";
import { internalError } from "../door/refusals.ts";
import type { Endpoints } from "../endpoints/endpoints.ts";
import { boundedBody, tooLarge } from "./body.ts";
import { endsWith } from "./event-stream.ts";
import type { FetchHandler } from "./fetch.ts";
import type { Gate, Route } from "./routes.ts";

export interface MountOptions {
  readonly program: {
    readonly server: unknown;
    readonly fetch: FetchHandler | undefined;
    readonly endpoints: Pick<Endpoints, "find">;
  };
  readonly bodyBytes: number;
  readonly identify: Identify;
  readonly draining: AbortSignal;
  readonly failed: (error: unknown, during: string) => void;
}

/** An endpoint's own requests, then what is mounted. Leaves everything to the next route where neither is. */
export function mount(options: MountOptions): Route {
  const { program, identify, draining } = options;
  return (request, url, gate) => {
    const found = program.endpoints.find(url.pathname);
    const handler = program.fetch;
    const handlers = found?.site.handlers;
    if (!handlers?.request && !handler) return undefined;
    const { address } = identify(request, url, gate.requestIP(request)?.address);
    const context = { server: program.server, address, draining };
    return serve(options, gate, request, (bounded) =>
      handlers?.request
        ? handlers.request(bounded, { ...context, params: found?.params ?? {} })
        : handler?.(bounded, context),
    );
  };
}

/** What serving needs to know of the server. */
export type Serving = Pick<MountOptions, "bodyBytes" | "draining" | "failed">;

/** Runs a program's handler with a request it may take its time over. Never rejects. */
export async function serve(
  { bodyBytes, draining, failed }: Serving,
  gate: Gate,
  request: Request,
  handle: (request: Request) => Awaitable<unknown>,
): Promise<Response> {
  if (Number(request.headers.get("content-length")) > bodyBytes) return tooLarge(request, bodyBytes);
  // Bun hangs up on a silent request; a client owes no more than its body, and the handler may think as long as it likes.
  const unhurried = () => gate.timeout(request, 0);
  const body = request.body ? boundedBody(request, request.body, bodyBytes, unhurried) : undefined;
  if (!body) unhurried();
  try {
    const response = await handle(body?.request ?? request);
    if (!(response instanceof Response)) {
      if (body?.isOver()) return tooLarge(request, bodyBytes);
      throw new TypeError(`The handler of HTTP requests returned ${kindOf(response)} for a Response.`);
    }
    if (body?.isOver()) {
      void response.body?.cancel().catch(() => {});
      return tooLarge(request, bodyBytes);
    }
    unhurried();
    return endsWith(response, draining, (error) => failed(error, "an event stream"));
  } catch (error) {
    if (body?.isOver()) return tooLarge(request, bodyBytes);
    if (!isLeaving(request, error)) failed(error, "an HTTP request");
    return internalError();
  }
}

/** The client went away, and the handler noticed. */
function isLeaving({ signal }: Request, error: unknown): boolean {
  return signal.aborted && error instanceof Error && error.name === "AbortError";
}

function kindOf(value: unknown): string {
  return value === null ? "null" : typeof value;
}
