/** Calls to the server's JSON API, relative to the page, so that any path prefix is right. */

import { type ErrorBody, type ErrorCode, GUARD_HEADER } from "fanfare/wire/admin";

/** A call that came to nothing. The message is a sentence for the person in front of the page. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly code: ErrorCode | "offline";
  /** When it may be tried again, where the server says so. */
  readonly retryAfterS: number | undefined;

  constructor(code: ErrorCode | "offline", message: string, retryAfterS?: number) {
    super(message);
    this.code = code;
    this.retryAfterS = retryAfterS;
  }
}

type Method = "GET" | "POST" | "PATCH" | "DELETE";

let whenSignedOut: () => void = () => {};

/** Whoever calls without being signed in any more, this is told of it. */
export function onSignedOut(act: () => void): void {
  whenSignedOut = act;
}

/** Answers with the body of a good answer, whose shape the wire's types promise. Throws Refused. */
export async function call<T>(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const response = await reach(method, path, body, signal);
  const answer = await bodyOf(response);
  if (response.ok) return answer as T;
  const refused = refusalOf(response, answer);
  if (refused.code === "signed_out") whenSignedOut();
  throw refused;
}

/** `api/apps/a%2Fb/channels?search=x`: what is undefined is left out. */
export function path(
  parts: readonly string[],
  query: Readonly<Record<string, string | number | readonly string[] | undefined>> = {},
): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== "") parameters.append(name, String(one));
    }
  }
  const address = `api/${parts.map(encodeURIComponent).join("/")}`;
  return parameters.size > 0 ? `${address}?${parameters}` : address;
}

/** Anything thrown, as what can be shown. */
export function refusedBy(error: unknown): Refused {
  if (error instanceof Refused) return error;
  return new Refused("internal", error instanceof Error ? error.message : String(error));
}

async function reach(method: Method, path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") headers[GUARD_HEADER] = "1";
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const init: RequestInit = { method, headers, credentials: "same-origin", cache: "no-store" };
  if (body !== undefined) init.body = JSON.stringify(body);
  if (signal) init.signal = signal;
  try {
    return await fetch(path, init);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refused("offline", "The server cannot be reached. This page tries again by itself.");
  }
}

async function bodyOf(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    return undefined;
  }
}

function refusalOf(response: Response, answer: unknown): Refused {
  const retryAfterS = Number(response.headers.get("retry-after")) || undefined;
  if (isRefusal(answer)) return new Refused(answer.error.code, answer.error.message, retryAfterS);
  const isProxy = response.status >= 502 && response.status <= 504;
  if (isProxy) return new Refused("offline", `The server cannot be reached (${response.status}).`, retryAfterS);
  return new Refused("internal", `The server answered ${response.status} without a reason. Its log may have one.`);
}

function isRefusal(answer: unknown): answer is ErrorBody {
  if (typeof answer !== "object" || answer === null || !("error" in answer)) return false;
  const { error } = answer;
  return typeof error === "object" && error !== null && "code" in error && "message" in error;
}
