/** Calls the server's HTTP API: signs each request, waits, and tries again where that may help. */

import { PublisherError } from "./errors.ts";
import { md5Hex } from "./md5.ts";
import type { Signer } from "./signer.ts";
import { sleep } from "./time.ts";

export interface ApiClientOptions {
  readonly baseUrl: URL;
  readonly appId: string;
  readonly key: string;
  readonly signer: Signer;
  readonly fetch: typeof fetch;
  readonly timeoutMs: number;
  readonly retries: number;
}

export interface ApiCall {
  readonly method: "GET" | "POST" | "DELETE";
  /** Below `/apps/ID`, escaped. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

interface Request {
  readonly path: string;
  readonly method: string;
  readonly query: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer> | undefined;
  readonly signal: AbortSignal | undefined;
}

/** The server knows an idempotency key for 300 s, and for 240 s where an engine was lost. Nothing is sent again later than that. */
const LATEST_RETRY_MS = 240_000;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5_000;
const ENCODER = new TextEncoder();

export class ApiClient {
  readonly #options: ApiClientOptions;

  constructor(options: ApiClientOptions) {
    this.#options = options;
  }

  /** Resolves with the parsed answer. Throws a PublisherError, or the signal's reason once it is aborted. */
  async call({ method, path, query = {}, body, signal }: ApiCall): Promise<unknown> {
    const { baseUrl, appId, retries } = this.#options;
    const request = {
      method,
      path: `${baseUrl.pathname.replace(/\/+$/, "")}/apps/${encodeURIComponent(appId)}${path}`,
      query,
      body: body === undefined ? undefined : ENCODER.encode(JSON.stringify(body)),
      signal,
    };
    const startedAt = performance.now();
    for (let attempt = 0; ; attempt++) {
      signal?.throwIfAborted();
      const answer = await this.#send(request).catch((error: unknown) => {
        if (error instanceof PublisherError) return error;
        throw error;
      });
      if (!(answer instanceof PublisherError)) return answer;
      const pauseMs = Math.max(backoffMs(attempt), answer.retryAfterMs ?? 0);
      const isTooLate = performance.now() - startedAt + pauseMs > LATEST_RETRY_MS;
      if (!answer.retryable || attempt >= retries || isTooLate) throw answer;
      await sleep(pauseMs, signal);
    }
  }

  /** Once. It is signed anew each time, since the server checks the time. */
  async #send(request: Request): Promise<unknown> {
    const { baseUrl, timeoutMs, fetch } = this.#options;
    const url = await this.#signedUrl(request);
    const controller = new AbortController();
    const onAbort = () => controller.abort();
    request.signal?.addEventListener("abort", onAbort, { once: true });
    const timer = setTimeout(onAbort, timeoutMs);
    try {
      request.signal?.throwIfAborted();
      const response = await fetch(url, {
        method: request.method,
        // A redirect would be signed for another address.
        redirect: "manual",
        signal: controller.signal,
        ...(request.body && { body: request.body, headers: { "Content-Type": "application/json" } }),
      });
      const text = await response.text();
      if (!response.ok) throw refusal(response, text);
      return parsed(text);
    } catch (error) {
      if (error instanceof PublisherError) throw error;
      request.signal?.throwIfAborted();
      if (controller.signal.aborted)
        throw new PublisherError(`${baseUrl.origin} did not answer within ${timeoutMs} ms.`, {
          code: "timeout",
          retryable: true,
        });
      throw new PublisherError(`${baseUrl.origin} is unreachable, or closed the connection.`, {
        ...{ code: "unreachable", retryable: true, cause: error },
      });
    } finally {
      clearTimeout(timer);
      request.signal?.removeEventListener("abort", onAbort);
    }
  }

  async #signedUrl({ method, path, query, body }: Request): Promise<string> {
    const { baseUrl, key, signer } = this.#options;
    const parameters = {
      ...query,
      auth_key: key,
      auth_timestamp: String(Math.floor(Date.now() / 1000)),
      auth_version: "1.0",
      ...(body && { body_md5: md5Hex(body) }),
    };
    const sorted = Object.entries(parameters).sort(([a], [b]) => (a < b ? -1 : 1));
    const text = `${method}\n${path}\n${sorted.map(([name, value]) => `${name}=${value}`).join("&")}`;
    const search = new URLSearchParams(sorted);
    search.set("auth_signature", await signer.signHex(text));
    return `${baseUrl.origin}${path}?${search}`;
  }
}

function backoffMs(attempt: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** attempt, LONGEST_PAUSE_MS) * (0.5 + Math.random());
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    // The call was executed; asking again would get the same.
    throw new PublisherError("The answer is not JSON: is this the address of the server?", {
      ...{ code: "answer_invalid", cause },
    });
  }
}

function refusal(response: Response, text: string): PublisherError {
  const { status } = response;
  const { error, code } = problemOf(text);
  const said = error ?? text.slice(0, 200).trim();
  return new PublisherError(`The server answered ${status}${said === "" ? "." : `: ${said}`}`, {
    status,
    code: code ?? "http_error",
    retryable: status === 429 || status >= 500,
    retryAfterMs: retryAfterMs(response.headers.get("Retry-After")),
  });
}

function problemOf(text: string): { error?: string; code?: string } {
  try {
    const { error, code } = JSON.parse(text);
    return { ...(typeof error === "string" && { error }), ...(typeof code === "string" && { code }) };
  } catch {
    return {};
  }
}

/** Seconds, or a date. */
function retryAfterMs(header: string | null): number | undefined {
  if (header === null) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(ms, 0);
}
