/** Counts what the HTTP API answers, whoever calls it: the refused calls as well, of which the hub never hears. */

import type { Metrics } from "../observers/metrics/metrics.ts";
import type { Api } from "../protocols/pusher/api.ts";

type Meter = Pick<Metrics, "measuresCalls" | "apiAnswered" | "apiMeasured">;

/** What begins in front of the app's id may be a proxy's path. */
const APP = /\/apps\/([^/]+)\//;

export function metered(api: Api, meter: Meter, isApp: (id: string) => boolean): Api {
  return (request, url) => {
    const answering = api(request, url);
    if (!answering) return undefined;
    return answering.then((response) => {
      meter.apiAnswered(response.status);
      return meter.measuresCalls ? measured(request, url, response) : response;
    });
  };

  async function measured(request: Request, url: URL, response: Response): Promise<Response> {
    const [, app] = APP.exec(url.pathname) ?? [];
    if (app === undefined || !isApp(app)) return response;
    // The body was read already; a client that sends it in chunks does not say how long it is, and none of the libraries does.
    const received = Number(request.headers.get("content-length") ?? 0);
    const { size } = await response.clone().blob();
    meter.apiMeasured(app, received, size);
    return response;
  }
}
