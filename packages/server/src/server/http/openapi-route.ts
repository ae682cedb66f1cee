/** `/openapi.json`: the back ends' API, described for programs. */

import manifest from "../../../package.json" with { type: "json" };
import { openApiDocument } from "../../protocols/pusher/openapi.ts";
import { getRoute, type Route } from "./router.ts";

/** Made when it is first asked for: in production hardly anybody does. */
export function openApiRoute(prefix: string, isServed: boolean): Route {
  if (!isServed) return () => undefined;
  let text: string | undefined;
  return getRoute(prefix, "/openapi.json", () => {
    text ??= JSON.stringify(openApiDocument(manifest.version));
    return new Response(text, { headers: { "Content-Type": "application/json", "Cache-Control": "no-store" } });
  });
}
