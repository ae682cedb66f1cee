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
  readonly authorize: () => AuthorizeDashboard | undefined;
}

export class Door {
  readonly #options: DoorOptions;

  constructor(options: DoorOptions) {
    this.#options = options;
  }

  /** Undefined where it is nobody who may see anything. Throws what the program's gate throws. */
  async who(request: Request): Promise<Person | undefined> {
    const authorize = this.#options.authorize();
    return authorize ? personOf(await authorize(request)) : this.#options.sessions.of(request);
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
