/** Who is signed in: sessions in cookies, tickets for the live connection, and those that were ended before their time. */

import { generateCookie } from "hono/cookie";
import { z } from "zod";
import type { Clock, Ledger } from "../domain/ports.ts";
import { ROLES, type Role } from "./api-types.ts";
import type { TokenSigner } from "./token-signer.ts";

/** Somebody, as far as the dashboard needs to know. */
export interface Principal {
  readonly name: string;
  readonly role: Role;
  /** Of the session; undefined where there is none: the program's own gate let somebody in. */
  readonly session?: string;
  readonly expiresAtMs?: number;
}

/** Whoever has signed in; a token's session ends with the token. */
export type Account = Omit<Principal, "session">;

export interface SessionsOptions {
  readonly signer: TokenSigner;
  readonly clock: Clock;
  readonly ledger: Pick<Ledger, "setIfAbsent" | "exists">;
  readonly lifeMs: number;
  readonly failed: (error: unknown, during: string) => void;
}

const TICKET_MS = 30_000;
const COOKIE = "fanfare-dashboard";
/** Browsers keep no cookie for longer than 400 days. */
const MAX_AGE_S = 400 * 86_400;

const SessionClaims = z.object({
  id: z.string(),
  name: z.string(),
  role: z.enum(ROLES),
  expiresAtMs: z.number(),
});

const TicketClaims = z.object({
  id: z.string(),
  name: z.string(),
  role: z.enum(ROLES),
  usableUntilMs: z.number(),
  session: z.string().optional(),
  expiresAtMs: z.number().optional(),
});

export class Sessions {
  readonly #options: SessionsOptions;
  /** Ended here, for the time in which the engine cannot be asked. */
  readonly #ended = new Map<string, number>();

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  /** Another at each sign-in, whatever the browser had before. */
  start({ name, role, expiresAtMs = Number.POSITIVE_INFINITY }: Account): Required<Principal> {
    const untilMs = Math.min(expiresAtMs, this.#nowMs + this.#options.lifeMs);
    return { name, role, session: crypto.randomUUID(), expiresAtMs: untilMs };
  }

  /**
   * The header for it. Without a path, so that the browser takes the folder of the call: it is right behind a proxy that
   * puts something in front, too. Never shown to scripts, never sent from another site's page.
   */
  cookie({ name, role, session, expiresAtMs }: Required<Principal>, isEncrypted: boolean): string {
    const word = this.#options.signer.sign("session", { id: session, name, role, expiresAtMs });
    const lifeS = Math.max(0, Math.ceil((expiresAtMs - this.#nowMs) / 1000));
    return cookie(word, lifeS, isEncrypted);
  }

  expiredCookie(isEncrypted: boolean): string {
    return cookie("", 0, isEncrypted);
  }

  async find(request: Request): Promise<Required<Principal> | undefined> {
    for (const word of cookiesIn(request)) {
      const read = SessionClaims.safeParse(this.#options.signer.verify("session", word));
      if (!read.success) continue;
      const { id, name, role, expiresAtMs } = read.data;
      if (expiresAtMs > this.#nowMs && !(await this.isEnded(id))) return { name, role, session: id, expiresAtMs };
    }
    return undefined;
  }

  /** From now on nobody is signed in by it, on any node. */
  async end({ session, expiresAtMs }: Required<Principal>): Promise<void> {
    for (const [id, until] of this.#ended) if (until <= this.#nowMs) this.#ended.delete(id);
    this.#ended.set(session, expiresAtMs);
    try {
      await this.#options.ledger.setIfAbsent(endedKey(session), Math.max(1, expiresAtMs - this.#nowMs));
    } catch (error) {
      this.#options.failed(error, "noting that a session of the dashboard ended");
    }
  }

  /** While the engine is away, only those that ended here are known: who looks after a server has to get in then. */
  async isEnded(session: string): Promise<boolean> {
    if (this.#ended.has(session)) return true;
    try {
      return await this.#options.ledger.exists(endedKey(session));
    } catch {
      return false;
    }
  }

  /** Opens the live connection, once. */
  ticket({ name, role, session, expiresAtMs }: Principal): { readonly ticket: string; readonly expiresAtMs: number } {
    const usableUntilMs = this.#nowMs + TICKET_MS;
    const word = { id: crypto.randomUUID(), name, role, usableUntilMs, session, expiresAtMs };
    return { ticket: this.#options.signer.sign("ticket", word), expiresAtMs: usableUntilMs };
  }

  async redeem(ticket: string): Promise<Principal | undefined> {
    const read = TicketClaims.safeParse(this.#options.signer.verify("ticket", ticket));
    if (!read.success || read.data.usableUntilMs <= this.#nowMs) return undefined;
    const { id, name, role, session, expiresAtMs } = read.data;
    if (session !== undefined && (await this.isEnded(session))) return undefined;
    if (!(await this.#isFirst(id))) return undefined;
    return { name, role, ...(session !== undefined && { session }), ...(expiresAtMs !== undefined && { expiresAtMs }) };
  }

  async #isFirst(ticket: string): Promise<boolean> {
    try {
      return await this.#options.ledger.setIfAbsent(`dashboard-ticket/${ticket}`, TICKET_MS);
    } catch {
      return true;
    }
  }

  get #nowMs(): number {
    return this.#options.clock.wallMs();
  }
}

function endedKey(session: string): string {
  return `dashboard-ended/${session}`;
}

function cookie(value: string, lifeS: number, secure: boolean): string {
  const maxAge = Math.min(lifeS, MAX_AGE_S);
  return generateCookie(COOKIE, value, { path: "", maxAge, httpOnly: true, sameSite: "Strict", secure });
}

/** One for each folder that a call was in which set one. */
function cookiesIn(request: Request): string[] {
  return (request.headers.get("cookie") ?? "").split(";").flatMap((pair) => {
    const [name, value] = pair.trim().split("=", 2);
    return name === COOKIE && value ? [value] : [];
  });
}
