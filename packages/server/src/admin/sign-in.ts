/** Signing in and out: by a password, a token or the key, at most so often, and written down. */

import ipaddr from "ipaddr.js";
import * as z from "zod/mini";
import type { Accounts } from "./accounts.ts";
import { AdminError } from "./admin-error.ts";
import { ROLES, type Session, type SignInLimits } from "./api-types.ts";
import type { Services } from "./call.ts";
import { ClusterKeys, type KeyStore } from "./cluster-keys.ts";
import {
  type Account,
  agentIn,
  type Caller,
  hasRole,
  type Principal,
  type SessionPrincipal,
  type Sessions,
} from "./sessions.ts";

export interface SignInOptions {
  readonly services: Pick<Services, "audit" | "live">;
  readonly sessions: Sessions;
  readonly accounts: Accounts;
  readonly loginThrottle: LoginThrottle;
  readonly server: Session["server"];
}

const textUpTo = (most: number) => z.string().check(z.minLength(1), z.maxLength(most));
const limits = { role: z.exactOptional(z.enum(ROLES)), agent: z.exactOptional(textUpTo(64)) };
const Credentials = z.union([
  z.strictObject({ name: textUpTo(64), password: textUpTo(256), ...limits }),
  z.strictObject({ token: textUpTo(8192), ...limits }),
  z.strictObject({ key: textUpTo(256), ...limits }),
]);

type Credentials = z.output<typeof Credentials>;

const WRONG_PASSWORD = "This is not right: look at the name and the password again.";
const WRONG_TOKEN = "This is not right: look at the token again.";
const WRONG_KEY = "This is not the key: `fanfare dashboard` prints the address with it.";

export class SignIn {
  readonly #options: SignInOptions;

  constructor(options: SignInOptions) {
    this.#options = options;
  }

  /** Ends the session there was. Throws AdminError. */
  async start(
    credentials: unknown,
    request: Request,
    caller: Caller,
  ): Promise<{ readonly principal: SessionPrincipal; readonly cookie: string }> {
    const { sessions, services } = this.#options;
    const given = parse(credentials);
    const account = withLimits(await this.#check(given, caller), given);
    const before = await sessions.find(request);
    if (before) await sessions.end(before);
    const principal = sessions.start(account);
    const { name, role } = principal;
    const detail = { role, address: caller.address, ...agentIn(principal) };
    await services.audit.record(name, "session.start", detail);
    return { principal, cookie: sessions.cookie(principal, caller.isEncrypted) };
  }

  /** The cookie of the session that the key begins; undefined for a wrong key, which leads to the page that asks. */
  async cookieFor(key: string, request: Request, caller: Caller): Promise<string | undefined> {
    try {
      return (await this.start({ key }, request, caller)).cookie;
    } catch (error) {
      if (error instanceof AdminError) return undefined;
      throw error;
    }
  }

  /** Of every copy of the cookie, and of its live connections. Answers with the header that takes the cookie away. */
  async end(request: Request, caller: Caller): Promise<string> {
    const { sessions, services } = this.#options;
    const principal = await sessions.find(request);
    if (principal) {
      await sessions.end(principal);
      await services.audit.record(principal.name, "session.end", agentIn(principal));
      await services.live.command({ type: "signed-out", session: principal.session }).catch(() => {});
    }
    return sessions.expiredCookie(caller.isEncrypted);
  }

  describe(principal: Principal | undefined): Session {
    const { accounts, server } = this.#options;
    const expiresAtMs = principal?.expiresAtMs;
    return {
      ...(principal && { user: { name: principal.name, role: principal.role } }),
      ways: accounts.signInMethods,
      ...(expiresAtMs !== undefined && { expiresAtMs }),
      server,
    };
  }

  async #check(credentials: Credentials, { address }: Caller): Promise<Account> {
    const { accounts, loginThrottle, services } = this.#options;
    const name = "name" in credentials ? credentials.name : undefined;
    const account = await loginThrottle.attempt(address, name, () => accountOf(accounts, credentials));
    if (account) return account;
    // What else was typed as a name may be a password.
    const who = name !== undefined && accounts.has(name) ? name : "unknown";
    await services.audit.record(who, "session.refuse", { address });
    const message = "token" in credentials ? WRONG_TOKEN : "key" in credentials ? WRONG_KEY : WRONG_PASSWORD;
    throw new AdminError("credentials_wrong", message);
  }
}

function parse(credentials: unknown): Credentials {
  const read = Credentials.safeParse(credentials);
  if (read.success) return read.data;
  throw new AdminError("input_invalid", "Signing in takes a name and a password, a token, or the key.");
}

/** What a session may do is said when it starts, and never more than the account may. */
function withLimits(account: Account, { role = account.role, agent }: SignInLimits): Account {
  return { ...account, role: hasRole(account, role) ? role : account.role, ...agentIn({ agent }) };
}

function accountOf(accounts: Accounts, credentials: Credentials): Promise<Account | undefined> {
  if ("token" in credentials) return accounts.byToken(credentials.token);
  if ("key" in credentials) return accounts.byKey(credentials.key);
  return accounts.byPassword(credentials.name, credentials.password);
}

const LIMIT_BY_ADDRESS = { attempts: 10, withinMs: 60_000 };
/** A stranger can lock a name for that long, but no longer, and not for those who are signed in. */
const LIMIT_BY_NAME = { attempts: 20, withinMs: 300_000 };
/** Checking a password takes 64 MB and a tenth of a second by design. */
const MAX_CONCURRENT = 4;

/** Limits attempts to sign in: by address and by name, in the whole cluster. */
export class LoginThrottle {
  /** One for each attempt that counts. */
  readonly #keys: ClusterKeys;
  #underWay = 0;

  constructor(store: KeyStore) {
    this.#keys = new ClusterKeys(store);
  }

  /**
   * What `check` resolves with; only a failed attempt counts. Without a name only the address is limited. Throws AdminError
   * `too_many_attempts`.
   */
  async attempt<T>(
    address: string,
    name: string | undefined,
    check: () => Promise<T | undefined>,
  ): Promise<T | undefined> {
    if (this.#underWay >= MAX_CONCURRENT) throw tooManyAttempts(1);
    this.#underWay++;
    try {
      const taken = [
        await this.#take(`dashboard-from/${networkOf(address)}`, LIMIT_BY_ADDRESS),
        ...(name === undefined ? [] : [await this.#take(`dashboard-by/${name}`, LIMIT_BY_NAME)]),
      ];
      const found = await check();
      if (found !== undefined) for (const key of taken) await this.#keys.delete(key);
      return found;
    } finally {
      this.#underWay--;
    }
  }

  async #take(subject: string, { attempts, withinMs }: typeof LIMIT_BY_ADDRESS): Promise<string> {
    for (let attempt = 0; attempt < attempts; attempt++) {
      const key = `${subject}/${attempt}`;
      if (await this.#keys.setIfAbsent(key, withinMs)) return key;
    }
    throw tooManyAttempts(withinMs / 1000);
  }
}

/** A client with one IPv6 address has the whole /64. */
function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  return parsed instanceof ipaddr.IPv6 ? parsed.parts.slice(0, 4).join(":") : parsed.toString();
}

function tooManyAttempts(waitS: number): AdminError {
  const message = "There were too many attempts to sign in: wait a while and try again.";
  return new AdminError("too_many_attempts", message, { "Retry-After": String(waitS) });
}
