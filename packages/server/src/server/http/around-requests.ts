/** HTTP requests inside what the program puts around them. */

import { CommandError, Disconnect } from "../../domain/error.ts";
import type { Identify } from "../door/address.ts";
import { refusal } from "../door/refusals.ts";
import type { Layers } from "../program/middleware.ts";
import type { Answer } from "./routes.ts";

export interface AroundOptions {
  readonly middleware: Layers;
  readonly identify: Identify;
  readonly failed: (error: unknown, during: string) => void;
}

/** The answer itself, as long as there is no middleware for requests. */
export function aroundRequests({ middleware, identify, failed }: AroundOptions): (answer: Answer) => Answer {
  return (answer) => (request, url, gate) => {
    const around = middleware.request;
    if (!around) return answer(request, url, gate);
    const { address } = identify(request, url, gate.requestIP(request)?.address);
    return around({ request, url, address }, () => answer(request, url, gate)).then(
      (response) => response ?? refusal(undefined),
      (error) => {
        if (!(error instanceof CommandError || error instanceof Disconnect)) failed(error, "an HTTP request");
        return refusal(error);
      },
    );
  };
}
