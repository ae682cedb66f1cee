/** A coding agent that has `fanfare mcp`: the protocol's own client, over standard input and output of the real command. */

import { join } from "node:path";
import { Client, type ClientOptions } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { type Name, PASSWORDS } from "../admin/visitor.ts";
import { atEnd } from "../support/at-end.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const MAIN = join(import.meta.dir, "../../packages/server/src/cli/main.ts");
/** In place of the installed command. */
export const PROGRAM = [process.execPath, "--no-env-file", MAIN] as const;

export interface AgentOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly program?: readonly string[];
  readonly client?: ClientOptions;
}

/** What a tool answered: its text, and what that is as JSON. */
export interface ToolAnswer {
  readonly text: string;
  readonly isError: boolean;
  // biome-ignore lint/suspicious/noExplicitAny: each test knows what it asked for
  readonly value: any;
}

export interface Agent {
  readonly client: Client;
  readonly pid: number | null;
  ask(tool: string, input?: Readonly<Record<string, unknown>>): Promise<ToolAnswer>;
  /** What the command printed for people. */
  readonly stderr: string;
}

export async function startAgent(options: AgentOptions = {}): Promise<Agent> {
  const { args = [], env = {}, cwd = temporaryFolder(), program = PROGRAM, client: settings } = options;
  const [command = "", ...before] = program;
  const transport = new StdioClientTransport({
    command,
    args: [...before, "mcp", ...args],
    env: { PATH: process.env.PATH ?? "", ...env },
    cwd,
    stderr: "pipe",
  });
  const printed: string[] = [];
  transport.stderr?.on("data", (chunk) => printed.push(String(chunk)));
  const client = new Client({ name: "a-coding-agent", version: "1.0.0" }, settings);
  atEnd(() => client.close());
  await client.connect(transport);
  return {
    client,
    pid: transport.pid,
    get stderr() {
      return printed.join("");
    },
    async ask(name, input = {}) {
      const { content, isError } = await client.callTool({ name, arguments: { ...input } });
      const [first] = content;
      const text = first?.type === "text" ? first.text : "";
      return { text, isError: isError === true, value: parsed(text) };
    },
  };
}

/** Signed in by an account, at a server that was named. */
export function agentOf(name: Name, url: string, args: readonly string[] = []): Promise<Agent> {
  const env = { FANFARE_MCP_USER: name, FANFARE_MCP_PASSWORD: PASSWORDS[name] };
  return startAgent({ args: ["--url", `${url}/dashboard/`, ...args], env });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
