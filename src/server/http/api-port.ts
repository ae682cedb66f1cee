/** The clients' port, where the API has one of its own: what it says to API calls. */

import { type Api, isApiPath } from "../../protocols/pusher/api.ts";

/** Takes the API's place among the routes. */
export const apiElsewhere: Api = (_request, { pathname }) => {
  if (!isApiPath(pathname)) return undefined;
  const error = "The HTTP API has a port of its own here (`tls.api`), for callers with a client certificate.";
  return Promise.resolve(Response.json({ error, code: "forbidden" }, { status: 403 }));
};
