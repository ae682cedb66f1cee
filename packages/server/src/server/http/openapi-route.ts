/** `/openapi.json`: what is served over HTTP, described for programs. */

import manifest from "../../../package.json" with { type: "json" };
import { serverDocument } from "./openapi-document.ts";
import { getRoute, type Route } from "./router.ts";

/** Made when it is first asked for: in production hardly anybody does. */
export function openApiRoute(prefix: string, isServed: boolean): Route {
  if (!isServed) return () => undefined;
  let text: string | undefined;
  return getRoute(prefix, "/openapi.json", () => {
    text ??= JSON.stringify(serverDocument(manifest.version));
    return new Response(text, { headers: { "Content-Type": "application/json", "Cache-Control": "no-store" } });
  });
}
