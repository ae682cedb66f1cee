/**
 * Tokens that only this server, or another with the same key, can have made: sessions and tickets. Nothing is stored of them,
 * so that they hold on every node and every worker.
 */

import { createHmac, scryptSync, timingSafeEqual } from "node:crypto";

/** What a token is for: one that was made for one purpose is not valid for another. */
export type Purpose = "session" | "ticket";

/** Longest that is looked at, in characters. */
const MAX_LENGTH = 1024;

export class TokenSigner {
  readonly #make: () => Uint8Array;
  #made: Uint8Array | undefined;

  /** The key is made when it is first needed. */
  constructor(key: () => Uint8Array) {
    this.#make = key;
  }

  get #key(): Uint8Array {
    this.#made ??= this.#make();
    return this.#made;
  }

  sign(purpose: Purpose, value: object): string {
    const body = Buffer.from(JSON.stringify(value)).toString("base64url");
    return `${body}.${this.#signature(purpose, body).toString("base64url")}`;
  }

  /** The value of a valid token; else undefined. */
  verify(purpose: Purpose, token: string): unknown {
    const [body = "", signature = "", ...more] = token.length > MAX_LENGTH ? [] : token.split(".");
    const right = this.#signature(purpose, body);
    const given = Buffer.from(signature, "base64url");
    if (more.length > 0 || given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
    return JSON.parse(Buffer.from(body, "base64url").toString("utf8"));
  }

  #signature(purpose: Purpose, body: string): Buffer {
    return createHmac("sha256", this.#key).update(`${purpose}.${body}`).digest();
  }
}

const KEY_BYTES = 32;
const KEY_SALT = "fanfare dashboard";

/**
 * Made of what signs in: the same on every node with the same configuration, and another as soon as a password changes. Slow, so
 * that a session is no help in guessing passwords.
 */
export function deriveSessionKey(secrets: unknown): Uint8Array {
  return scryptSync(JSON.stringify(secrets), KEY_SALT, KEY_BYTES);
}
