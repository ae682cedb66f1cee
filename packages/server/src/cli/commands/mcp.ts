/** `fanfare mcp`: tools for a coding agent over standard input and output. */

import { CliError } from "../errors.ts";
import { type AddressOptions, parseAddress } from "../mcp/dashboard-address.ts";
import { serveMcp } from "../mcp/serve.ts";

interface McpOptions extends AddressOptions {
  readonly role: "view" | "operate";
}

/** Until the agent closes its end. */
export async function mcp(options: McpOptions): Promise<void> {
  // What is wrong with it is said before the agent asks for anything.
  if (options.url !== undefined) parseAddress(options.url);
  await serveMcp({ ...options, account: accountIn(process.env) });
}

/** Secrets come by the environment: a command line is seen by every user of the machine. */
function accountIn({
  FANFARE_MCP_USER: name,
  FANFARE_MCP_PASSWORD: password,
  FANFARE_MCP_TOKEN: token,
}: NodeJS.ProcessEnv) {
  if (token) return { token };
  if (!name && !password) return undefined;
  if (name && password) return { name, password };
  throw new CliError("FANFARE_MCP_USER and FANFARE_MCP_PASSWORD belong together: give both");
}
