/** Who is signed in: on each connection anew, and with a new token before the last one ends. */

import type { Connection } from "./connection.ts";
import { after, type Cancel } from "./environment.ts";
import type { FanfareError } from "./errors.ts";
import type { Settings } from "./options.ts";
import type { Tokens } from "./token.ts";
import type { User } from "./types.ts";

type Credentials = Readonly<Record<string, unknown>>;

/** A token that is never good for long must not keep the back end busy. */
const SHORTEST_RENEWAL_MS = 1_000;

export class Session {
  readonly #settings: Settings;
  readonly #tokens: Tokens;
  readonly #connection: Connection;
  /** Permissions may have changed. */
  readonly #changed: () => void;
  /** Other credentials than a token. */
  #credentials: Credentials | undefined;
  #cancelRenewal: Cancel | undefined;
  #renewing: AbortController | undefined;
  #failures = 0;

  constructor(settings: Settings, tokens: Tokens, connection: Connection, changed: () => void) {
    this.#settings = settings;
    this.#tokens = tokens;
    this.#connection = connection;
    this.#changed = changed;
  }

  /** After `welcome`. `ready` is called once it is known who is signed in. */
  begin(ready: () => void): void {
    this.#failures = 0;
    this.#planRenewal();
    const credentials = this.#credentials;
    if (!credentials) return ready();
    this.#authenticate(credentials, (error) => {
      if (error?.code === "connection_lost") return;
      if (error?.retryable) return this.#connection.drop(error);
      if (error) {
        this.#credentials = undefined;
        this.#connection.update({ error });
      }
      ready();
    });
  }

  /** The connection is gone. What was under way for it is discarded. */
  pause(): void {
    this.#cancelRenewal?.();
    this.#renewing?.abort();
    this.#renewing = undefined;
  }

  reset(): void {
    this.pause();
    this.#credentials = undefined;
    this.#tokens.reset();
  }

  signOut(): void {
    this.pause();
    this.#credentials = undefined;
    this.#tokens.clear();
  }

  /** On an open connection. */
  signIn(credentials: Credentials): Promise<User> {
    return new Promise((resolve, reject) => {
      this.#authenticate(credentials, (error, user) => {
        if (error) return reject(error);
        const { token, ...others } = credentials;
        if (typeof token === "string" && Object.keys(others).length === 0) {
          this.#credentials = undefined;
          this.#tokens.hold(token);
          this.#planRenewal();
        } else this.#credentials = credentials;
        this.#changed();
        resolve(user as User);
      });
    });
  }

  /** The server says that the token ends. It matters where the token does not say so itself. */
  endsIn(ms: number): void {
    if (this.#tokens.canRenew && this.#tokens.renewInMs === undefined) this.#planRenewal(ms / 2);
  }

  #renew(): void {
    if (this.#renewing) return;
    this.#cancelRenewal?.();
    const renewing = new AbortController();
    this.#renewing = renewing;
    const failed = (error: FanfareError) => {
      if (renewing.signal.aborted) return;
      this.#renewing = undefined;
      this.#settings.log("warn", "the token was not renewed", { code: error.code, reason: error.message });
      // Nobody is signed in any more.
      if (error.code === "token_unavailable" && !error.retryable) return this.#connection.fail(error);
      this.#planRenewal(this.#settings.backoffMs(this.#failures++));
    };
    this.#tokens.fetch("refresh", renewing.signal).then((token) => {
      if (renewing.signal.aborted) return;
      this.#authenticate({ token }, (error) => {
        if (error) return failed(error);
        if (renewing.signal.aborted) return;
        this.#renewing = undefined;
        this.#tokens.hold(token);
        this.#planRenewal();
        this.#changed();
      });
    }, failed);
  }

  #planRenewal(pauseMs?: number): void {
    this.#cancelRenewal?.();
    const dueMs = pauseMs ?? this.#tokens.renewInMs;
    if (dueMs === undefined) return;
    // The back end gave one that was due at once: perhaps the same again.
    const isShort = pauseMs === undefined && dueMs < SHORTEST_RENEWAL_MS;
    if (!isShort && pauseMs === undefined) this.#failures = 0;
    const waitMs = isShort ? this.#settings.backoffMs(this.#failures++) : dueMs;
    this.#cancelRenewal = after(this.#settings.environment, waitMs, () => this.#renew());
  }

  #authenticate(credentials: Credentials, done: (error?: FanfareError, user?: User) => void): void {
    const answered = (error: FanfareError | undefined, { data }: { readonly data?: { readonly user?: User } }) => {
      if (error) return done(error);
      if (data?.user) this.#connection.update({ user: data.user });
      done(undefined, data?.user);
    };
    const { replyMs } = this.#settings.timeouts;
    this.#connection.request("authenticate", credentials, "authenticated", answered, replyMs);
  }
}
