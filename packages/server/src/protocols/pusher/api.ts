/** The Pusher HTTP API: what back ends ask and publish. Who calls, and whether they may. */

import type { App } from "../../domain/app.ts";
import { CommandError } from "../../domain/error.ts";
import type { AppStore, Clock, SignedCall } from "../../domain/ports.ts";
import { readBody } from "../../http/body.ts";
import { HttpError } from "../../http/error-response.ts";
import type { RequestUrl } from "../../http/request-url.ts";
import type { Hub } from "../../hub/hub.ts";
import type { ApiCall } from "./request-body.ts";
import { verifyRequest } from "./request-signature.ts";
import { apiErrorResponse, type IncomingApiRequest } from "./responses.ts";
import { answerRoute } from "./routes.ts";

export interface ApiOptions {
  readonly hub: Hub;
  readonly apps: AppStore;
  readonly clock: Clock;
  /** The path that a proxy in front of the server takes off. */
  readonly pathPrefix: string;
  readonly signatureWindowS: number;
  readonly jsonDepth: number;
  /** Largest body that is read, in bytes. */
  readonly bodyBytes: number;
  /** The nodes that clients may go to, in the order of the strategy. */
  readonly nodes?: ApiCall["nodes"];
  /** Goes around what a call does, once it is known to be its app's. */
  readonly step?: Step | undefined;
  /** Hears the status of every answer: one promise less than to wait for it. */
  readonly answered?: (status: number) => void;
}

type Step = (request: Request, path: string, answer: () => Promise<Response>) => Promise<Response>;

/** Answers a request under `/apps/…`; undefined when the path is not one of the API's. Never throws. */
export type Api = (incoming: IncomingApiRequest) => Promise<Response> | undefined;

const PATH = /^.*?\/apps\/([^/]+)\/(.+)$/;

export function isApiPath(path: string): boolean {
  return PATH.test(path);
}

export function pusherApi(options: ApiOptions): Api {
  return (incoming) => {
    const [, id, rest] = PATH.exec(incoming.url.pathname) ?? [];
    return id === undefined || rest === undefined ? undefined : answer(options, incoming, id, rest);
  };
}

/** Never throws or rejects. */
async function answer(options: ApiOptions, incoming: IncomingApiRequest, id: string, rest: string): Promise<Response> {
  let response: Response;
  // One function that waits, and only for what is a promise, because each further one costs a call a fortieth.
  try {
    const { request, url } = incoming;
    const found = options.apps.byId(decoded(id));
    const app = found instanceof Promise ? await found : found;
    if (!app) throw new HttpError(404, "app_unknown", "There is no app with this id.");
    incoming.app = app;
    const body = await readBody(request, options.bodyBytes);
    incoming.body = body;
    const guarded = options.hub.guardChain.apiCall(app, verify(options, request, url, app, body));
    if (guarded instanceof Promise) await guarded;
    const parts = rest.includes("/") ? rest.split("/").map(decoded) : [decoded(rest)];
    const asked = new VerifiedCall(options, incoming, app, body);
    const answering = options.step
      ? answerInStep(options.step, incoming, parts, asked)
      : answerRoute(request.method, parts, asked);
    response = answering instanceof Promise ? await answering : answering;
  } catch (error) {
    response = apiErrorResponse(options.hub, incoming, error);
  }
  options.answered?.(response.status);
  return response;
}

function verify(options: ApiOptions, request: Request, url: RequestUrl, app: App, body: Uint8Array): SignedCall {
  const { pathname, search } = url;
  const { pathPrefix } = options;
  const signed = { method: request.method, paths: [pathname], pathPrefix, query: search, body };
  const call = verifyRequest(app, signed, options.clock.wallMs(), options.signatureWindowS);
  if (app.enabled) return call;
  throw new HttpError(403, "app_disabled", "The app is disabled.");
}

/** A class, because an object that is written with a getter takes longer to make than a whole route to find. */
class VerifiedCall implements ApiCall {
  readonly app: App;
  readonly hub: Hub;
  readonly request: Request;
  readonly caller: IncomingApiRequest;
  readonly body: Uint8Array;
  readonly jsonDepth: number;
  readonly nodes: ApiCall["nodes"];
  readonly url: RequestUrl;

  constructor({ hub, jsonDepth, nodes }: ApiOptions, incoming: IncomingApiRequest, app: App, body: Uint8Array) {
    const { request, url } = incoming;
    this.app = app;
    this.hub = hub;
    this.request = request;
    this.caller = incoming;
    this.body = body;
    this.jsonDepth = jsonDepth;
    this.nodes = nodes;
    this.url = url;
  }

  /** Most calls are not asked for it once their signature is verified. */
  get query(): URLSearchParams {
    return this.url.searchParams;
  }
}

function answerInStep(
  step: Step,
  incoming: IncomingApiRequest,
  parts: readonly string[],
  asked: ApiCall,
): Promise<Response> {
  const { request, url } = incoming;
  return step(request, url.pathname, async () => {
    try {
      return await answerRoute(request.method, parts, asked);
    } catch (error) {
      return apiErrorResponse(asked.hub, incoming, error);
    }
  });
}

function decoded(part: string): string {
  if (!part.includes("%")) return part;
  try {
    return decodeURIComponent(part);
  } catch {
    throw new CommandError("malformed", "The path has a percent sign that does not encode anything.");
  }
}
