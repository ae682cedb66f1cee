/**
 * The key that sessions are signed with, made of what signs in: the same on every node that has the same configuration, and
 * another as soon as a password is. Slowly, so that who has a session cannot guess passwords by it.
 */

import { scryptSync } from "node:crypto";

const BYTES = 32;
const SALT = "fanfare dashboard";

export function deriveSessionKey(secrets: unknown): Uint8Array {
  return scryptSync(JSON.stringify(secrets), SALT, BYTES);
}
