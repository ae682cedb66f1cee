/** A proxy before a real server that sees single HTTP requests, lets no WebSocket through, and does to them what a test says. */

import { atEnd } from "../support/at-end.ts";

/** To the server, with another body if one is given. */
type Forward = (body?: string, url?: URL) => Promise<Response>;

export class HttpProxy {
  /** Of every request. */
  readonly requests: URL[] = [];
  /** The headers of those that opened a session. */
  readonly opened: Headers[] = [];
  /** What is answered in place of the server. */
  intercept:
    | ((url: URL, body: string, forward: Forward) => Response | undefined | Promise<Response | undefined>)
    | undefined;
  readonly #server: ReturnType<typeof Bun.serve>;
  readonly #target: string;

  constructor(target: string) {
    this.#target = target;
    this.#server = Bun.serve({ port: 0, idleTimeout: 0, fetch: (request) => this.#answer(request) });
    atEnd(() => this.#server.stop(true));
  }

  get port(): number {
    return this.#server.port as number;
  }

  /** Those to `/rt/KIND`. */
  of(kind: string): URL[] {
    return this.requests.filter(({ pathname }) => pathname.endsWith(`/rt/${kind}`));
  }

  get sessions(): ReadonlySet<string> {
    return new Set(this.requests.flatMap(({ searchParams }) => searchParams.get("session") ?? []));
  }

  /** The server knows none of them any more, as after a restart. */
  async forget(): Promise<void> {
    for (const session of this.sessions) await fetch(`${this.#target}/rt/close?session=${session}`, { method: "POST" });
  }

  async #answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    if (request.method !== "POST") return new Response(null, { status: 400 });
    this.requests.push(url);
    if (!url.searchParams.has("session")) this.opened.push(request.headers);
    const body = await request.text();
    const forward: Forward = async (sent = body, to = url) => {
      const { signal } = request;
      const headers = new Headers(request.headers);
      headers.delete("content-length");
      const { status, body: answer } = await fetch(`${this.#target}${to.pathname}${to.search}`, {
        method: "POST",
        body: sent,
        headers,
        signal,
      });
      return new Response(answer, { status });
    };
    try {
      return (await this.intercept?.(url, body, forward)) ?? (await forward());
    } catch {
      return new Response(null, { status: 502 });
    }
  }
}
