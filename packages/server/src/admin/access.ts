/** Who calls the dashboard, by the session or as the program says, and what each role may do. */

import { ROLES, type Role } from "./api-types.ts";
import type { Principal, Sessions } from "./sessions.ts";

export interface Caller {
  /** As the server believes it. */
  readonly address: string;
  readonly isEncrypted: boolean;
}

/** What a program says of who may see the dashboard: a role, a name and a role, or nothing for a stranger. */
export type AuthorizeResult = Role | { readonly name: string; readonly role: Role } | false | null | undefined;

/** The program's own check; then it alone decides. */
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

  /** Undefined for a stranger. Throws Error where the program's check fails. */
  async principalOf(request: Request): Promise<Principal | undefined> {
    const authorize = this.#options.authorize();
    if (!authorize) return this.#options.sessions.find(request);
    try {
      return toPrincipal(await authorize(request));
    } catch (error) {
      throw error instanceof Error ? error : new Error(`authorizeDashboard threw ${String(error)}.`);
    }
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
