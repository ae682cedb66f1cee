/**
 * The dashboard's side of the server: its page, its API, and the door to its live connection. Everything is below one path;
 * what the page asks for is relative to it, so that it works behind whatever proxies put in front.
 */

import { z } from "zod";
import type { Accounts } from "./accounts.ts";
import { type Assets, answerWith } from "./assets.ts";
import type { Attempts } from "./attempts.ts";
import type { Means } from "./call.ts";
import { type Caller, checkPage, type Door } from "./door.ts";
import { Refused, refusedBy } from "./refused.ts";
import { mayDo } from "./role.ts";
import type { Account, Person, Sessions } from "./sessions.ts";
import { find } from "./table.ts";
import type { Session, SignIn, Ticket } from "./wire.ts";

export interface DashboardOptions {
  readonly means: Means;
  readonly door: Door;
  readonly sessions: Sessions;
  readonly accounts: Accounts;
  readonly attempts: Attempts;
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
const MOST_BYTES = 1_048_576;

/** No script, style or anything else from another host, nothing inline, and in nobody's frame. */
const SECURITY: Readonly<Record<string, string>> = {
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

const WRONG = {
  name: "This is not right: look at the name and the password again.",
  token: "This is not right: look at the token again.",
  key: "This is not the key: `fanfare dashboard` prints the address with it.",
};

const LIVE = "api/live";
const API = "api/";

export class Dashboard {
  readonly #options: DashboardOptions;

  constructor(options: DashboardOptions) {
    this.#options = options;
  }

  /** `rest` is what is behind the dashboard's path: empty, or with a slash in front. Never rejects. */
  async answer(request: Request, url: URL, rest: string, caller: Caller): Promise<Response> {
    let answer: Response;
    try {
      answer = await this.#answer(request, url, rest, caller);
    } catch (error) {
      answer = this.#refusal(error, `${request.method} ${url.pathname}`);
    }
    for (const [name, value] of Object.entries(SECURITY)) answer.headers.set(name, value);
    if (!answer.headers.has("cache-control")) answer.headers.set("Cache-Control", "no-store");
    return answer;
  }

  /** Whose ticket it is that a live connection is opened with; undefined where it is nobody's. */
  admit(url: URL): Promise<Person | undefined> {
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
    if (request.method !== "GET") checkPage(request);
    if (call === "session") return this.#session(request, caller);
    const person = await this.#somebody(request);
    if (call === "ticket") {
      onlyBy(request, "POST");
      const ticket: Ticket = this.#options.sessions.ticket(person);
      return Response.json(ticket);
    }
    if (path === LIVE) throw new Refused("input_invalid", "This is a WebSocket: open it with a ticket.");
    return this.#call(request, url, call, person);
  }

  async #call(request: Request, url: URL, path: string, person: Person): Promise<Response> {
    const found = find(request.method, path);
    if (!found) throw new Refused("not_found", "There is no such call.");
    if ("methods" in found) throw unknownMethod(found.methods);
    const { entry, params } = found;
    if (!mayDo(person, entry.role)) {
      throw new Refused("role_too_small", `This takes the role ${entry.role}; you have ${person.role}.`);
    }
    const body = request.method === "GET" ? undefined : await jsonIn(request);
    const { means } = this.#options;
    return Response.json(await entry.act({ means, person, params, query: url.searchParams, body }));
  }

  async #somebody(request: Request): Promise<Person> {
    const person = await this.#options.door.who(request);
    if (person) return person;
    throw new Refused("signed_out", "Sign in first.");
  }

  // ---- the session

