/** The HTTP API among the routes: it learns who calls, and its calls are measured where that is asked for. */

import { HttpError } from "../../http/error-response.ts";
import type { RequestUrl } from "../../http/request-url.ts";
import type { Hub } from "../../hub/hub.ts";
import type { Metrics } from "../../observers/metrics/metrics.ts";
import { type Api, isApiPath } from "../../protocols/pusher/api.ts";
import { apiErrorResponse } from "../../protocols/pusher/responses.ts";
import type { ResolveCaller } from "./caller.ts";
import type { Route } from "./router.ts";

export interface ApiRouteOptions {
  readonly api: Api;
  readonly identify: ResolveCaller;
  readonly metrics: Pick<Metrics, "measuresCalls" | "apiMeasured">;
  readonly isApp: (id: string) => boolean;
}

/** The app's id. A proxy's path may come before. */
const APP = /\/apps\/([^/]+)\//;

export function apiRoute({ api, identify, metrics, isApp }: ApiRouteOptions): Route {
  return (request, url, listener) => {
    const from = () => identify(request, url, listener).address;
    const answer = api(request, url, from);
    return metrics.measuresCalls ? answer?.then((response) => measured(request, url, response)) : answer;
  };

  async function measured(request: Request, url: RequestUrl, response: Response): Promise<Response> {
    const [, app] = APP.exec(url.pathname) ?? [];
    if (app === undefined || !isApp(app)) return response;
    // The body is read already. A chunked one does not say how long it was, and no Pusher library sends such.
    const received = Number(request.headers.get("content-length") ?? 0);
    const { size } = await response.clone().blob();
    metrics.apiMeasured(app, received, size);
    return response;
  }
}

const ELSEWHERE = "The HTTP API has a port of its own here (`tls.api`), for callers with a client certificate.";

/** Takes the API's place on the clients' port, where the API has a port of its own. */
export function apiOnOtherPort(hub: Hub, identify: ResolveCaller): Route {
  return (request, url, listener) => {
    if (!isApiPath(url.pathname)) return undefined;
    const from = () => identify(request, url, listener).address;
    return apiErrorResponse(hub, { request, url, from }, new HttpError(403, "forbidden", ELSEWHERE));
  };
}
