/** Keeps webpages out that an app does not list. Browsers alone send an honest Origin header, and only they need it. */

import type { App } from "../domain/app.ts";
import { Disconnect } from "../domain/error.ts";
import { type OriginTest, originTest } from "../domain/origin.ts";
import type { Guard } from "../domain/ports.ts";

/** What of an origin is repeated to its sender: it ends up in logs and in a close reason of at most 123 bytes. */
const PRESENTABLE = /^[\x21-\x7e]{1,70}$/;

export function originGuard(): Guard {
  const tests = new WeakMap<App, OriginTest>();
  return {
    connect(request, app) {
      const origin = request.headers.get("origin");
      if (origin === null) {
        if (app.allowMissingOrigin) return undefined;
        throw new Disconnect("unauthorized", "This app requires an Origin header (allowMissingOrigin is off).");
      }
      if (app.allowedOrigins.length === 0) return undefined;
      const mayConnect = tests.get(app) ?? originTest(app.allowedOrigins);
      tests.set(app, mayConnect);
      if (mayConnect(origin)) return undefined;
      const named = PRESENTABLE.test(origin) ? `The origin ${origin}` : "This origin";
      throw new Disconnect("unauthorized", `${named} may not connect to this app (allowedOrigins).`);
    },
  };
}
