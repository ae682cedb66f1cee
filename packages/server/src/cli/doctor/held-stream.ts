/** A stream of pusher-js's, held open through what stands in front of a server: what comes of it, and when. */

import { openRequest } from "../http.ts";

const [PING, PONG] = ["ping", "pong"].map((word) =>
  JSON.stringify([JSON.stringify({ event: `pusher:${word}`, data: {} })]),
);

export class HeldStream {
  readonly #address: string;
  readonly #aborter = new AbortController();
  #response: Response | undefined;
  #text = "";
  #isClosed = false;
  #changed = Promise.withResolvers<void>();
  /** When the response began, and when it was over, by `performance.now()`. */
  openedAtMs = 0;
  endedAtMs: number | undefined;

  constructor(address: string) {
    this.#address = address;
  }

  /** Resolves with the status; undefined where nothing has come within that time. Rejects with what `fetch` throws. */
  async open(withinMs: number): Promise<number | undefined> {
    const timer = setTimeout(() => this.#aborter.abort(), withinMs);
    try {
      this.#response = await openRequest(`${this.#address}/xhr_streaming?protocol=7&client=fanfare-doctor`, {
        method: "POST",
        redirect: "manual",
        signal: this.#aborter.signal,
      });
    } catch (error) {
      if (this.#aborter.signal.aborted) return undefined;
      throw error;
    } finally {
      clearTimeout(timer);
    }
    this.openedAtMs = performance.now();
    void this.#read(this.#response);
    return this.#response.status;
  }

  /** All that came so far. */
  get text(): string {
    return this.#text;
  }

  /** Whether the text is there within that time. */
  async has(text: string, withinMs: number): Promise<boolean> {
    return this.#until(() => this.#text.includes(text), withinMs);
  }

  /** Asks for an answer on the stream. Resolves with how long it took; with undefined where none came in time; with a status where it was refused. */
  async ping(withinMs: number): Promise<number | undefined | { readonly status: number }> {
    const before = this.#count("pusher:pong");
    const askedAtMs = performance.now();
    const status = await this.#send(PING, withinMs);
    if (status !== 204) return { status };
    const isThere = await this.#until(() => this.#count("pusher:pong") > before, withinMs);
    return isThere ? performance.now() - askedAtMs : undefined;
  }

  /** Resolves when it is over, or after so long. */
  async over(withinMs: number): Promise<void> {
    await this.#until(() => false, withinMs);
  }

  /** The same, and says nothing but what keeps the server from hanging up: where it asks, that the client is there. */
  async silent(forMs: number): Promise<void> {
    const endMs = performance.now() + forMs;
    let answered = 0;
    while (await this.#until(() => this.#count("pusher:ping") > answered, endMs - performance.now())) {
      answered = this.#count("pusher:ping");
      await this.#send(PONG, forMs).catch(() => {});
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#aborter.abort();
  }

  async #send(body = "[]", withinMs: number): Promise<number> {
    const answer = await openRequest(`${this.#address}/xhr_send?t=${Math.round(performance.now())}&n=1`, {
      method: "POST",
      body,
      headers: { "content-type": "application/json" },
      signal: AbortSignal.timeout(withinMs),
    });
    await answer.text();
    return answer.status;
  }

  #count(event: string): number {
    return this.#text.split(event).length - 1;
  }

  /** False where it is not so within that time, or is not so when the response is over. */
  async #until(isSo: () => boolean, withinMs: number): Promise<boolean> {
    const late = Bun.sleep(withinMs).then(() => "late" as const);
    while (!isSo()) {
      if (this.endedAtMs !== undefined) return false;
      if ((await Promise.race([this.#changed.promise, late])) === "late") return isSo();
    }
    return true;
  }

  async #read({ body }: Response): Promise<void> {
    const decoder = new TextDecoder();
    try {
      for await (const chunk of body ?? []) {
        this.#text += decoder.decode(chunk, { stream: true });
        this.#change();
      }
    } catch {
      // Cut off, which is what is asked here.
    }
    if (!this.#isClosed) this.endedAtMs = performance.now();
    this.#change();
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
