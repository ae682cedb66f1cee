/** The HTTP API among the routes: it learns who calls, and what it answers is counted, the refused calls as well. */

import type { Metrics } from "../../observers/metrics/metrics.ts";
import type { Api } from "../../protocols/pusher/api.ts";
import type { ResolveCaller } from "./caller.ts";
import type { Route } from "./router.ts";

export interface ApiRouteOptions {
  readonly api: Api;
  readonly identify: ResolveCaller;
  readonly metrics: Pick<Metrics, "measuresCalls" | "apiAnswered" | "apiMeasured"> | undefined;
  readonly isApp: (id: string) => boolean;
}

/** What begins in front of the app's id may be a proxy's path. */
const APP = /\/apps\/([^/]+)\//;

export function apiRoute({ api, identify, metrics, isApp }: ApiRouteOptions): Route {
  return (request, url, gate) => {
    const from = () => identify(request, url, gate.requestIP(request)?.address).address;
    const answer = api(request, url, from);
    if (!metrics) return answer;
    return answer?.then((response) => {
      metrics.apiAnswered(response.status);
      return metrics.measuresCalls ? measured(metrics, request, url, response) : response;
    });
  };

  async function measured(
    numbers: NonNullable<ApiRouteOptions["metrics"]>,
    request: Request,
    url: URL,
    response: Response,
  ): Promise<Response> {
    const [, app] = APP.exec(url.pathname) ?? [];
    if (app === undefined || !isApp(app)) return response;
    // The body was read already; a client that sends it in chunks does not say how long it is, and none of the libraries does.
    const received = Number(request.headers.get("content-length") ?? 0);
    const { size } = await response.clone().blob();
    numbers.apiMeasured(app, received, size);
    return response;
  }
}