  async #session(request: Request, caller: Caller): Promise<Response> {
    const { door, sessions } = this.#options;
    switch (request.method) {
      case "GET":
        return this.#sessionOf(await door.who(request));
      case "POST":
        return this.#signIn(request, caller);
      case "DELETE": {
        const person = await sessions.of(request);
        if (person) {
          await sessions.end(person);
          const { audit, view } = this.#options.means;
          await audit.note(person.name, "session.end", {});
          await view.ask({ type: "signed-out", session: person.session }).catch(() => {});
        }
        const answer = this.#sessionOf(undefined);
        answer.headers.set("Set-Cookie", sessions.noCookie(caller.isEncrypted));
        return answer;
      }
    }
    throw unknownMethod(["GET", "POST", "DELETE"]);
  }

  async #signIn(request: Request, caller: Caller): Promise<Response> {
    const read = SignInWord.safeParse(await jsonIn(request));
    if (!read.success)
      throw new Refused("input_invalid", "Signing in takes a name and a password, a token, or the key.");
    const { person, cookie } = await this.#begin(read.data, request, caller);
    const answer = this.#sessionOf(person);
    answer.headers.set("Set-Cookie", cookie);
    return answer;
  }

  /** The printed address: its key becomes a cookie, and leaves the address bar. A wrong one leads to the sign-in. */
  async #openBy(key: string, request: Request, caller: Caller): Promise<Response> {
    const answer = redirect("./");
    try {
      if (!(await this.#options.door.who(request))) {
        answer.headers.set("Set-Cookie", (await this.#begin({ key }, request, caller)).cookie);
      }
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
    return answer;
  }

  /** Throws Refused. */
  async #begin(how: SignIn, request: Request, caller: Caller): Promise<{ person: Person; cookie: string }> {
    const { sessions, attempts, means } = this.#options;
    const name = "name" in how ? how.name : undefined;
    const account = await attempts.within(caller.address, name, () => this.#accountOf(how));
    if (!account) {
      const who = name !== undefined && this.#options.accounts.has(name) ? name : "somebody";
      await means.audit.note(who, "session.refuse", { address: caller.address });
      throw new Refused("credentials_wrong", WRONG["name" in how ? "name" : "token" in how ? "token" : "key"]);
    }
    const before = await sessions.of(request);
    if (before) await sessions.end(before);
    const person = sessions.begin(account);
    await means.audit.note(person.name, "session.start", { role: person.role, address: caller.address });
    return { person, cookie: sessions.cookie(person, caller.isEncrypted) };
  }

  #accountOf(how: SignIn): Promise<Account | undefined> {
    const { accounts } = this.#options;
    if ("token" in how) return accounts.byToken(how.token);
    return "key" in how ? accounts.byKey(how.key) : accounts.byPassword(how.name, how.password);
  }

  #sessionOf(person: Person | undefined): Response {
    const { accounts, server } = this.#options;
    const expiresAtMs = person?.expiresAtMs;
    const session: Session = {
      ...(person && { user: { name: person.name, role: person.role } }),
      ways: accounts.ways,
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
    if (!file) throw new Refused("not_found", "The dashboard has no such file.");
    return answerWith(request, file);
  }

  async #files(): ReturnType<Assets> {
    try {
      return await this.#options.assets();
    } catch (error) {
      this.#options.failed(error, "building the dashboard's page");
      throw new Refused("not_available", "The dashboard's page is not there: build it with `npm run build`.");
    }
  }

  #refusal(error: unknown, during: string): Response {
    const refused = refusedBy(error);
    if (refused) return refused.answer;
    this.#options.failed(error, during);
    return new Refused("internal", "Something went wrong on the server; its log says what.").answer;
  }
}

function redirect(location: string): Response {
  return new Response(null, { status: 302, headers: { Location: location } });
}

function onlyBy({ method }: Request, only: string): void {
  if (method !== only) throw unknownMethod([only]);
}

function unknownMethod(methods: readonly string[]): Refused {
  return new Refused("method_unknown", `Here only ${methods.join(", ")} will do.`, { Allow: methods.join(", ") });
}

/** Undefined where nothing was sent. Throws Refused. */
async function jsonIn(request: Request): Promise<unknown> {
  const text = await textIn(request);
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new Refused("input_invalid", "The body has to be JSON.");
  }
}

async function textIn(request: Request): Promise<string> {
  const tooLarge = () => new Refused("input_too_large", `A call has at most ${MOST_BYTES} bytes.`);
  if (Number(request.headers.get("content-length") ?? 0) > MOST_BYTES) throw tooLarge();
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of request.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > MOST_BYTES) throw tooLarge();
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
