/** HTTP requests inside the program's middleware. */

import { errorResponseFor, isKnownError } from "../../http/error-response.ts";
import type { ResolveCaller } from "../http/caller.ts";
import type { RequestHandler } from "../http/router.ts";
import type { MiddlewareStack } from "./middleware.ts";

export interface RequestMiddlewareOptions {
  readonly middleware: MiddlewareStack;
  readonly identify: ResolveCaller;
  readonly failed: (error: unknown, during: string) => void;
}

/** The handler itself, as long as there is no middleware for requests. */
export function requestMiddleware(options: RequestMiddlewareOptions): (handler: RequestHandler) => RequestHandler {
  const { middleware, identify, failed } = options;
  return (handler) => (request, url, listener) => {
    const around = middleware.request;
    if (!around) return handler(request, url, listener);
    const { address } = identify(request, url, listener.requestIP(request)?.address);
    return around({ request, url, address }, () => handler(request, url, listener)).then(
      (response) => response ?? errorResponseFor(undefined),
      (error) => {
        if (!isKnownError(error)) failed(error, "an HTTP request");
        return errorResponseFor(error);
      },
    );
  };
}
