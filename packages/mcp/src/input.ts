/** What several tools are given, and the app that they are about. */

import type { AppSummary, Overview } from "fanfare/wire/admin";
import { int, string } from "zod";
import type { AdminClient } from "./admin-client.ts";
import { ToolError } from "./admin-client.ts";

const LONGEST_NAME = 300;

export const name = string().min(1).max(LONGEST_NAME);
export const app = name
  .optional()
  .describe("The app, by its id or key. May be left out where the server has only one.");
export const channel = name.describe("The channel's full name, with its prefix: private-orders.7");
export const connection = name.describe("The connection's id, which Pusher clients call the socket id: 1234.5678");

export function limit(initial: number, most: number) {
  return int().min(1).max(most).default(initial).describe(`At most so many, ${most} at most.`);
}

/** Throws ToolError with the apps there are. */
export async function appIn(admin: AdminClient, named: string | undefined): Promise<AppSummary> {
  const { apps } = await admin.get<Overview>("api/overview");
  const found = named === undefined ? apps : apps.filter(({ id, key }) => id === named || key === named);
  const [app, another] = found;
  if (app && !another) return app;
  const known = apps.map(({ id }) => id).slice(0, 50);
  const problem = named === undefined ? "name the app with `app`" : `there is no app ${JSON.stringify(named)}`;
  throw new ToolError(known.length === 0 ? "this server has no apps" : `${problem}: there are ${known.join(", ")}`);
}
