/** The clients' port, where the API has one of its own: what it says to API calls. */

import type { Hub } from "../../hub/hub.ts";
import { isApiPath } from "../../protocols/pusher/api.ts";
import { ApiError, errorResponse } from "../../protocols/pusher/responses.ts";
import type { ResolveCaller } from "./caller.ts";
import type { Route } from "./router.ts";

const ELSEWHERE = "The HTTP API has a port of its own here (`tls.api`), for callers with a client certificate.";

/** Takes the API's place among the routes. */
export function apiOnOtherPort(hub: Hub, identify: ResolveCaller): Route {
  return (request, url, gate) => {
    if (!isApiPath(url.pathname)) return undefined;
    const from = () => identify(request, url, gate.requestIP(request)?.address).address;
    return errorResponse(hub, { request, url, from }, new ApiError(403, "forbidden", ELSEWHERE));
  };
}
