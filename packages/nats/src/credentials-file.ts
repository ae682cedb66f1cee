/** What a `.creds` file says: until when its user counts, as far as one can tell without the server. */

import { asRecord } from "fanfare/engine";

/** Between lines of dashes: the user's JWT, and then the seed of the user's key. */
const SECTIONS = /^-{3,}[^\n]*-{3,}\s*\n\s*(\S+)\s*\n\s*-{3,}[^\n]*-{3,}\s*$/gm;

/** Why the server cannot accept it; undefined where it may. */
export function credentialsProblem(creds: string, wallMs: number): string | undefined {
  const [jwt, seed] = [...creds.matchAll(SECTIONS)].map(([, section = ""]) => section);
  if (jwt === undefined || seed === undefined) return "there is no user's JWT with a seed in it";
  const { exp } = claimsOf(jwt);
  if (typeof exp !== "number" || exp <= 0 || exp * 1000 > wallMs) return undefined;
  return `the user's JWT ended ${new Date(exp * 1000).toISOString()}`;
}

function claimsOf(jwt: string): Readonly<Record<string, unknown>> {
  try {
    return asRecord(JSON.parse(Buffer.from(jwt.split(".")[1] ?? "", "base64url").toString("utf8")));
  } catch {
    return {};
  }
}
