/** Who may do what: each role may do what those before it may. */

import { ROLES, type Role } from "./wire.ts";

export function mayDo({ role }: { readonly role: Role }, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}
