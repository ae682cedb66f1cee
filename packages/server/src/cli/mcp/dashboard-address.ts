/** Where the dashboard's API of a server is, and the key that its address may have in it. */

import { askRunning, type LocationOptions, locationOf } from "../daemon/location.ts";
import { CliError } from "../errors.ts";

export interface DashboardAddress {
  /** With a slash at its end, without the key. */
  readonly base: string;
  readonly key: string | undefined;
}

export interface AddressOptions extends LocationOptions {
  readonly url?: string;
}

const ASK_TIMEOUT_MS = 5_000;

/** Asks the server that runs here, unless the address was given. Throws CliError. */
export async function dashboardAddress(options: AddressOptions): Promise<DashboardAddress> {
  if (options.url !== undefined) return parseAddress(options.url);
  const location = await locationOf(options);
  const { url } = await askRunning<{ readonly url?: string }>(location, "GET", "/dashboard", ASK_TIMEOUT_MS);
  if (url === undefined) {
    throw new CliError("this server has no dashboard (`dashboard.enabled` is false), and agents come by its API");
  }
  if (!url.startsWith("unix:")) return parseAddress(url);
  throw new CliError(
    "the server listens on a Unix socket: give the address of its dashboard behind the proxy with --url",
  );
}

/** As `fanfare dashboard` prints it, or without its key. */
export function parseAddress(written: string): DashboardAddress {
  const url = URL.parse(written);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new CliError("--url has to be the address of the dashboard, such as https://ws.example.com/dashboard/");
  }
  const key = url.searchParams.get("key") ?? undefined;
  return { base: `${url.origin}${url.pathname.replace(/\/*$/, "/")}`, key };
}
