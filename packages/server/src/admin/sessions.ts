/**
 * Who calls the dashboard, and what each role may do. A caller is who has a session, by its cookie, or who the program says; for the
 * live connection there are tickets. Sessions may end early.
 */

import { createHmac, scryptSync, timingSafeEqual } from "node:crypto";
import { generateCookie } from "hono/cookie";
import * as z from "zod/mini";
import type { Clock } from "../domain/ports.ts";
import { ROLES, type Role } from "./api-types.ts";
import { ClusterKeys, type KeyStore } from "./cluster-keys.ts";

export interface Caller {
  /** As the server believes it. */
  readonly address: string;
  readonly isEncrypted: boolean;
}

/** What a program says of who may see the dashboard: a role, a name and a role, or nothing for a stranger. */
export type AuthorizeResult = Role | { readonly name: string; readonly role: Role } | false | null | undefined;

/** The program's own check; then it alone decides. */
export type AuthorizeDashboard = (request: Request) => AuthorizeResult | Promise<AuthorizeResult>;

/** Who calls, as far as the dashboard needs to know. */
export interface Principal {
  readonly name: string;
  readonly role: Role;
  /** Undefined where the program's own check admitted the caller. */
  readonly session?: string;
  readonly expiresAtMs?: number;
  /** The program that acts for the user, where it said so. */
  readonly agent?: string;
}

/** Who has a session. */
export type SessionPrincipal = Principal & Required<Pick<Principal, "session" | "expiresAtMs">>;

/** Who has signed in; a token's session ends with the token. */
export type Account = Omit<Principal, "session">;

export interface SessionsOptions {
  readonly signer: TokenSigner;
  readonly clock: Clock;
  readonly ledger: KeyStore;
  readonly authorize: () => AuthorizeDashboard | undefined;
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
  agent: z.optional(z.string()),
});

const TicketClaims = z.object({
  id: z.string(),
  name: z.string(),
  role: z.enum(ROLES),
  usableUntilMs: z.number(),
  session: z.optional(z.string()),
  expiresAtMs: z.optional(z.number()),
});

export class Sessions {
  readonly #options: SessionsOptions;
  readonly #keys: ClusterKeys;

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#keys = new ClusterKeys(options.ledger);
  }

  /** A new one at each sign-in, whatever the browser had before. */
  start({ expiresAtMs = Number.POSITIVE_INFINITY, ...account }: Account): SessionPrincipal {
    const untilMs = Math.min(expiresAtMs, this.#nowMs + this.#options.lifeMs);
    return { ...account, session: crypto.randomUUID(), expiresAtMs: untilMs };
  }

  /**
   * The header that sets it. Without a path, so that the browser takes the folder of the call: that is right behind a proxy with a
   * path of its own, too. No script sees it, and no other site's page sends it.
   */
  cookie({ session: id, ...claims }: SessionPrincipal, isEncrypted: boolean): string {
    const token = this.#options.signer.sign("session", { id, ...claims });
    const lifeS = Math.max(0, Math.ceil((claims.expiresAtMs - this.#nowMs) / 1000));
    return cookie(token, lifeS, isEncrypted);
  }

  expiredCookie(isEncrypted: boolean): string {
    return cookie("", 0, isEncrypted);
  }

  /** Undefined for a stranger. Throws Error where the program's check fails. */
  async principalOf(request: Request): Promise<Principal | undefined> {
    const authorize = this.#options.authorize();
    if (!authorize) return this.find(request);
    try {
      return toPrincipal(await authorize(request));
    } catch (error) {
      throw error instanceof Error ? error : new Error(`authorizeDashboard threw ${String(error)}.`);
    }
  }

  /** Whose session it is. */
  async find(request: Request): Promise<SessionPrincipal | undefined> {
    for (const token of cookiesIn(request)) {
      const read = SessionClaims.safeParse(this.#options.signer.verify("session", token));
      if (!read.success) continue;
      const { id, agent, ...claims } = read.data;
      if (claims.expiresAtMs <= this.#nowMs || (await this.#isEnded(id))) continue;
      return { ...claims, session: id, ...agentIn({ agent }) };
    }
    return undefined;
  }

  /** On every node. */
  async end({ session, expiresAtMs }: SessionPrincipal): Promise<void> {
    await this.#keys.setIfAbsent(endedKey(session), Math.max(1, expiresAtMs - this.#nowMs), (error) =>
      this.#options.failed(error, "recording that a session of the dashboard ended"),
    );
  }

  /** While the engine is unavailable, only sessions that ended here are known: operators have to get in then. */
  #isEnded(session: string): Promise<boolean> {
    return this.#keys.exists(endedKey(session));
  }

  /** Opens the live connection, once. */
  ticket({ name, role, session, expiresAtMs }: Principal): { readonly ticket: string; readonly expiresAtMs: number } {
    const usableUntilMs = this.#nowMs + TICKET_MS;
    const claims = { id: crypto.randomUUID(), name, role, usableUntilMs, session, expiresAtMs };
    return { ticket: this.#options.signer.sign("ticket", claims), expiresAtMs: usableUntilMs };
  }

  async redeem(ticket: string): Promise<Principal | undefined> {
    const read = TicketClaims.safeParse(this.#options.signer.verify("ticket", ticket));
    if (!read.success || read.data.usableUntilMs <= this.#nowMs) return undefined;
    const { id, name, role, session, expiresAtMs } = read.data;
    if (session !== undefined && (await this.#isEnded(session))) return undefined;
    if (!(await this.#keys.setIfAbsent(`dashboard-ticket/${id}`, TICKET_MS))) return undefined;
    return { name, role, ...(session !== undefined && { session }), ...(expiresAtMs !== undefined && { expiresAtMs }) };
  }

  get #nowMs(): number {
    return this.#options.clock.wallMs();
  }
}

/** Each role may do what those before it may. */
export function hasRole({ role }: { readonly role: Role }, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}

function toPrincipal(result: AuthorizeResult): Principal | undefined {
  if (!result) return undefined;
  const { name, role } = typeof result === "string" ? { name: "the program's", role: result } : result;
  if (!ROLES.includes(role)) {
    throw new TypeError('authorizeDashboard has to return "view", "operate", "admin", { name, role } or false.');
  }
  return { name: String(name), role };
}

/** For a detail of the audit log, or a principal: nothing where there is none. */
export function agentIn({ agent }: { readonly agent?: string | undefined }): Pick<Principal, "agent"> {
  return agent === undefined ? {} : { agent };
}

function endedKey(session: string): string {
  return `dashboard-ended/${session}`;
}

function cookie(value: string, lifeS: number, secure: boolean): string {
  const maxAge = Math.min(lifeS, MAX_AGE_S);
  return generateCookie(COOKIE, value, { path: "", maxAge, httpOnly: true, sameSite: "Strict", secure });
}

/** A browser sends one for each folder in which a call set one. */
function cookiesIn(request: Request): string[] {
  return (request.headers.get("cookie") ?? "").split(";").flatMap((pair) => {
    const [name, value] = pair.trim().split("=", 2);
    return name === COOKIE && value ? [value] : [];
  });
}

// ---- tokens

/** What a token is for: one that was made for one purpose is not valid for another. */
type Purpose = "session" | "ticket";

/** Longest token that is looked at, in characters. */
const MAX_TOKEN_LENGTH = 1024;

/**
 * Tokens that only this server, or another with the same key, can have made: sessions and tickets. Nothing is stored of them,
 * so that they hold on every node and every worker.
 */
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
    const [body = "", signature = "", ...more] = token.length > MAX_TOKEN_LENGTH ? [] : token.split(".");
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
