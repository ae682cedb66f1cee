/**
 * A response that is written piece by piece, for as long as the client reads. The one place that knows Bun's direct streams: a
 * default stream says some 8 MB too late that the client does not read.
 */

interface DirectController {
  /** A promise where the kernel takes no more; it resolves when it does. Nothing that was written is lost. */
  write(text: string): number | Promise<number>;
  flush(): number | Promise<number>;
  end(): void;
}

export class StreamedResponse {
  readonly response: Response;
  readonly #gone: () => void;
  #controller: DirectController | undefined;
  /** What is written before Bun asks for it. */
  #early = "";
  #finished = Promise.withResolvers<void>();
  #isOver = false;

  /** `gone` is called once, where the client hangs up before the end. */
  constructor(signal: AbortSignal, headers: Readonly<Record<string, string>>, gone: () => void) {
    this.#gone = gone;
    const source = {
      type: "direct",
      pull: (controller: DirectController) => this.#open(controller),
      cancel: () => this.#hangUp(),
    };
    signal.addEventListener("abort", () => this.#hangUp());
    this.response = new Response(new ReadableStream(source as unknown as UnderlyingDefaultSource), { headers });
    if (signal.aborted) queueMicrotask(() => this.#hangUp());
  }

  /** A promise where the client does not keep up; more should be written only when it resolves. It never rejects. */
  write(text: string): Promise<void> | undefined {
    if (this.#isOver) return undefined;
    if (!this.#controller) {
      this.#early += text;
      return undefined;
    }
    try {
      const written = this.#controller.write(text);
      const flushed = this.#controller.flush();
      if (typeof written === "number" && typeof flushed === "number") return undefined;
      return Promise.all([written, flushed]).then(noResult, () => this.#hangUp());
    } catch {
      // The client is gone, which is reported in a moment.
      return undefined;
    }
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#finished.resolve();
    try {
      this.#controller?.end();
    } catch {
      // The client was faster.
    }
  }

  #open(controller: DirectController): Promise<void> | undefined {
    this.#controller = controller;
    if (this.#early !== "") {
      controller.write(this.#early);
      controller.flush();
    }
    this.#early = "";
    if (!this.#isOver) return this.#finished.promise;
    controller.end();
    return undefined;
  }

  #hangUp(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#finished.resolve();
    this.#gone();
  }
}

function noResult(): void {}
