/** Calls between the bench and its processes: each method of a process is a function of its parent's. */

export type Methods = Readonly<Record<string, (...args: never[]) => unknown>>;

interface Call {
  readonly id: number;
  readonly method: string;
  readonly args: never[];
}

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** A process of the bench, seen from the parent. */
export class Remote<M extends Methods> {
  readonly #child: Bun.Subprocess;
  readonly #waiting = new Map<number, Waiting>();
  #calls = 0;

  constructor(script: string, args: readonly string[] = []) {
    this.#child = Bun.spawn([process.execPath, new URL(script, import.meta.url).pathname, ...args], {
      stdio: ["ignore", "inherit", "inherit"],
      ipc: (answer: Answer) => this.#settle(answer),
      onExit: (_, code, signal) => this.#fail(new Error(`${script} ended: ${signal ?? code}`)),
    });
  }

  async call<Name extends keyof M & string>(
    method: Name,
    ...args: Parameters<M[Name]>
  ): Promise<Awaited<ReturnType<M[Name]>>> {
    const id = ++this.#calls;
    const answered = new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#child.send({ id, method, args });
    return (await answered) as Awaited<ReturnType<M[Name]>>;
  }

  async end(): Promise<void> {
    this.#waiting.clear();
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }

  #settle({ id, value, error }: Answer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(value);
    else waiting?.reject(new Error(error));
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

/** Answers the parent's calls until the parent is gone. */
export function answerCalls(methods: Methods): void {
  process.on("disconnect", () => process.exit());
  process.on("message", ({ id, method, args }: Call) => {
    Promise.try(() => methods[method]?.(...args)).then(
      (value) => process.send?.({ id, value }),
      (error: Error) => process.send?.({ id, error: `${method}: ${error.stack ?? error}` }),
    );
  });
}
