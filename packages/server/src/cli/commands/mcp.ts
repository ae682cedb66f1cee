/** `fanfare mcp`: tools for a coding agent over standard input and output. */

import type { McpHost } from "#mcp";
import manifest from "../../../package.json" with { type: "json" };
import { ConfigError } from "../../config/config-error.ts";
import { askRunning, type LocationOptions, locationOf } from "../daemon/location.ts";
import { onOrphaned } from "../daemon/signals.ts";
import { readDocFiles } from "../doc-files.ts";
import { CliError } from "../errors.ts";
import { unreachable } from "../http.ts";

interface McpOptions extends LocationOptions {
  readonly url?: string;
  readonly role: "view" | "operate";
}

const ASK_TIMEOUT_MS = 5_000;

/** Until the agent closes its end. */
export async function mcp(options: McpOptions): Promise<void> {
  const { url, role, config } = options;
  // What is wrong with it is said before the agent asks for anything.
  const address = url === undefined ? undefined : parseAddress(url);
  const account = accountIn(process.env);
  const { serveMcp } = await import("#mcp");
  await serveMcp({
    ...{ version: manifest.version, role, account, docFiles: readDocFiles, unreachable, onOrphaned },
    address: async () => address ?? (await addressHere(options)),
    doctor: address ? undefined : () => examine(config),
    isExpected: (error) => error instanceof CliError || error instanceof ConfigError,
  });
}

async function examine(config: string | undefined): Promise<unknown> {
  const { doctor } = await import("./doctor.ts");
  return (await doctor({ watch: "0", ...(config !== undefined && { config }) })).json;
}

type Address = Awaited<ReturnType<McpHost["address"]>>;

/** Asks the server that runs here. Throws CliError. */
async function addressHere(options: LocationOptions): Promise<Address> {
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

/** As `fanfare dashboard` prints it, or without its key. Throws CliError. */
function parseAddress(written: string): Address {
  const url = URL.parse(written);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new CliError("--url has to be the address of the dashboard, such as https://ws.example.com/dashboard/");
  }
  const key = url.searchParams.get("key") ?? undefined;
  return { base: `${url.origin}${url.pathname.replace(/\/*$/, "/")}`, key };
}

/** Secrets come by the environment: a command line is seen by every user of the machine. */
function accountIn({
  FANFARE_MCP_USER: name,
  FANFARE_MCP_PASSWORD: password,
  FANFARE_MCP_TOKEN: token,
}: NodeJS.ProcessEnv): McpHost["account"] {
  if (token) return { token };
  if (!name && !password) return undefined;
  if (name && password) return { name, password };
  throw new CliError("FANFARE_MCP_USER and FANFARE_MCP_PASSWORD belong together: give both");
}
