/** Who calls the dashboard, and from which page. */

import { Refused } from "./refused.ts";
import type { Person, Sessions } from "./sessions.ts";
import { GUARD_HEADER, ROLES, type Role } from "./wire.ts";

export interface Caller {
  /** As the server believes it. */
  readonly address: string;
  readonly isEncrypted: boolean;
}

/** What a program says of who may see the dashboard: a role, a name and a role, or nobody. */
export type Verdict = Role | { readonly name: string; readonly role: Role } | false | null | undefined;

/** The program's own gate; then it alone decides. */
export type AuthorizeDashboard = (request: Request) => Verdict | Promise<Verdict>;

export interface DoorOptions {
  readonly sessions: Sessions;
  readonly mode: "development" | "production";
  /** Whether anybody can sign in: then one has to, on the machine itself too. */
  readonly hasAccounts: boolean;
  readonly authorize: () => AuthorizeDashboard | undefined;
}

const FORWARDING = ["x-forwarded-for", "x-forwarded-host", "x-real-ip", "forwarded", "via"];
const LOOPBACK = /^(127(\.\d{1,3}){3}|::1|::ffff:127(\.\d{1,3}){3})$/;
/** By any other name it may be another site's page, whose name was pointed at this machine. */
const LOOPBACK_HOST = /^(localhost|[a-z0-9-]+\.localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i;

export class Door {
  readonly #options: DoorOptions;

  constructor(options: DoorOptions) {
    this.#options = options;
  }

  /** Undefined where it is nobody who may see anything. Throws what the program's gate throws. */
  async who(request: Request, caller: Caller): Promise<Person | undefined> {
    const { sessions } = this.#options;
    const authorize = this.#options.authorize();
    if (authorize) return personOf(await authorize(request));
    if (this.isOpenTo(request, caller)) return { name: "this machine", role: "admin" };
    return sessions.of(request);
  }

  /** From the machine itself, in development, with nobody between; and only where no accounts are configured. */
  isOpenTo(request: Request, { address }: Caller): boolean {
    const { mode, authorize, hasAccounts } = this.#options;
    if (mode !== "development" || authorize() || hasAccounts) return false;
    if (!LOOPBACK.test(address) || FORWARDING.some((name) => request.headers.has(name))) return false;
    // A proxy that says nothing of itself may still hand on where the page came from.
    const origin = request.headers.get("origin");
    if (origin !== null && !LOOPBACK_HOST.test(URL.parse(origin)?.host ?? "")) return false;
    return LOOPBACK_HOST.test(request.headers.get("host") ?? "");
  }
}

/**
 * Only a page of the dashboard's own can send the header, and browsers say which page it was. Throws Refused `foreign_page`.
 * Where the browser says that it was the same site, the Host header may be what a proxy made of it.
 */
export function checkPage(request: Request): void {
  const { headers } = request;
  if (!headers.has(GUARD_HEADER)) throw foreign(`The header ${GUARD_HEADER} is missing.`);
  const site = headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin") throw foreign("The call comes from another site's page.");
  const origin = headers.get("origin");
  if (origin === null || site === "same-origin") return;
  const host = URL.parse(origin)?.host;
  const here = [headers.get("host"), headers.get("x-forwarded-host")].map((name) => name?.toLowerCase());
  if (host === undefined || !here.includes(host)) throw foreign("The call comes from another site's page.");
}

function foreign(message: string): Refused {
  return new Refused("foreign_page", message);
}

function personOf(verdict: Verdict): Person | undefined {
  if (!verdict) return undefined;
  const { name, role } = typeof verdict === "string" ? { name: "the program's", role: verdict } : verdict;
  if (!ROLES.includes(role)) {
    throw new TypeError('authorizeDashboard has to return "view", "operate", "admin", { name, role } or false.');
  }
  return { name: String(name), role };
}
