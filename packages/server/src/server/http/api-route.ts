/** The HTTP API among the routes: it learns who calls, and its calls are measured where that is asked for. */

import type { App } from "../../domain/app.ts";
import { HttpError } from "../../http/error-response.ts";
import type { RequestUrl } from "../../http/request-url.ts";
import type { Hub } from "../../hub/hub.ts";
import type { Metrics } from "../../observers/metrics/metrics.ts";
import { type Api, isApiPath } from "../../protocols/pusher/api.ts";
import { apiErrorResponse, type IncomingApiRequest } from "../../protocols/pusher/responses.ts";
import type { ResolveCaller } from "./caller.ts";
import type { HttpListener, Route } from "./router.ts";

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
    const answer = api(new IncomingCall(request, url, listener, identify));
    return answer && metrics.measuresCalls ? measured(request, url, answer) : answer;
  };

  async function measured(request: Request, url: RequestUrl, answer: Promise<Response>): Promise<Response> {
    const response = await answer;
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
    const call = new IncomingCall(request, url, listener, identify);
    return apiErrorResponse(hub, call, new HttpError(403, "forbidden", ELSEWHERE));
  };
}

/** A class, because a closure that looks the address up is two objects more for each call, and few are asked for it. */
class IncomingCall implements IncomingApiRequest {
  readonly request: Request;
  readonly url: RequestUrl;
  app?: App;
  body?: Uint8Array;
  readonly #listener: HttpListener;
  readonly #identify: ResolveCaller;

  constructor(request: Request, url: RequestUrl, listener: HttpListener, identify: ResolveCaller) {
    this.request = request;
    this.url = url;
    this.#listener = listener;
    this.#identify = identify;
  }

  from(): string {
    return this.#identify(this.request, this.url, this.#listener).address;
  }
}
