/** Keeps webpages out that an app does not list. Browsers alone send an honest Origin header, and only they need it. */

import type { App } from "../domain/app.ts";
import { Disconnect } from "../domain/error.ts";
import { listsOrigin } from "../domain/origin.ts";
import type { Guard } from "../domain/ports.ts";

/** What of an origin is repeated to its sender: it ends up in logs and in a close reason of at most 123 bytes. */
const PRESENTABLE = /^[\x21-\x7e]{1,70}$/;

/** Clients that are no pages send no origin. */
export function isOriginAllowed(app: App, origin: string | null): boolean {
  if (origin === null) return app.allowMissingOrigin;
  return app.allowedOrigins.length === 0 || listsOrigin(app, origin);
}

export function originGuard(): Guard {
  return {
    connect(request, app) {
      const origin = request.headers.get("origin");
      if (isOriginAllowed(app, origin)) return undefined;
      if (origin === null) {
        throw new Disconnect("unauthorized", "This app requires an Origin header (allowMissingOrigin is off).");
      }
      const named = PRESENTABLE.test(origin) ? `The origin ${origin}` : "This origin";
      throw new Disconnect("unauthorized", `${named} may not connect to this app (allowedOrigins).`);
    },
  };
}
