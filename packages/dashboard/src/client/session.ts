/** Who is signed in, what they may do, and how they come and go. */

import { computed, signal } from "@preact/signals";
import { type AppSummary, ROLES, type Role, type Session, type SignIn } from "fanfare/wire/admin";
import { type Place, placeOf } from "../snippets.ts";
import { call, onSignedOut, type Refused, refusedBy } from "./api.ts";
import { live } from "./live.ts";

/** Undefined until the server has said. */
export const session = signal<Session | undefined>(undefined);
export const sessionError = signal<Refused | undefined>(undefined);

export const isInside = computed(() => session.value?.user !== undefined);

export const role = computed<Role | undefined>(() => session.value?.user?.role);

/** Whether the person's role is at least this one. */
export function may(least: Role): boolean {
  return role.value !== undefined && ROLES.indexOf(role.value) >= ROLES.indexOf(least);
}

/** Why what takes that role cannot be done now. A disabled button says it. */
export function obstacle(least: Role): string | undefined {
  if (!may(least)) return `Needs the role ${least}; yours is ${role.value}.`;
  return live.state.value.is === "waiting" ? "Offline: the server cannot be reached." : undefined;
}

onSignedOut(() => {
  if (isInside.peek()) void loadSession();
});

export async function loadSession(): Promise<void> {
  try {
    session.value = await call<Session>("GET", "api/session");
    sessionError.value = undefined;
  } catch (error) {
    sessionError.value = refusedBy(error);
  }
}

/** Throws Refused. */
export async function signIn(how: SignIn): Promise<void> {
  session.value = await call<Session>("POST", "api/session", how);
}

export async function signOut(): Promise<void> {
  session.value = await call<Session>("DELETE", "api/session");
}

/** Where clients of the app connect: where this page came from, without the dashboard's own path. */
export function placeOfApp({ id, key }: AppSummary): Place {
  return placeOf(new URL(location.href), serverPath(), id, key);
}

/** Where Prometheus reads the server's numbers. */
export function metricsAddress(): string {
  return `${serverPath()}/metrics`;
}

function serverPath(): string {
  const { pathname } = new URL(location.href);
  const own = `${session.value?.server.path ?? ""}/`;
  return pathname.endsWith(own) ? pathname.slice(0, -own.length) : "";
}
