/** Calls of one script that come together, as one command: with fifty in it, each costs a third of a command of its own. */

import type { Script } from "./scripts/script.ts";

interface Call {
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

interface Batch<Client> {
  readonly client: Client;
  readonly script: Script;
  /** What the calls share, then what each has of its own. */
  readonly args: string[];
  readonly calls: Call[];
  /** Of what the calls say, and of what they are expected to be answered. */
  length: number;
}

/** More in one go gain nothing, and would hold Redis up. */
const MAX_CALLS = 50;
/** In UTF-16 units: nobody else is served while Redis reads and writes as much, as fifty joins do to a channel of some fifty members. */
const MAX_LENGTH = 256 * 1024;

export class ScriptBatches<Client> {
  readonly #send: (client: Client, script: Script, args: readonly string[]) => Promise<readonly unknown[]>;
  #open: Batch<Client> | undefined;
  /** The longest answer to each script the last time. */
  readonly #answerLengths = new Map<Script, number>();

  /** What is answered: for each call its own, or an error. */
  constructor(send: (client: Client, script: Script, args: readonly string[]) => Promise<readonly unknown[]>) {
    this.#send = send;
  }

  /** It is sent when this turn of the event loop is over, or before whatever is sent sooner. */
  add(client: Client, script: Script, shared: number, args: Readonly<Record<string, string>>): Promise<unknown> {
    const batch = this.#batchFor(client, script, shared, args);
    for (let at = shared; at < script.args.length; at++) {
      const arg = args[script.args[at] as string] as string;
      batch.args.push(arg);
      batch.length += arg.length;
    }
    batch.length += this.#answerLengths.get(script) ?? 0;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    batch.calls.push({ resolve, reject });
    if (script.isAlone || batch.calls.length === MAX_CALLS || batch.length >= MAX_LENGTH) this.flush();
    return promise;
  }

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  flush(): void {
    const batch = this.#open;
    if (!batch) return;
    this.#open = undefined;
    void this.#sendBatch(batch);
  }

  #batchFor(client: Client, script: Script, shared: number, args: Readonly<Record<string, string>>): Batch<Client> {
    const open = this.#open;
    if (open && open.client === client && open.script === script && isShared(open, shared, args)) return open;
    this.flush();
    const batch: Batch<Client> = { client, script, args: [], calls: [], length: 0 };
    for (let at = 0; at < shared; at++) batch.args.push(args[script.args[at] as string] as string);
    this.#open = batch;
    setImmediate(() => {
      if (this.#open === batch) this.flush();
    });
    return batch;
  }

  async #sendBatch({ client, script, args, calls }: Batch<Client>): Promise<void> {
    try {
      const answers = await this.#send(client, script, args);
      let longest = 0;
      for (const [at, { resolve, reject }] of calls.entries()) {
        const answer = answers[at];
        if (typeof answer === "string") longest = Math.max(longest, answer.length);
        if (answer instanceof Error) reject(answer);
        else resolve(answer);
      }
      this.#answerLengths.set(script, longest);
    } catch (error) {
      for (const { reject } of calls) reject(error);
    }
  }
}

function isShared(
  { script, args: known }: Batch<unknown>,
  shared: number,
  args: Readonly<Record<string, string>>,
): boolean {
  for (let at = 0; at < shared; at++) if (args[script.args[at] as string] !== known[at]) return false;
  return true;
}
