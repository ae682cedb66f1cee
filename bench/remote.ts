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

/** What is no call travels beside the calls, in the same order. */
interface Batch {
  readonly batch: unknown;
}

export interface RemoteOptions {
  readonly args?: readonly string[];
  /** Hears what the process sends with `sendBatch`. */
  readonly batch?: (batch: unknown) => void;
  /** Beside this process's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** Hears what the process says on its second output, bit by bit; without it that is seen by whoever runs the bench. */
  readonly stderr?: (text: string) => void;
}

/** A process of the bench, seen from the parent. */
export class Remote<M extends Methods> {
  readonly #child: Bun.Subprocess;
  readonly #waiting = new Map<number, Waiting>();
  #calls = 0;

  /** The script's path is relative to this file. */
  constructor(script: string, { args = [], batch, env = {}, stderr }: RemoteOptions = {}) {
    this.#child = Bun.spawn([process.execPath, new URL(script, import.meta.url).pathname, ...args], {
      stdio: ["ignore", "inherit", stderr ? "pipe" : "inherit"],
      env: { ...process.env, ...env },
      serialization: "json",
      ipc: (message: Answer | Batch) => {
        if ("batch" in message) batch?.(message.batch);
        else this.#settle(message);
      },
      onExit: (_, code, signal) => this.#fail(new Error(`${script} ended: ${signal ?? code}`)),
    });
    if (stderr && this.#child.stderr instanceof ReadableStream) void hear(this.#child.stderr, stderr);
  }

  get pid(): number {
    return this.#child.pid;
  }

  sendBatch(batch: unknown): void {
    this.#child.send({ batch });
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

async function hear(stream: ReadableStream<Uint8Array>, each: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  for await (const bytes of stream) each(decoder.decode(bytes, { stream: true }));
}

export function sendBatch(batch: unknown): void {
  process.send?.({ batch });
}

/** Answers the parent's calls until the parent is gone. */
export function answerCalls(methods: Methods, batch?: (batch: unknown) => void): void {
  process.on("disconnect", () => process.exit());
  process.on("message", (message: Call | Batch) => {
    if ("batch" in message) return batch?.(message.batch);
    const { id, method, args } = message;
    Promise.try(() => methods[method]?.(...args)).then(
      (value) => process.send?.({ id, value }),
      (error: Error) => process.send?.({ id, error: `${method}: ${error.stack ?? error}` }),
    );
  });
}
