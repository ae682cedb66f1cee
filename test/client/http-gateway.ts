/** A server of the HTTP transports that does as a test says: it stands before a real server, with a WebSocket there for each session. */

import { atEnd } from "../support/at-end.ts";

interface Session {
  readonly id: string;
  readonly socket: WebSocket;
  /** From the first that was not acknowledged. */
  frames: string[];
  /** The number of the first of them. */
  first: number;
  /** The number of the last command that was passed on. */
  handled: number;
  /** Resolved when there is a frame, or the end. */
  wake: () => void;
  isOver: boolean;
}

export class HttpGateway {
  readonly sessions = new Map<string, Session>();
  /** Method, path and query of each request. */
  readonly requests: URL[] = [];
  /** The headers of the requests that opened a session. */
  readonly opened: Headers[] = [];
  /** What answers a request in place of the gateway. */
  intercept: ((url: URL, body: string) => Response | undefined | Promise<Response | undefined>) | undefined;
  closed: string[] = [];
  pollMs = 300;
  readonly #server: ReturnType<typeof Bun.serve>;
  readonly #target: string;

  constructor(target: string) {
    this.#target = target.replace(/^http/, "ws");
    this.#server = Bun.serve({ port: 0, idleTimeout: 0, fetch: (request) => this.#answer(request) });
    atEnd(() => this.stop());
  }

  get port(): number {
    return this.#server.port as number;
  }

  /** Of that kind, `send` for example. */
  of(kind: string): URL[] {
    return this.requests.filter(({ pathname }) => pathname.endsWith(`/rt/${kind}`));
  }

  /** As a restarted server. */
  forget(): void {
    for (const session of this.sessions.values()) this.#end(session);
  }

  stop(): void {
    this.forget();
    this.#server.stop(true);
  }

  async #answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    this.requests.push(url);
    // A WebSocket does not get through.
    if (request.method !== "POST") return new Response(null, { status: 400 });
    const body = await request.text();
    const instead = await this.intercept?.(url, body);
    if (instead) return instead;
    const kind = url.pathname.split("/rt/")[1];
    const id = url.searchParams.get("session");
    const session = id === null ? await this.#open(request, url) : this.sessions.get(id);
    if (session instanceof Response) return session;
    if (!session) return Response.json({ error: "There is no such session.", code: "session_gone" }, { status: 410 });
    if (kind === "close") {
      this.closed.push(session.id);
      this.#end(session);
      return new Response(null, { status: 204 });
    }
    if (kind === "send") return this.handle(session, Number(url.searchParams.get("seq")), body);
    const ack = Number(url.searchParams.get("ack"));
    session.frames.splice(0, ack - session.first + 1);
    session.first = ack + 1;
    session.wake();
    return kind === "stream" ? streamed(session) : await this.#polled(session);
  }

  handle(session: Session, seq: number, body: string): Response {
    if (seq > session.handled + 1) return Response.json({ expected: session.handled + 1 }, { status: 409 });
    for (const [at, line] of body.split("\n").entries()) {
      if (seq + at <= session.handled) continue;
      session.handled = seq + at;
      if (session.socket.readyState === WebSocket.OPEN) session.socket.send(line);
    }
    return new Response(null, { status: 204 });
  }

  #open(request: Request, url: URL): Promise<Session | Response> {
    this.opened.push(request.headers);
    const token = request.headers.get("authorization")?.replace("Bearer ", "");
    const address = `${this.#target}/${url.search}${token === undefined ? "" : `${url.search ? "&" : "?"}token=${token}`}`;
    const socket = new WebSocket(address);
    const session: Session = {
      ...{ id: crypto.randomUUID(), socket, frames: [], first: 1, handled: 0 },
      ...{ wake: () => {}, isOver: false },
    };
    return new Promise((resolve) => {
      socket.onmessage = ({ data }) => {
        const frame = JSON.parse(String(data));
        if (frame.event === "closing" && !this.sessions.has(session.id)) {
          resolve(Response.json({ code: frame.code, error: frame.message }, { status: 401 }));
          return;
        }
        if (frame.event === "welcome" && !this.sessions.has(session.id)) {
          Object.assign(frame.data, { session: session.id, http: { keepAliveS: 1, sessionTimeoutS: 2 } });
          this.sessions.set(session.id, session);
          resolve(session);
        }
        session.frames.push(JSON.stringify(frame));
        session.wake();
      };
      socket.onclose = () => this.#end(session);
      socket.onerror = () => resolve(new Response("no server", { status: 502 }));
    });
  }

  #end(session: Session): void {
    session.isOver = true;
    session.socket.close();
    session.wake();
    // What is left is still read.
    if (session.frames.length === 0) this.sessions.delete(session.id);
    else setTimeout(() => this.sessions.delete(session.id), 50);
  }

  async #polled(session: Session): Promise<Response> {
    if (session.frames.length === 0 && !session.isOver) await changed(session, this.pollMs);
    const seq = session.first + session.frames.length - 1;
    return Response.json({ session: session.id, seq, frames: session.frames.map((frame) => JSON.parse(frame)) });
  }
}

function changed(session: Session, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    session.wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}

/** The reader that came last has it. */
function streamed(session: Session): Response {
  let isOver = false;
  const body = new ReadableStream<string>({
    async start(controller) {
      let next = session.first;
      while (!isOver) {
        for (; next < session.first + session.frames.length; next++)
          controller.enqueue(`${session.frames[next - session.first]}\n`);
        if (session.isOver) break;
        await changed(session, 500);
        if (!isOver) controller.enqueue("\n");
      }
      if (!isOver) controller.close();
    },
    cancel() {
      isOver = true;
    },
  });
  return new Response(body.pipeThrough(new TextEncoderStream()), {
    headers: { "Content-Type": "application/x-ndjson" },
  });
}
