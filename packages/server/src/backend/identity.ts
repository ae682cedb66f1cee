/** Who a client is by its back end's answer. */

import type { App } from "../domain/app.ts";
import { CommandError } from "../domain/error.ts";
import { exactId, memberText } from "../domain/json-text.ts";
import type { Member, User } from "../domain/message.ts";
import { parseUserInfo } from "../domain/user-info.ts";
import { checkUserId } from "../hub/limits.ts";
import type { Identity } from "./answers.ts";

/** What the back end said of a client, beside letting it in. */
export interface Admission {
  /** Undefined where it names none. */
  readonly user: User | undefined;
  readonly expiresAtMs: number | undefined;
  /** JSON text. */
  readonly meta: string | undefined;
}

/** Most bytes of the `meta` that a connection keeps. */
const META_BYTES = 4_096;

/** Throws Error where it says what cannot be. */
export function admissionIn(app: App, said: Identity, text: string): Admission {
  const { channels, watch, subscribe, watchlist, expires_at: expiresAtS } = said;
  const meta = memberText(text, "meta");
  if (meta !== undefined && Buffer.byteLength(meta) > META_BYTES) {
    throw new Error(
      `The meta of a connection has at most ${META_BYTES} bytes; the back end gave ${Buffer.byteLength(meta)}.`,
    );
  }
  const expiresAtMs = expiresAtS === undefined ? undefined : expiresAtS * 1000;
  if (!said.user) {
    if (channels || watch || subscribe || watchlist) {
      throw new Error("The back end gave channels, watch, subscribe or a watchlist, and no user to have them.");
    }
    return { user: undefined, expiresAtMs, meta };
  }
  const user: User = {
    ...memberIn(app, said.user.id, memberText(text, "user") ?? ""),
    ...(channels && { channels }),
    ...(watch && { watch }),
    ...(subscribe && { subscribe }),
    ...(watchlist && { watchlist }),
    ...(expiresAtMs !== undefined && { expiresAtMs }),
  };
  return { user, expiresAtMs, meta };
}

/** A user or a member: `text` is its JSON. Throws Error where its id is none that the app takes. */
export function memberIn(app: App, id: string | number, text: string): Member {
  const member = { id: exactId(id, memberText(text, "id")), ...parseUserInfo(memberText(text, "info")) };
  try {
    checkUserId(app, member.id);
  } catch (error) {
    throw error instanceof CommandError
      ? new Error(`The back end gave a user id that cannot be: ${error.message}`)
      : error;
  }
  return member;
}
