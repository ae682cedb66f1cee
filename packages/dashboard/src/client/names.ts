/** What users are called, and whose connections are whose, as far as the events that were seen say. */

import type { FeedEntry } from "fanfare/wire/admin";

/** More people than anybody reads of: the oldest are forgotten. */
const MOST = 5_000;

const names = new Map<string, string>();
/** Users, by their connections. */
const users = new Map<string, string>();

type Told = { readonly [K in "app" | "user" | "name" | "connection"]?: FeedEntry[K] | undefined };

export function learnNames(entries: readonly Told[]): void {
  for (const { app, user, name, connection } of entries) {
    if (user === undefined) continue;
    if (name !== undefined) names.set(keyOf(app, user), name);
    if (connection !== undefined) users.set(keyOf(app, connection), user);
  }
  for (const known of [names, users]) {
    for (const key of known.keys()) {
      if (known.size <= MOST) break;
      known.delete(key);
    }
  }
}

/** The id, of whom nobody has said the name. */
export function nameOfUser(app: string | undefined, id: string): string {
  return names.get(keyOf(app, id)) ?? id;
}

/** Whose connection it is: one that has just come has not said so yet, and one that has left says it no more. */
export function userOfConnection(app: string | undefined, connection: string): string | undefined {
  return users.get(keyOf(app, connection));
}

function keyOf(app: string | undefined, id: string): string {
  return JSON.stringify([app, id]);
}
