/** HTTP requests inside what the program puts around them. */

import { CommandError, Disconnect } from "../../domain/error.ts";
import type { MiddlewareStack } from "../embed/middleware.ts";
import type { ResolveCaller } from "./caller.ts";
import { errorResponseFor } from "./error-response.ts";
import type { RequestHandler } from "./router.ts";

export interface RequestMiddlewareOptions {
  readonly middleware: MiddlewareStack;
  readonly identify: ResolveCaller;
  readonly failed: (error: unknown, during: string) => void;
}

/** The answer itself, as long as there is no middleware for requests. */
export function requestMiddleware({
  middleware,
  identify,
  failed,
}: RequestMiddlewareOptions): (answer: RequestHandler) => RequestHandler {
  return (answer) => (request, url, gate) => {
    const around = middleware.request;
    if (!around) return answer(request, url, gate);
    const { address } = identify(request, url, gate.requestIP(request)?.address);
    return around({ request, url, address }, () => answer(request, url, gate)).then(
      (response) => response ?? errorResponseFor(undefined),
      (error) => {
        if (!(error instanceof CommandError || error instanceof Disconnect)) failed(error, "an HTTP request");
        return errorResponseFor(error);
      },
    );
  };
}
