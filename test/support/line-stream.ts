/** A response that is read line by line as it comes, by `fetch`. */

import { atEnd } from "./at-end.ts";

const PATIENCE_MS = 20_000;

export class LineStream {
  readonly response: Response;
  readonly #aborter: AbortController;
  readonly #lines: string[] = [];
  #waiting: (() => void) | undefined;
  #isOver = false;
  /** All that came, in UTF-16 units. */
  units = 0;

  static async open(url: string, init: RequestInit = {}): Promise<LineStream> {
    const aborter = new AbortController();
    return new LineStream(await fetch(url, { method: "POST", ...init, signal: aborter.signal }), aborter);
  }

  /** Of a program's output, say. */
  static of(response: Response): LineStream {
    return new LineStream(response, new AbortController());
  }

  private constructor(response: Response, aborter: AbortController) {
    this.response = response;
    this.#aborter = aborter;
    atEnd(() => this.abort());
    void this.#read();
  }

  /** The next line; undefined where the response is over. */
  async next(): Promise<string | undefined> {
    const deadline = AbortSignal.timeout(PATIENCE_MS);
    while (this.#lines.length === 0 && !this.#isOver) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting = resolve;
      deadline.addEventListener("abort", () => resolve());
      await promise;
      if (deadline.aborted) throw new Error("No line came.");
    }
    return this.#lines.shift();
  }

  /** The next line that fits. */
  async find(wanted: (line: string) => boolean): Promise<string> {
    while (true) {
      const line = await this.next();
      if (line === undefined) throw new Error("The response ended without it.");
      if (wanted(line)) return line;
    }
  }

  /** The lines that are left, when the response is over. */
  async rest(): Promise<string[]> {
    const lines: string[] = [];
    for (let line = await this.next(); line !== undefined; line = await this.next()) lines.push(line);
    return lines;
  }

  /** As far as they have come. */
  get pending(): number {
    return this.#lines.length;
  }

  abort(): void {
    this.#aborter.abort();
  }

  async #read(): Promise<void> {
    let rest = "";
    try {
      const decoder = new TextDecoder();
      for await (const chunk of this.response.body ?? []) {
        const text = decoder.decode(chunk, { stream: true });
        this.units += text.length;
        const lines = (rest + text).split("\n");
        rest = lines.pop() ?? "";
        this.#lines.push(...lines);
        this.#waiting?.();
      }
    } catch {
      // Cut off.
    }
    this.#isOver = true;
    this.#waiting?.();
  }
}
