/** Counts what the HTTP API answers, whoever calls it: the refused calls as well, of which the hub never hears. */

import type { Metrics } from "../../observers/metrics/metrics.ts";
import type { Api } from "../../protocols/pusher/api.ts";

export interface Meters {
  readonly metrics: Pick<Metrics, "measuresCalls" | "apiAnswered" | "apiMeasured">;
}

/** What begins in front of the app's id may be a proxy's path. */
const APP = /\/apps\/([^/]+)\//;

export function metered(api: Api, meters: Meters | undefined, isApp: (id: string) => boolean): Api {
  if (!meters) return api;
  const { metrics } = meters;
  return (request, url) => {
    return api(request, url)?.then((response) => {
      metrics.apiAnswered(response.status);
      return metrics.measuresCalls ? measured(request, url, response) : response;
    });
  };

  async function measured(request: Request, url: URL, response: Response): Promise<Response> {
    const [, app] = APP.exec(url.pathname) ?? [];
    if (app === undefined || !isApp(app)) return response;
    // The body was read already; a client that sends it in chunks does not say how long it is, and none of the libraries does.
    const received = Number(request.headers.get("content-length") ?? 0);
    const { size } = await response.clone().blob();
    metrics.apiMeasured(app, received, size);
    return response;
  }
}
