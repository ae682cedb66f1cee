/** What users are called, as far as the events that were seen say: a member of a presence channel comes with its name. */

import type { FeedEntry } from "fanfare/wire/admin";
import { parsed } from "./show.ts";

/** More people than anybody reads of: the oldest are forgotten. */
const MOST = 5_000;

const names = new Map<string, string>();

export function learnNames(entries: readonly FeedEntry[]): void {
  for (const { type, app, user, payload } of entries) {
    if (type !== "member_added" || user === undefined || !payload) continue;
    const info = parsed(payload.text)?.value;
    if (typeof info !== "object" || info === null || !("name" in info) || typeof info.name !== "string") continue;
    names.set(keyOf(app, user), info.name);
  }
  for (const key of names.keys()) if (names.size > MOST) names.delete(key);
}

/** The id, of whom nobody has said the name. */
export function nameOfUser(app: string | undefined, id: string): string {
  return names.get(keyOf(app, id)) ?? id;
}

function keyOf(app: string | undefined, id: string): string {
  return JSON.stringify([app, id]);
}
