/**
 * Spares the back end those who come back: equal questions that are under way share one request, an answer counts for as long as
 * the back end says, and a client may take it along, sealed.
 */

import { createHash } from "node:crypto";
import type { App } from "../domain/app.ts";
import type { User } from "../domain/message.ts";
import type { Clock } from "../domain/ports.ts";
import { parseUserInfo, userInfoJson } from "../domain/user-info.ts";
import { type Admission, listsOf, type UserLists } from "./answers.ts";

/** What is remembered of an answer. */
export interface KeptAdmission extends Admission {
  readonly answeredAtMs: number;
  /** How long it counts for others who ask the same. */
  readonly cacheMs: number;
  /** The client may have it sealed. */
  readonly mayBeSealed: boolean;
}

export interface AdmissionsOptions {
  readonly clock: Clock;
  /** Whether the user was disconnected since then, so that what was said before counts no more. */
  readonly isRevoked: (app: App, user: string, sinceMs: number) => Promise<boolean>;
}

/** Answers that are kept; of more, the oldest go. */
const MOST_KEPT = 20_000;
/** How long a sealed answer counts. */
const SEALED_MS = 3_600_000;
const TYPE = "fanfare-reconnect+jwt";

interface Sealed {
  readonly app: string;
  readonly user: UserLists & { readonly id: string; readonly info: string };
  readonly expiresAtMs?: number;
  readonly answeredAtMs: number;
  readonly meta?: string;
}

export class Admissions {
  readonly #options: AdmissionsOptions;
  readonly #underWay = new Map<string, Promise<KeptAdmission>>();
  readonly #kept = new Map<string, KeptAdmission>();

  constructor(options: AdmissionsOptions) {
    this.#options = options;
  }

  /** The answer that is known, or that another is waiting for already; else what `ask` brings. A refusal is never kept. */
  async find(app: App, question: string, ask: () => Promise<KeptAdmission>): Promise<KeptAdmission> {
    const key = createHash("sha256").update(`${app.id}\0${question}`).digest("base64");
    const known = this.#kept.get(key);
    if (known && (await this.#stillCounts(app, known))) return known;
    let asking = this.#underWay.get(key);
    if (!asking) {
      asking = ask().finally(() => this.#underWay.delete(key));
      this.#underWay.set(key, asking);
    }
    const answer = await asking;
    if (answer.cacheMs > 0) this.#keep(key, answer);
    return answer;
  }

  async #stillCounts(app: App, { user, answeredAtMs, cacheMs, expiresAtMs }: KeptAdmission): Promise<boolean> {
    const nowMs = this.#options.clock.wallMs();
    if (nowMs >= answeredAtMs + cacheMs || nowMs < answeredAtMs) return false;
    if (expiresAtMs !== undefined && nowMs >= expiresAtMs) return false;
    return user === undefined || !(await this.#options.isRevoked(app, user.id, answeredAtMs));
  }

  #keep(key: string, answer: KeptAdmission): void {
    this.#kept.delete(key);
    this.#kept.set(key, answer);
    const [oldest] = this.#kept.size > MOST_KEPT ? this.#kept.keys() : [];
    if (oldest !== undefined) this.#kept.delete(oldest);
  }

  /** A token by which the client comes back without the back end being asked. What is in it is for this server only. */
  async seal(
    app: App,
    { user, expiresAtMs, meta, answeredAtMs }: KeptAdmission & { readonly user: User },
  ): Promise<string> {
    const { EncryptJWT } = await import("jose");
    const content: Sealed = {
      app: app.id,
      user: { id: user.id, info: userInfoJson(user), ...listsOf(user) },
      ...(expiresAtMs !== undefined && { expiresAtMs }),
      answeredAtMs,
      ...(meta !== undefined && { meta }),
    };
    const untilMs = Math.min(answeredAtMs + SEALED_MS, expiresAtMs ?? Number.POSITIVE_INFINITY);
    return new EncryptJWT({ ...content })
      .setProtectedHeader({ alg: "dir", enc: "A256GCM", typ: TYPE })
      .setExpirationTime(Math.floor(untilMs / 1000))
      .encrypt(keyOf(app.secrets[0]));
  }

  /** Whether it looks like one: five parts, of which a token that is only signed has three. */
  static isSealed(token: string): boolean {
    return token.split(".", 6).length === 5;
  }

  /** Throws where it is not one of this app's, or its time is over. */
  async open(app: App, token: string): Promise<Admission> {
    const { jwtDecrypt } = await import("jose");
    let failure: unknown;
    for (const secret of app.secrets) {
      try {
        const { payload } = await jwtDecrypt<Sealed>(token, keyOf(secret), {
          typ: TYPE,
          keyManagementAlgorithms: ["dir"],
          contentEncryptionAlgorithms: ["A256GCM"],
        });
        if (payload.app !== app.id) throw new Error("it is another app's");
        return admissionOf(payload);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }
}

function admissionOf({ user, expiresAtMs, answeredAtMs, meta }: Sealed): Admission {
  const found: User = {
    id: user.id,
    ...parseUserInfo(user.info),
    // As a token says when it was issued: it does not outlive the user's being disconnected.
    issuedAtMs: answeredAtMs,
    ...listsOf(user),
    ...(expiresAtMs !== undefined && { expiresAtMs }),
  };
  return { user: found, expiresAtMs, meta };
}

/** A key of its own: what is signed with the secret can never be taken for what is sealed with it. */
function keyOf(secret: string): Uint8Array {
  return createHash("sha256").update(`fanfare reconnect token\0${secret}`).digest();
}
