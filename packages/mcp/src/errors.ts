/** What a tool answers where it could not do what was asked. */

/** Says what can be put right, and how. */
export class ToolError extends Error {
  override readonly name: string = "ToolError";
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
