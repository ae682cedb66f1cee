/** The app that a request names, where it can be looked up. */

import type { App } from "../../domain/app.ts";
import type { AppStore } from "../../domain/ports.ts";
import { HttpError, isKnownError } from "../../http/error-response.ts";

/** Throws HttpError where the program, or its database, does not say. */
export async function findApp(apps: AppStore, key: string): Promise<App | undefined> {
  try {
    return await apps.byKey(key);
  } catch (error) {
    if (isKnownError(error)) throw error;
    throw new HttpError(503, "internal", "The app cannot be looked up now: try again.");
  }
}
