/** Who calls the dashboard, and from which page. */

import { AdminError } from "./admin-error.ts";
import { GUARD_HEADER, ROLES, type Role } from "./api-types.ts";
import type { Principal, Sessions } from "./sessions.ts";

export interface Caller {
  /** As the server believes it. */
  readonly address: string;
  readonly isEncrypted: boolean;
}

/** What a program says of who may see the dashboard: a role, a name and a role, or nobody. */
export type AuthorizeResult = Role | { readonly name: string; readonly role: Role } | false | null | undefined;

/** The program's own gate; then it alone decides. */
export type AuthorizeDashboard = (request: Request) => AuthorizeResult | Promise<AuthorizeResult>;

export interface AccessOptions {
  readonly sessions: Sessions;
  readonly authorize: () => AuthorizeDashboard | undefined;
}

export class Access {
  readonly #options: AccessOptions;

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  /** Undefined where it is nobody who may see anything. Throws what the program's gate throws. */
  async principalOf(request: Request): Promise<Principal | undefined> {
    const authorize = this.#options.authorize();
    return authorize ? toPrincipal(await authorize(request)) : this.#options.sessions.find(request);
  }
}

/**
 * Only a page of the dashboard's own can send the header, and browsers say which page it was. Throws Refused `foreign_page`.
 * Where the browser says that it was the same site, the Host header may be what a proxy made of it.
 */
export function checkCsrf(request: Request): void {
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

function foreign(message: string): AdminError {
  return new AdminError("foreign_page", message);
}

function toPrincipal(verdict: AuthorizeResult): Principal | undefined {
  if (!verdict) return undefined;
  const { name, role } = typeof verdict === "string" ? { name: "the program's", role: verdict } : verdict;
  if (!ROLES.includes(role)) {
    throw new TypeError('authorizeDashboard has to return "view", "operate", "admin", { name, role } or false.');
  }
  return { name: String(name), role };
}
