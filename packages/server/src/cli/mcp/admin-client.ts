/** Calls of the dashboard's API, by a program that has signed in as the dashboard's page does. */

import {
  type ErrorBody,
  GUARD_HEADER,
  type Role,
  type Session,
  type SignIn,
  type Ticket,
} from "../../admin/api-types.ts";
import { CliError, codeOf } from "../errors.ts";
import { type Answer, call, unreachable } from "../http.ts";
import { fieldOf, parseJson } from "../json.ts";
import type { DashboardAddress } from "./dashboard-address.ts";

export interface AdminClientOptions {
  /** Asked again when the server is not where it was. */
  readonly address: () => Promise<DashboardAddress>;
  /** Undefined where only the address may have a key in it. */
  readonly account: { readonly name: string; readonly password: string } | { readonly token: string } | undefined;
  /** The most that is asked for. */
  readonly role: Role;
  /** What the audit log shows. */
  readonly agent: () => string;
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
export class AdminRefusal extends CliError {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Nothing listens there: nothing was sent. */
class NotListening extends CliError {}

const NOT_LISTENING = ["ConnectionRefused", "ECONNREFUSED", "FailedToOpenSocket", "ENOENT"];
const ANOTHER_ROLE =
  "Start `fanfare mcp` without --role view, and sign in by an account whose role allows it (dashboard.users).";
const STRANGER =
  "the server's program decides by itself who may use the dashboard (`authorizeDashboard`), and does not know this caller";

export class AdminClient {
  readonly #options: AdminClientOptions;
  #session: Promise<SignedIn> | undefined;

  constructor(options: AdminClientOptions) {
    this.#options = options;
  }

  /** Throws CliError. `path` begins with `api/`. */
  async call<T>(method: Method, path: string, body?: unknown): Promise<T> {
    try {
      return await this.#ask<T>(method, path, body);
    } catch (error) {
      if (!isOver(error)) throw error;
    }
    // The session has ended, or the server has come back elsewhere: what was refused so was not done.
    this.#session = undefined;
    return await this.#ask<T>(method, path, body).catch((error: unknown) => {
      throw error instanceof AdminRefusal && error.code === "signed_out" ? new CliError(STRANGER) : error;
    });
  }

  get<T>(path: string): Promise<T> {
    return this.call<T>("GET", path);
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
    const answer = await send(base, path, { method, cookie, body });
    if (answer.ok) return bodyOf<T>(answer, base);
    throw refusalOf(answer, base);
  }

  async #start(): Promise<SignedIn> {
    const { address, account, role, agent } = this.#options;
    const { base, key } = await address();
    const credentials = account ?? (key === undefined ? undefined : { key });
    if (!credentials) throw new CliError(howToSignIn(bodyOf(await send(base, "api/session", {}), base)));
    const body: SignIn = { ...credentials, role, agent: agent() };
    const answer = await send(base, "api/session", { method: "POST", body });
    if (!answer.ok) throw wrongSignIn(refusalOf(answer, base));
    const { user, server } = bodyOf<Session>(answer, base);
    const [cookie] = (answer.headers.get("set-cookie") ?? "").split(";", 1);
    if (!user || !cookie) throw notTheDashboard(base);
    return { base, cookie, user, server };
  }
}

/** `api/apps/a%2Fb/channels?search=x`: what is undefined is left out. */
export function apiPath(
  parts: readonly string[],
  query: Readonly<Record<string, string | number | undefined>> = {},
): string {
  // An address would lose them.
  if (parts.some((part) => /^\.{1,2}$/.test(part))) throw new CliError('"." and ".." are no ids');
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  const parameters = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
  return `api/${parts.map(encodeURIComponent).join("/")}${parameters.size > 0 ? `?${parameters}` : ""}`;
}

interface Sent {
  readonly method?: Method;
  readonly cookie?: string;
  readonly body?: unknown;
}

async function send(base: string, path: string, { method = "GET", cookie, body }: Sent): Promise<Answer> {
  try {
    return await call(base + path, {
      method,
      redirect: "manual",
      headers: { [GUARD_HEADER]: "1", ...(cookie !== undefined && { cookie }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  } catch (error) {
    const problem = unreachable(base, error);
    throw NOT_LISTENING.includes(codeOf(error)) ? new NotListening(problem.message) : problem;
  }
}

function bodyOf<T>({ text }: Answer, base: string): T {
  const body = parseJson(text);
  if (typeof body === "object" && body !== null) return body as T;
  throw notTheDashboard(base);
}

function refusalOf({ text, status }: Answer, base: string): CliError {
  const error: unknown = fieldOf(parseJson(text), "error");
  const { code, message } = (typeof error === "object" && error !== null ? error : {}) as Partial<ErrorBody["error"]>;
  if (typeof code !== "string" || typeof message !== "string") {
    return status >= 500 ? new CliError(`${base} answers ${status}: look at the server's log`) : notTheDashboard(base);
  }
  return new AdminRefusal(code, code === "role_too_small" ? `${message} ${ANOTHER_ROLE}` : message);
}

function notTheDashboard(base: string): CliError {
  return new CliError(
    `${base} answers, but not as the dashboard of a Fanfare server: \`fanfare dashboard\` prints its address`,
  );
}

function isOver(error: unknown): boolean {
  return error instanceof NotListening || (error instanceof AdminRefusal && error.code === "signed_out");
}

function wrongSignIn(error: CliError): CliError {
  return error instanceof AdminRefusal ? new CliError(`signing in is refused: ${error.message}`) : error;
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
