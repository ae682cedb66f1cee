/** JSON Web Tokens for clients of the native protocol. */

import { invalid } from "./errors.ts";
import type { Signer } from "./signer.ts";

export interface TokenClaims {
  /** The user's id: 1 to 128 characters. */
  readonly user: string;
  /** What other members of a presence channel see of the user: JSON, at most 1024 bytes unless the app allows more. */
  readonly info?: unknown;
  /** Patterns of private and presence channels that the user may join without a signature: `*` is any run of characters, `?` one. */
  readonly channels?: readonly string[];
  /** Patterns of presence channels whose members the user may see without being one. */
  readonly watch?: readonly string[];
  /** Ids of users of whom the client is notified when they come online and go offline. */
  readonly watchlist?: readonly string[];
  /** Seconds from now until it expires. Default 3600. */
  readonly expiresInS?: number;
  /** `aud`, where the app's settings demand one. */
  readonly audience?: string;
  /** `iss`, where the app's settings demand one. */
  readonly issuer?: string;
}

const AN_HOUR_S = 3_600;
const ENCODER = new TextEncoder();

/** HS256, with `iat` and `exp`. */
export async function makeToken(signer: Signer, claims: TokenClaims): Promise<string> {
  const { user, info, channels, watch, watchlist, expiresInS = AN_HOUR_S, audience, issuer } = claims;
  if (typeof user !== "string" || user === "") throw invalid("A token needs a user: an id of 1 to 128 characters.");
  const exp = unixSecondsIn(expiresInS);
  const iat = Math.floor(Date.now() / 1000);
  const payload = {
    sub: user,
    info,
    channels,
    watch,
    watchlist,
    aud: audience,
    iss: issuer,
    iat,
    exp,
  };
  const signed = `${base64Url(jsonBytes({ alg: "HS256", typ: "JWT" }))}.${base64Url(jsonBytes(payload))}`;
  return `${signed}.${base64Url(await signer.sign(signed))}`;
}

function jsonBytes(value: object): Uint8Array {
  return ENCODER.encode(JSON.stringify(value));
}

function base64Url(bytes: Uint8Array): string {
  const base64 = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  return base64.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** Unix seconds, as an `exp` is. */
export function unixSecondsIn(expiresInS: number): number {
  if (!(expiresInS > 0)) throw invalid("expiresInS is a number of seconds above 0.");
  return Math.floor(Date.now() / 1000) + Math.ceil(expiresInS);
}
