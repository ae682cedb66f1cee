/** Checks a name and a password, a token or the key. Takes as long for an unknown name as for a known one. */

import { createHash, timingSafeEqual } from "node:crypto";
import type { Role, Session } from "./api-types.ts";
import type { Account } from "./sessions.ts";

export interface AccountsOptions {
  readonly users: readonly { readonly name: string; readonly password: string; readonly role: Role }[];
  /** Of the user `admin`, as it is. */
  readonly password: string | undefined;
  /** Whose token it is; undefined where it is not valid, or does not say which role. */
  readonly verifyToken: ((token: string) => Promise<Account | undefined>) | undefined;
  /** In the address that the server prints, where there are no accounts. */
  readonly key: () => string | undefined;
}

const ADMIN_NAME = "admin";

export class Accounts {
  readonly #options: AccountsOptions;
  #decoy: Promise<string> | undefined;

  constructor(options: AccountsOptions) {
    this.#options = options;
  }

  get signInMethods(): Session["ways"] {
    const { users, password, verifyToken, key } = this.#options;
    return [
      ...(users.length > 0 || password !== undefined ? (["password"] as const) : []),
      ...(verifyToken ? (["token"] as const) : []),
      ...(key() === undefined ? [] : (["key"] as const)),
    ];
  }

  /** Whether there is an account of this name. */
  has(name: string): boolean {
    const { users, password } = this.#options;
    return users.some((one) => one.name === name) || (name === ADMIN_NAME && password !== undefined);
  }

  async byPassword(name: string, password: string): Promise<Account | undefined> {
    const { users, password: owners } = this.#options;
    const user = users.find((one) => one.name === name);
    if (!user && name === ADMIN_NAME && owners !== undefined && isSame(password, owners))
      return { name, role: "admin" };
    const isRight = await verify(password, user?.password ?? (await this.#anyHash()));
    return user && isRight ? { name, role: user.role } : undefined;
  }

  /** A hash that no password has, made as the accounts' own are: checking it takes as long. */
  #anyHash(): Promise<string> {
    const [user] = this.#options.users;
    this.#decoy ??= user ? Promise.resolve(user.password) : Bun.password.hash(crypto.randomUUID());
    return this.#decoy;
  }

  async byKey(given: string): Promise<Account | undefined> {
    const key = this.#options.key();
    return key !== undefined && isSame(given, key) ? { name: "key", role: "admin" } : undefined;
  }

  async byToken(token: string): Promise<Account | undefined> {
    return this.#options.verifyToken?.(token);
  }
}

/** No password fits a hash that cannot be read. */
async function verify(password: string, hash: string): Promise<boolean> {
  try {
    return await Bun.password.verify(password, hash);
  } catch {
    return false;
  }
}

/** As long for one that is nearly right. */
function isSame(one: string, other: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}
