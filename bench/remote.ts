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
interface Parcel {
  readonly parcel: unknown;
}

export interface RemoteOptions {
  readonly args?: readonly string[];
  /** Hears what the process sends with `sendParcel`. */
  readonly parcel?: (parcel: unknown) => void;
}

/** A process of the bench, seen from the parent. */
export class Remote<M extends Methods> {
  readonly #child: Bun.Subprocess;
  readonly #waiting = new Map<number, Waiting>();
  #calls = 0;

  /** The script's path is relative to this file. */
  constructor(script: string, { args = [], parcel }: RemoteOptions = {}) {
    this.#child = Bun.spawn([process.execPath, new URL(script, import.meta.url).pathname, ...args], {
      stdio: ["ignore", "inherit", "inherit"],
      serialization: "json",
      ipc: (message: Answer | Parcel) => {
        if ("parcel" in message) parcel?.(message.parcel);
        else this.#settle(message);
      },
      onExit: (_, code, signal) => this.#fail(new Error(`${script} ended: ${signal ?? code}`)),
    });
  }

  get pid(): number {
    return this.#child.pid;
  }

  sendParcel(parcel: unknown): void {
    this.#child.send({ parcel });
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

export function sendParcel(parcel: unknown): void {
  process.send?.({ parcel });
}

/** Answers the parent's calls until the parent is gone. */
export function answerCalls(methods: Methods, parcel?: (parcel: unknown) => void): void {
  process.on("disconnect", () => process.exit());
  process.on("message", (message: Call | Parcel) => {
    if ("parcel" in message) return parcel?.(message.parcel);
    const { id, method, args } = message;
    Promise.try(() => methods[method]?.(...args)).then(
      (value) => process.send?.({ id, value }),
      (error: Error) => process.send?.({ id, error: `${method}: ${error.stack ?? error}` }),
    );
  });
}
