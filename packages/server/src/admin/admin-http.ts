/**
 * The dashboard's side of the server: its page, its API, and the access to its live connection. Everything is below one path;
 * what the page asks for is relative to it, so that it works behind whatever proxies put in front.
 */

import { z } from "zod";
import { type Access, type Caller, checkCsrf } from "./access.ts";
import type { Accounts } from "./accounts.ts";
import { AdminError, toAdminError } from "./admin-error.ts";
import type { Session, SignIn, Ticket } from "./api-types.ts";
import { type Assets, assetResponse } from "./assets.ts";
import type { Services } from "./call.ts";
import type { LoginThrottle } from "./login-throttle.ts";
import { hasRole } from "./role.ts";
import { matchRoute } from "./routes.ts";
import type { Account, Principal, Sessions } from "./sessions.ts";

export interface AdminHttpOptions {
  readonly services: Services;
  readonly access: Access;
  readonly sessions: Sessions;
  readonly accounts: Accounts;
  readonly loginThrottle: LoginThrottle;
  readonly assets: Assets;
  readonly server: Session["server"];
  /** Something that should not have happened. */
  readonly failed: (error: unknown, during: string) => void;
}

const PasswordWord = z.strictObject({ name: z.string().min(1).max(64), password: z.string().min(1).max(256) });
const TokenWord = z.strictObject({ token: z.string().min(1).max(8192) });
const KeyWord = z.strictObject({ key: z.string().min(1).max(256) });
const SignInWord = z.union([PasswordWord, TokenWord, KeyWord]);

/** Most that one call may send, in bytes: the largest event, and some. */
const MAX_BODY_BYTES = 1_048_576;

/** No script, style or anything else from another host, nothing inline, and in nobody's frame. */
const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  "X-Frame-Options": "DENY",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "X-Robots-Tag": "noindex",
};

const WRONG_CREDENTIALS = {
  name: "This is not right: look at the name and the password again.",
  token: "This is not right: look at the token again.",
  key: "This is not the key: `fanfare dashboard` prints the address with it.",
};

const LIVE = "api/live";
const API = "api/";

export class AdminHttp {
  readonly #options: AdminHttpOptions;

  constructor(options: AdminHttpOptions) {
    this.#options = options;
  }

