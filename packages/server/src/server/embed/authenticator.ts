/** Asks the program which user a client is, and checks its answer. */

import { randomUUID } from "node:crypto";
import type { App } from "../../domain/app.ts";
import { CommandError, Disconnect } from "../../domain/error.ts";
import type { User } from "../../domain/message.ts";
import { consistentUserInfo } from "../../domain/user-info.ts";
import { checkUserId } from "../../hub/limits.ts";
import type { Authenticator, NewUser } from "./types.ts";

export async function authenticate(
  ask: Authenticator,
  app: App,
  credentials: Readonly<Record<string, unknown>>,
): Promise<User | false> {
  const said: unknown = await ask(credentials, app);
  const answer = said === true ? { id: nameIn(credentials) } : said;
  if (answer === false || answer === null || answer === undefined) return false;
  if (typeof answer !== "object" || !("id" in answer) || !isId(answer.id)) {
    throw new TypeError("The authenticator has to return a user, such as { id: credentials.username }, true or false.");
  }
  const { infoText: _, ...known } = answer as NewUser;
  const user = { ...known, ...consistentUserInfo(answer as NewUser), id: String(answer.id) };
  checkUserId(app, user.id);
  return user;
}

/** During a handshake a refusal closes the connection. */
export async function authenticateHandshake(...args: Parameters<typeof authenticate>): Promise<User | false> {
  try {
    return await authenticate(...args);
  } catch (error) {
    throw error instanceof CommandError ? new Disconnect("token_invalid", error.message) : error;
  }
}

/** The user's id where the program answers only that the credentials are valid: the username in them, or a random id. */
function nameIn({ username }: Readonly<Record<string, unknown>>): string | number {
  return isId(username) ? username : randomUUID();
}

function isId(id: unknown): id is string | number {
  return typeof id === "string" || typeof id === "number";
}
