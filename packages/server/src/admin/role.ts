/** Who may do what: each role may do what those before it may. */

import { ROLES, type Role } from "./api-types.ts";

export function hasRole({ role }: { readonly role: Role }, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}