  /** `rest` is what is behind the dashboard's path: empty, or with a slash in front. Never rejects. */
  async handle(request: Request, url: URL, rest: string, caller: Caller): Promise<Response> {
    let answer: Response;
    try {
      answer = await this.#answer(request, url, rest, caller);
    } catch (error) {
      answer = this.#refusal(error, `${request.method} ${url.pathname}`);
    }
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) answer.headers.set(name, value);
    if (!answer.headers.has("cache-control")) answer.headers.set("Cache-Control", "no-store");
    return answer;
  }

  /** Whose ticket it is that a live connection is opened with; undefined where it is nobody's. */
  admit(url: URL): Promise<Principal | undefined> {
    return this.#options.sessions.redeem(url.searchParams.get("ticket") ?? "");
  }

  /** Whether a handshake to this place is meant for the dashboard. */
  static isLive(rest: string): boolean {
    return rest === `/${LIVE}`;
  }

  async #answer(request: Request, url: URL, rest: string, caller: Caller): Promise<Response> {
    // Without the slash, relative addresses would begin one folder too high.
    if (rest === "") return redirect(`./${url.pathname.slice(url.pathname.lastIndexOf("/") + 1)}/${url.search}`);
    const path = rest.slice(1);
    const key = path === "" && request.method === "GET" ? url.searchParams.get("key") : null;
    if (key !== null) return this.#openBy(key, request, caller);
    if (!path.startsWith(API)) return this.#asset(request, path === "" ? "index.html" : path);
    const call = path.slice(API.length);
    if (request.method !== "GET") checkCsrf(request);
    if (call === "session") return this.#session(request, caller);
    const principal = await this.#somebody(request);
    if (call === "ticket") {
      onlyBy(request, "POST");
      const ticket: Ticket = this.#options.sessions.ticket(principal);
      return Response.json(ticket);
    }
    if (path === LIVE) throw new AdminError("input_invalid", "This is a WebSocket: open it with a ticket.");
    return this.#call(request, url, call, principal);
  }

  async #call(request: Request, url: URL, path: string, principal: Principal): Promise<Response> {
    const found = matchRoute(request.method, path);
    if (!found) throw new AdminError("not_found", "There is no such call.");
    if ("methods" in found) throw unknownMethod(found.methods);
    const { entry, params } = found;
    if (!hasRole(principal, entry.role)) {
      throw new AdminError("role_too_small", `This takes the role ${entry.role}; you have ${principal.role}.`);
    }
    const body = request.method === "GET" ? undefined : await jsonIn(request);
    const { services } = this.#options;
    return Response.json(await entry.handle({ services, principal, params, query: url.searchParams, body }));
  }

  async #somebody(request: Request): Promise<Principal> {
    const principal = await this.#options.access.principalOf(request);
    if (principal) return principal;
    throw new AdminError("signed_out", "Sign in first.");
  }

  // ---- the session

  async #session(request: Request, caller: Caller): Promise<Response> {
    const { access, sessions } = this.#options;
    switch (request.method) {
      case "GET":
        return this.#sessionOf(await access.principalOf(request));
      case "POST":
        return this.#signIn(request, caller);
      case "DELETE": {
        const principal = await sessions.find(request);
        if (principal) {
          await sessions.end(principal);
          const { audit, live } = this.#options.services;
          await audit.record(principal.name, "session.end", {});
          await live.command({ type: "signed-out", session: principal.session }).catch(() => {});
        }
        const answer = this.#sessionOf(undefined);
        answer.headers.set("Set-Cookie", sessions.expiredCookie(caller.isEncrypted));
        return answer;
      }
    }
    throw unknownMethod(["GET", "POST", "DELETE"]);
  }

  async #signIn(request: Request, caller: Caller): Promise<Response> {
    const read = SignInWord.safeParse(await jsonIn(request));
    if (!read.success)
      throw new AdminError("input_invalid", "Signing in takes a name and a password, a token, or the key.");
    const { principal, cookie } = await this.#begin(read.data, request, caller);
    const answer = this.#sessionOf(principal);
    answer.headers.set("Set-Cookie", cookie);
    return answer;
  }

  /** The printed address: its key becomes a cookie, and leaves the address bar. A wrong one leads to the sign-in. */
  async #openBy(key: string, request: Request, caller: Caller): Promise<Response> {
    const answer = redirect("./");
    try {
      if (!(await this.#options.access.principalOf(request))) {
        answer.headers.set("Set-Cookie", (await this.#begin({ key }, request, caller)).cookie);
      }
    } catch (error) {
      if (!(error instanceof AdminError)) throw error;
    }
    return answer;
  }

  /** Throws Refused. */
  async #begin(how: SignIn, request: Request, caller: Caller): Promise<{ principal: Principal; cookie: string }> {
    const { sessions, loginThrottle, services } = this.#options;
    const name = "name" in how ? how.name : undefined;
    const account = await loginThrottle.attempt(caller.address, name, () => this.#accountOf(how));
    if (!account) {
      const who = name !== undefined && this.#options.accounts.has(name) ? name : "somebody";
      await services.audit.record(who, "session.refuse", { address: caller.address });
      throw new AdminError(
        "credentials_wrong",
        WRONG_CREDENTIALS["name" in how ? "name" : "token" in how ? "token" : "key"],
      );
    }
    const before = await sessions.find(request);
    if (before) await sessions.end(before);
    const principal = sessions.start(account);
    await services.audit.record(principal.name, "session.start", { role: principal.role, address: caller.address });
    return { principal, cookie: sessions.cookie(principal, caller.isEncrypted) };
  }

  #accountOf(how: SignIn): Promise<Account | undefined> {
    const { accounts } = this.#options;
    if ("token" in how) return accounts.byToken(how.token);
    return "key" in how ? accounts.byKey(how.key) : accounts.byPassword(how.name, how.password);
  }

  #sessionOf(principal: Principal | undefined): Response {
    const { accounts, server } = this.#options;
    const expiresAtMs = principal?.expiresAtMs;
    const session: Session = {
      ...(principal && { user: { name: principal.name, role: principal.role } }),
      ways: accounts.signInMethods,
      ...(expiresAtMs !== undefined && { expiresAtMs }),
      server,
    };
    return Response.json(session);
  }

  // ---- the page

  async #asset(request: Request, name: string): Promise<Response> {
    if (request.method !== "GET" && request.method !== "HEAD") throw unknownMethod(["GET", "HEAD"]);
    const files = await this.#files();
    const file = files.get(name);
    if (!file) throw new AdminError("not_found", "The dashboard has no such file.");
    return assetResponse(request, file);
  }

  async #files(): ReturnType<Assets> {
    try {
      return await this.#options.assets();
    } catch (error) {
      this.#options.failed(error, "building the dashboard's page");
      throw new AdminError("not_available", "The dashboard's page is not there: build it with `npm run build`.");
    }
  }

  #refusal(error: unknown, during: string): Response {
    const refused = toAdminError(error);
    if (refused) return refused.response;
    this.#options.failed(error, during);
    return new AdminError("internal", "Something went wrong on the server; its log says what.").response;
  }
}

function redirect(location: string): Response {
  return new Response(null, { status: 302, headers: { Location: location } });
}

function onlyBy({ method }: Request, only: string): void {
  if (method !== only) throw unknownMethod([only]);
}

function unknownMethod(methods: readonly string[]): AdminError {
  return new AdminError("method_unknown", `Here only ${methods.join(", ")} will do.`, { Allow: methods.join(", ") });
}

/** Undefined where nothing was sent. Throws Refused. */
async function jsonIn(request: Request): Promise<unknown> {
  const text = await textIn(request);
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new AdminError("input_invalid", "The body has to be JSON.");
  }
}

async function textIn(request: Request): Promise<string> {
  const tooLarge = () => new AdminError("input_too_large", `A call has at most ${MAX_BODY_BYTES} bytes.`);
  if (Number(request.headers.get("content-length") ?? 0) > MAX_BODY_BYTES) throw tooLarge();
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of request.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > MAX_BODY_BYTES) throw tooLarge();
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
