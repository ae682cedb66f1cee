/** Calls of the dashboard's API, by a program that has signed in as the dashboard's page does. */

import { type ErrorBody, GUARD_HEADER, type Role, type Session, type SignIn, type Ticket } from "fanfare/wire/admin";
import { fieldOf, parseJson } from "fanfare/wire/json";
import type { McpHost } from "./host.ts";

/** What a tool answers where it could not do what was asked: says what can be put right, and how. */
export class ToolError extends Error {
  override readonly name: string = "ToolError";
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Who is signed in, and where. */
export interface SignedIn {
  readonly base: string;
  readonly cookie: string;
  readonly user: { readonly name: string; readonly role: Role };
  readonly server: Session["server"];
}

type Method = "GET" | "POST";

/** The server says no, in its own words. */
class AdminRefusal extends ToolError {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Nothing listens there: nothing was sent. */
class NotListening extends ToolError {}

const TIMEOUT_MS = 15_000;
const NOT_LISTENING = ["ConnectionRefused", "ECONNREFUSED", "FailedToOpenSocket", "ENOENT"];
const ANOTHER_ROLE =
  "Start `fanfare mcp` without --role view, and sign in by an account whose role allows it (dashboard.users).";
const STRANGER =
  "the server's program decides by itself who may use the dashboard (`authorizeDashboard`), and does not know this caller";

export class AdminClient {
  readonly #host: McpHost;
  /** The name that the audit log shows. */
  readonly #agent: () => string;
  #session: Promise<SignedIn> | undefined;

  constructor(host: McpHost, agent: () => string) {
    this.#host = host;
    this.#agent = agent;
  }

  /** Throws ToolError. `path` begins with `api/`. */
  async call<T>(method: Method, path: string, body?: unknown): Promise<T> {
    try {
      return await this.#ask<T>(method, path, body);
    } catch (error) {
      if (!isOver(error)) throw error;
    }
    // The session has ended, or the server has come back elsewhere: what was refused so was not done.
    this.#session = undefined;
    return await this.#ask<T>(method, path, body).catch((error: unknown) => {
      throw error instanceof AdminRefusal && error.code === "signed_out" ? new ToolError(STRANGER) : error;
    });
  }

  get<T>(path: string): Promise<T> {
    return this.call<T>("GET", path);
  }

  /** Undefined where the server refuses with this code. */
  async find<T>(path: string, missing = "not_found"): Promise<T | undefined> {
    return this.get<T>(path).catch((error: unknown) => {
      if (error instanceof AdminRefusal && error.code === missing) return undefined;
      throw error;
    });
  }

  /** Signs in where that was not done yet. */
  signIn(): Promise<SignedIn> {
    const session = this.#session ?? this.#start();
    this.#session = session;
    session.catch(() => {
      if (this.#session === session) this.#session = undefined;
    });
    return session;
  }

  /** The address of a live connection, which it opens once. */
  async liveAddress(): Promise<string> {
    const { ticket } = await this.call<Ticket>("POST", "api/ticket");
    const { base } = await this.signIn();
    return `${base.replace(/^http/, "ws")}api/live?ticket=${encodeURIComponent(ticket)}`;
  }

  async #ask<T>(method: Method, path: string, body: unknown): Promise<T> {
    const { base, cookie } = await this.signIn();
    const answer = await this.#send(base, path, { method, cookie, body });
    if (answer.ok) return bodyOf<T>(answer, base);
    throw refusalOf(answer, base);
  }

  async #start(): Promise<SignedIn> {
    const { address, account, role } = this.#host;
    const { base, key } = await address();
    const credentials = account ?? (key === undefined ? undefined : { key });
    if (!credentials) throw new ToolError(howToSignIn(bodyOf(await this.#send(base, "api/session", {}), base)));
    const body: SignIn = { ...credentials, role, agent: this.#agent() };
    const answer = await this.#send(base, "api/session", { method: "POST", body });
    if (!answer.ok) throw wrongSignIn(refusalOf(answer, base));
    const { user, server } = bodyOf<Session>(answer, base);
    const [cookie] = (answer.headers.get("set-cookie") ?? "").split(";", 1);
    if (!user || !cookie) throw notTheDashboard(base);
    return { base, cookie, user, server };
  }

  async #send(base: string, path: string, { method = "GET", cookie, body }: Sent): Promise<Answer> {
    try {
      const response = await fetch(base + path, {
        method,
        redirect: "manual",
        headers: {
          [GUARD_HEADER]: "1",
          ...(cookie !== undefined && { cookie }),
          ...(body !== undefined && { "content-type": "application/json" }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      const { ok, status, headers } = response;
      return { ok, status, headers, text: await response.text() };
    } catch (error) {
      const { message } = this.#host.unreachable(base, error);
      throw NOT_LISTENING.includes(String(fieldOf(error, "code"))) ? new NotListening(message) : new ToolError(message);
    }
  }
}

/** `api/apps/a%2Fb/channels?search=x`: what is undefined is left out. */
export function apiPath(
  parts: readonly string[],
  query: Readonly<Record<string, string | number | undefined>> = {},
): string {
  // An address would lose them.
  if (parts.some((part) => /^\.{1,2}$/.test(part))) throw new ToolError('"." and ".." are no ids');
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  const parameters = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
  return `api/${parts.map(encodeURIComponent).join("/")}${parameters.size > 0 ? `?${parameters}` : ""}`;
}

interface Sent {
  readonly method?: Method;
  readonly cookie?: string;
  readonly body?: unknown;
}

interface Answer {
  readonly ok: boolean;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

function bodyOf<T>({ text }: Answer, base: string): T {
  const body = parseJson(text);
  if (typeof body === "object" && body !== null) return body as T;
  throw notTheDashboard(base);
}

function refusalOf({ text, status }: Answer, base: string): ToolError {
  const error: unknown = fieldOf(parseJson(text), "error");
  const { code, message } = (typeof error === "object" && error !== null ? error : {}) as Partial<ErrorBody["error"]>;
  if (typeof code !== "string" || typeof message !== "string") {
    return status >= 500 ? new ToolError(`${base} answers ${status}: look at the server's log`) : notTheDashboard(base);
  }
  return new AdminRefusal(code, code === "role_too_small" ? `${message} ${ANOTHER_ROLE}` : message);
}

function notTheDashboard(base: string): ToolError {
  return new ToolError(
    `${base} answers, but not as the dashboard of a Fanfare server: \`fanfare dashboard\` prints its address`,
  );
}

function isOver(error: unknown): boolean {
  return error instanceof NotListening || (error instanceof AdminRefusal && error.code === "signed_out");
}

function wrongSignIn(error: ToolError): ToolError {
  return error instanceof AdminRefusal ? new ToolError(`signing in is refused: ${error.message}`) : error;
}

const WAYS: Readonly<Record<Session["ways"][number], string>> = {
  password: "FANFARE_MCP_USER and FANFARE_MCP_PASSWORD",
  token: "FANFARE_MCP_TOKEN",
  key: "the address that `fanfare dashboard` prints, with --url",
};

function howToSignIn({ ways }: Session): string {
  if (ways.length === 0) {
    return "no one can sign in to this server's dashboard: set `dashboard.users` there, with a user for agents";
  }
  return `this server asks who calls: give ${ways.map((way) => WAYS[way]).join(", or ")}, in the agent's configuration`;
}
