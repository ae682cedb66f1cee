/** Asks a server by its control socket. */

import { CliError } from "../errors.ts";
import { codeOf } from "./processes.ts";

const PATIENCE_MS = 120_000;

/** Undefined where nobody listens. Throws CliError with what the server says against it, or why it cannot be reached. */
export async function askServer<T extends object>(
  socket: string,
  method: "GET" | "POST",
  path: string,
  timeoutMs = PATIENCE_MS,
): Promise<T | undefined> {
  let response: Response;
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    response = await fetch(`http://fanfare${path}`, { unix: socket, method, signal });
  } catch (error) {
    return unreachable(socket, error);
  }
  const body: unknown = await response.json().catch(() => undefined);
  if (typeof body !== "object" || body === null)
    throw new CliError(`${socket} answers, but not as a Fanfare server does`);
  if (!response.ok)
    throw new CliError("error" in body ? String(body.error) : `the server refused (${response.status})`);
  return body as T;
}

function unreachable(socket: string, error: unknown): undefined {
  const code = codeOf(error);
  if (["ENOENT", "ECONNREFUSED", "FailedToOpenSocket", "ENOTDIR"].includes(code)) return undefined;
  if (code === "EACCES" || code === "EPERM") {
    throw new CliError(
      `${socket} may not be opened by this user: run this as the user that the server runs as, or as root`,
    );
  }
  if (error instanceof Error && error.name === "TimeoutError") {
    throw new CliError(`the server behind ${socket} does not answer`);
  }
  throw new CliError(`cannot reach the server by ${socket}: ${error instanceof Error ? error.message : String(error)}`);
}
