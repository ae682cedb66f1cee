/** A tool as the table of tools describes it, and how what it finds becomes an answer of limited size. */

import type { CallToolResult, ToolAnnotations } from "@modelcontextprotocol/server";
import type { output, ZodObject } from "zod";
import type { AdminClient } from "./admin-client.ts";
import { messageOf, ToolError } from "./admin-client.ts";
import type { Docs } from "./docs.ts";
import type { McpHost } from "./host.ts";

/** What tools work with. */
export interface ToolContext {
  readonly admin: AdminClient;
  readonly docs: Docs;
  readonly doctor: McpHost["doctor"];
  /** The agent has cancelled the call. */
  readonly signal: AbortSignal;
}

/** `look` changes nothing, `act` adds something, `cut` takes something away. */
type Effect = "look" | "act" | "cut";

export interface ToolSpec {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly effect: Effect;
  readonly input: ZodObject;
  readonly run: (input: never, context: ToolContext) => Promise<unknown>;
}

/** Has the compiler hold the input against what is made of it. */
export function tool<Shape extends ZodObject>(
  spec: Omit<ToolSpec, "input" | "run"> & {
    readonly input: Shape;
    readonly run: (input: output<Shape>, context: ToolContext) => Promise<unknown>;
  },
): ToolSpec {
  return spec;
}

export function annotationsOf({ effect }: ToolSpec): ToolAnnotations {
  return {
    readOnlyHint: effect === "look",
    destructiveHint: effect === "cut",
    idempotentHint: effect === "cut",
    openWorldHint: false,
  };
}

/** Longest answer, in characters: an agent reads all of it. */
export const LONGEST_ANSWER = 40_000;

/** What went wrong is an answer as well, in plain words: the agent has to read it. */
export async function answerOf(
  run: () => Promise<unknown>,
  isExpected: McpHost["isExpected"],
): Promise<CallToolResult> {
  try {
    const found = await run();
    const text = typeof found === "string" ? found : JSON.stringify(found, null, 1);
    return { content: [{ type: "text", text: bounded(text) }] };
  } catch (error) {
    const message = messageOf(error);
    if (!(error instanceof ToolError || isExpected(error)))
      process.stderr.write(`fanfare: ${error instanceof Error ? error.stack : message}\n`);
    return { isError: true, content: [{ type: "text", text: bounded(sentence(message)) }] };
  }
}

export function bounded(text: string): string {
  if (text.length <= LONGEST_ANSWER) return text;
  const cut = text.slice(0, LONGEST_ANSWER).toWellFormed();
  return `${cut}\n… cut here: the answer has ${text.length} characters. Ask for less: name an app, a channel or a smaller limit.`;
}

function sentence(message: string): string {
  const text = message.charAt(0).toUpperCase() + message.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
