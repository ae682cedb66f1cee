/** `fanfare dashboard`: prints the address of the dashboard once more, with the key where one opens it. */

import { askRunning, type LocationOptions, locationOf } from "../daemon/location.ts";
import { CliError } from "../errors.ts";

export async function dashboard(options: LocationOptions): Promise<string> {
  const { url } = await askRunning<{ readonly url?: string }>(await locationOf(options), "GET", "/dashboard");
  if (url === undefined) throw new CliError("this server has no dashboard: `dashboard.enabled` is false");
  return url;
}
