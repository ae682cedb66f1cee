/**
 * Tickets: what an EventSource, which sends no header of a page's, has in its address in place of a token. One is good once, soon, for
 * the page that asked for it; and again for the stream that was opened by it, as a browser comes back by the same address.
 */

import { randomBytes } from "node:crypto";
import type { App } from "../../domain/app.ts";
import type { Awaitable, Clock, Ledger } from "../../domain/ports.ts";
import { HttpError } from "../../http/error-response.ts";
import type { RequestUrl } from "../../http/request-url.ts";
import { isSameSecret, sign } from "../../hub/signature.ts";

export const TICKET_S = 30;
/** The clocks of two nodes may differ by so much. */
const TOLERANCE_MS = 5_000;
/** Its stream may come again for so long where the token does not say when it ends. */
const ENDLESS_MS = 24 * 3_600_000;
/** Much longer than a token may be. */
const LONGEST = 16_384;
const MARK = /^[0-9a-f]{32}$/;

export interface TicketsOptions {
  readonly ledger: Pick<Ledger, "setIfAbsent">;
  readonly clock: Pick<Clock, "wallMs">;
  /** Until when the token is good, where that is known. Throws CommandError. */
  readonly endOfToken: (app: App, token: string) => Awaitable<number | undefined>;
}

interface Claims {
  readonly jti: string;
  readonly token: string;
  readonly origin: string | null;
  readonly issuedAtMs: number;
  readonly untilMs: number;
}

export interface Redeemed {
  /** As it came, with the token in its header. */
  readonly request: Request;
  /** Without the ticket. */
  readonly url: RequestUrl;
  /** Known to those who have read the stream. Whoever has found the address in a log has not. */
  readonly mark: string;
}

export class Tickets {
  readonly #options: TicketsOptions;

  constructor(options: TicketsOptions) {
    this.#options = options;
  }

  /** Throws CommandError where the token is refused. */
  async issue(app: App, origin: string | null, token: string): Promise<string> {
    const { clock, endOfToken } = this.#options;
    const issuedAtMs = clock.wallMs();
    const untilMs = (await endOfToken(app, token)) ?? issuedAtMs + ENDLESS_MS;
    const { EncryptJWT } = await import("jose");
    const claims: Omit<Claims, "jti"> = { token, origin, issuedAtMs, untilMs };
    return new EncryptJWT({ ...claims })
      .setProtectedHeader({ alg: "dir", enc: "A256GCM" })
      .setJti(randomBytes(16).toString("hex"))
      .encrypt(keyOf(app, app.secrets[0]));
  }

  /** Undefined where the request has none. `mark` is the one that the stream gave to who reads it. Throws HttpError, and CommandError `engine_unavailable`. */
  async redeem(
    app: App | undefined,
    request: Request,
    url: RequestUrl,
    mark: string | undefined,
  ): Promise<Redeemed | undefined> {
    const ticket = url.searchParams.get("ticket");
    if (ticket === null || !app) return undefined;
    const claims = await claimsIn(app, ticket);
    const origin = request.headers.get("origin");
    // Browsers name no origin where a page reads from its own.
    if (!claims || (origin !== null && origin !== claims.origin))
      throw refused("is none of this app's, or another page's");
    const own = markOf(app, claims);
    const nowMs = this.#options.clock.wallMs();
    if (mark === undefined || !isSameSecret(mark, own)) await this.#spend(app, claims, nowMs);
    else if (nowMs > claims.untilMs + TOLERANCE_MS) throw refused("has ended");
    const bare = new URL(url.href);
    bare.searchParams.delete("ticket");
    const headers = new Headers(request.headers);
    headers.set("Authorization", `Bearer ${claims.token}`);
    return { url: bare, mark: own, request: new Request(bare, { headers, signal: request.signal }) };
  }

  async #spend(app: App, { jti, issuedAtMs }: Claims, nowMs: number): Promise<void> {
    const longestMs = TICKET_S * 1000 + TOLERANCE_MS;
    if (nowMs - issuedAtMs > longestMs) throw refused(`is older than ${TICKET_S} seconds`);
    if (issuedAtMs - nowMs > TOLERANCE_MS) throw refused("is not valid yet");
    const isFirst = await this.#options.ledger.setIfAbsent(`ticket ${app.id} ${jti}`, 2 * longestMs);
    if (!isFirst) throw refused("was used before");
  }
}

/** Of whoever has read a stream that was opened by a ticket. */
export function markIn(text: string | undefined): string | undefined {
  return text !== undefined && MARK.test(text) ? text : undefined;
}

function refused(why: string): HttpError {
  return new HttpError(401, "token_invalid", `The ticket ${why}: get another one.`);
}

/** By any of the app's secrets, as one of them may be on its way out. */
async function claimsIn(app: App, ticket: string): Promise<Claims | undefined> {
  if (ticket.length > LONGEST) return undefined;
  const { jwtDecrypt } = await import("jose");
  for (const secret of app.secrets) {
    try {
      const { payload } = await jwtDecrypt<Claims>(ticket, keyOf(app, secret));
      return payload;
    } catch {
      // Perhaps by the next one.
    }
  }
  return undefined;
}

function keyOf({ id }: App, secret: string): Uint8Array {
  return Buffer.from(sign(secret, `#ticket ${id}`), "hex");
}

function markOf({ secrets }: App, { jti }: Claims): string {
  return sign(secrets[0], `#ticket stream ${jti}`).slice(0, 32);
}
