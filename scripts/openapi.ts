/** Brings docs/openapi.json up to date with the routes of the HTTP API: `npm run generate`. A test fails when it is stale. */

import manifest from "../packages/server/package.json" with { type: "json" };
import { openApiDocument } from "../packages/server/src/protocols/pusher/openapi.ts";

export const OPENAPI_DOCUMENT = new URL("../docs/openapi.json", import.meta.url);

export function renderOpenApi(): string {
  return `${JSON.stringify(openApiDocument(manifest.version), null, 1)}\n`;
}

if (import.meta.main) {
  if (process.argv.includes("--write")) await Bun.write(OPENAPI_DOCUMENT, renderOpenApi());
  else process.stdout.write(renderOpenApi());
}
