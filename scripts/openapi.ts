/** Brings docs/openapi.json up to date with what is served over HTTP: `npm run generate`. A test fails when it is stale. */

import manifest from "../packages/server/package.json" with { type: "json" };
import { serverDocument } from "../packages/server/src/server/http/openapi-document.ts";

export const OPENAPI_DOCUMENT = new URL("../docs/openapi.json", import.meta.url);

export function renderOpenApi(): string {
  return `${JSON.stringify(serverDocument(manifest.version), null, 1)}\n`;
}

if (import.meta.main) {
  if (process.argv.includes("--write")) await Bun.write(OPENAPI_DOCUMENT, renderOpenApi());
  else process.stdout.write(renderOpenApi());
}
