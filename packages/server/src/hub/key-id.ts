/** Keys by what they can be told apart by: a connection remembers which ones its proofs were made with, and never the keys. */

import { createHash } from "node:crypto";
import type { App } from "../domain/app.ts";
import type { Connection } from "../domain/connection.ts";

const BYTES = 12;

export function keyId(key: string): string {
  return createHash("sha256").update(key).digest("base64url").slice(0, BYTES);
}

/** By this key it was let into a channel. */
export function notePermission(connection: Connection, id: string | undefined): void {
  if (id === undefined || connection.permittedBy.includes(id)) return;
  connection.permittedBy = [...connection.permittedBy, id];
}

/** Whether it may anything by a key that is the app's no more. */
export function standsOnOldKey({ signedInBy, permittedBy }: Connection, app: App): boolean {
  if (signedInBy === undefined && permittedBy.length === 0) return false;
  const valid = idsOf(app);
  return (signedInBy !== undefined && !valid.has(signedInBy)) || permittedBy.some((id) => !valid.has(id));
}

const known = new WeakMap<App, ReadonlySet<string>>();

/** An app that changes is another object. */
function idsOf(app: App): ReadonlySet<string> {
  const ids = known.get(app) ?? new Set(keysOf(app).map(keyId));
  known.set(app, ids);
  return ids;
}

function keysOf({ secrets, token }: App): readonly string[] {
  return [...secrets, token?.secret ?? [], token?.publicKey ?? []].flat();
}
