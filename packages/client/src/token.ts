/** The user's token: fetched, kept while it is good, and due for renewal at 80 % of its life. */

import { FanfareError } from "./errors.ts";
import type { Settings } from "./options.ts";
import type { TokenRequest } from "./types.ts";
import { within } from "./waiting.ts";

interface Held {
  readonly token: string;
  /** Milliseconds of its life; undefined if it cannot be read from it. */
  readonly lifeMs: number | undefined;
  /** Of the server's clock. */
  readonly expiresAt: number | undefined;
  /** Of this clock. */
  readonly receivedAt: number;
}

const RENEW_AT = 0.8;
/** Before the end of a token that does not say when it was issued. */
const EARLIER_MS = 60_000;

export class Tokens {
  readonly #settings: Settings;
  #source: ((why: TokenRequest) => unknown) | undefined;
  #held: Held | undefined;
  #reason: TokenRequest["reason"] = "connect";
  /** By how much the server's clock is ahead, once it has said so. */
  clockAheadMs: number | undefined;
  /** What the last `welcome` gave, to come back with as the same user. */
  reconnect: string | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.reset();
  }

  /** Back to the token of the options. */
  reset(): void {
    const { token } = this.#settings.options;
    this.clear();
    if (typeof token === "function") this.#source = token;
    if (typeof token === "string") this.hold(token);
  }

  /** From now on nobody is signed in. */
  clear(): void {
    this.#source = undefined;
    this.#held = undefined;
    this.reconnect = undefined;
  }

  get canRenew(): boolean {
    return this.#source !== undefined;
  }

  /** The server refused it: the next one is asked for with that reason. */
  reject(): void {
    this.#held = undefined;
    this.#reason = "rejected";
  }

  hold(token: string): void {
    const receivedAt = this.#settings.environment.now();
    const { exp, iat } = claimsOf(token);
    this.#held = {
      token,
      receivedAt,
      expiresAt: exp && exp * 1000,
      lifeMs: exp && iat && (exp - iat) * 1000,
    };
    this.#reason = "connect";
    this.reconnect = undefined;
  }

  /** For a dial: the server's own, or the one that is held, if it is still good. Undefined if the client has none. Throws `token_unavailable`. */
  async get(signal: AbortSignal): Promise<string | undefined> {
    const held = this.#held;
    if (this.reconnect) return this.reconnect;
    if (!this.#source || (held?.expiresAt !== undefined && this.#leftMs(held) > 0)) return held?.token;
    const token = await this.fetch(this.#reason, signal);
    if (!signal.aborted) this.hold(token);
    return token;
  }

  async fetch(reason: TokenRequest["reason"], signal: AbortSignal): Promise<string> {
    const { environment, timeouts } = this.#settings;
    const ask = () => this.#source?.({ reason, signal });
    const failed = (cause: unknown) =>
      new FanfareError("token_unavailable", "The token could not be fetched.", { cause, retryable: true });
    const token = await within(environment, timeouts.connectMs, "Fetching the token", signal, ask).catch((cause) => {
      throw failed(cause);
    });
    if (typeof token === "string" && token !== "") return token;
    if (token === null) throw new FanfareError("token_unavailable", "There is no token: nobody is signed in.");
    throw failed(new TypeError(`The token is ${typeof token}, not a string or null.`));
  }

  /** Milliseconds until it should be renewed; undefined if it never has to. */
  get renewInMs(): number | undefined {
    const held = this.#held;
    if (!this.#source || held?.expiresAt === undefined) return undefined;
    return this.#leftMs(held) - (held.lifeMs === undefined ? EARLIER_MS : held.lifeMs * (1 - RENEW_AT));
  }

  /** By the server's clock where it is known; else by the token's own life, so that a wrong clock here does no harm. */
  #leftMs({ expiresAt = 0, lifeMs, receivedAt }: Held): number {
    const now = this.#settings.environment.now();
    if (this.clockAheadMs !== undefined) return expiresAt - now - this.clockAheadMs;
    return lifeMs === undefined ? expiresAt - now : receivedAt + lifeMs - now;
  }
}

/** Of a JSON Web Token; of anything else nothing. The server checks it, the client only plans by it. */
function claimsOf(token: string): { exp?: number; iat?: number | undefined } {
  try {
    const [, payload = ""] = token.split(".");
    const { exp, iat } = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
    return typeof exp === "number" ? { exp, iat: typeof iat === "number" ? iat : undefined } : {};
  } catch {
    return {};
  }
}
