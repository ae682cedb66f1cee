/** One worker as the first process has it: a process, what it says, and how it ends. */

import { existsSync } from "node:fs";
import type { Subprocess } from "bun";
import { ConfigError } from "../../config/config-error.ts";
import type { HubBatch, WorkerBatch } from "../../engines/workers/messages.ts";
import type { Reading } from "../../observers/metrics/merge.ts";
import type { Scraped } from "../../observers/metrics/snapshot.ts";
import type { WorkerInfo } from "../embed/types.ts";
import type { Assignment, Failure, FromWorker, ToWorker, WorkerCommand } from "./ipc-messages.ts";
import { workerEnvironment } from "./worker-identity.ts";

export interface WorkerProcessOptions {
  readonly place: WorkerInfo;
  /** Which of the program's servers, in the order of their making. */
  readonly server: number;
  readonly assignment: Assignment;
  readonly receive: (parcel: WorkerBatch) => void;
  /** The numbers of all workers together. */
  readonly scrape: () => Promise<Scraped>;
}

export interface WorkerExit {
  readonly code: number | null;
  readonly signal: string | number | null;
}

export class WorkerProcess {
  readonly info: WorkerInfo;
  readonly pid: number;
  /** Rejects with what the worker could not start for, or with `EndedEarly`. */
  readonly listening: Promise<void>;
  readonly exited: Promise<WorkerExit>;
  /** Looks since it was last heard. */
  missedHeartbeats = 0;
  isListening = false;
  hasExited = false;
  /** Its numbers, as far as they are known. */
  reading: Reading = [];
  #read: PromiseWithResolvers<boolean> | undefined;
  readonly #process: Subprocess;
  readonly #asked = new Map<number, PromiseWithResolvers<number>>();
  #lastId = 0;

  /** Throws where this process cannot be started again. */
  constructor({ place, server, assignment, receive, scrape }: WorkerProcessOptions) {
    this.info = place;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.listening = promise;
    // Whoever waits for it hears of it; a worker that fails later has nobody waiting.
    promise.catch(() => {});
    this.#process = Bun.spawn([process.execPath, ...execArguments(), programFile(), ...process.argv.slice(2)], {
      env: { ...process.env, ...workerEnvironment({ ...place, server }) },
      stdio: ["ignore", "inherit", "inherit"],
      // Half the price of structured clone, measured with the parcels that this carries.
      serialization: "json",
      ipc: (message: FromWorker) => {
        this.missedHeartbeats = 0;
        switch (message.type) {
          case "here":
            return this.#say({ type: "assignment", assignment });
          case "listening":
            this.isListening = true;
            return resolve();
          case "failed":
            reject(errorOf(message.failure));
            return this.kill();
          case "done":
            return this.#asked.get(message.id)?.resolve(message.count);
          case "undone":
            return this.#asked.get(message.id)?.reject(errorOf(message.failure));
          case "parcel":
            return receive(message.parcel);
          case "reading":
            this.reading = message.reading;
            return this.#read?.resolve(true);
          case "scrape":
            // Where there is no answer, the worker gives up by itself.
            return void scrape().then((scraped) => this.#say({ type: "scraped", scraped }));
          case "alive":
            return;
        }
      },
    });
    this.pid = this.#process.pid;
    this.exited = this.#process.exited.then(() => {
      this.hasExited = true;
      const ended: WorkerExit = { code: this.#process.exitCode, signal: this.#process.signalCode };
      reject(new ExitedEarly(ended));
      this.#read?.resolve(false);
      for (const asked of this.#asked.values()) asked.resolve(0);
      return ended;
    });
  }

  send(parcel: HubBatch): void {
    this.#say({ type: "parcel", parcel });
  }

  /** Resolves with the worker's answer, or with 0 when it ends first; rejects with its error. Waits until it listens. */
  async command(order: WorkerCommand): Promise<number> {
    await this.listening.catch(() => {});
    if (this.hasExited) return 0;
    const id = ++this.#lastId;
    const asked = Promise.withResolvers<number>();
    this.#asked.set(id, asked);
    this.#say({ type: "order", id, order });
    try {
      return await asked.promise;
    } finally {
      this.#asked.delete(id);
    }
  }

  /** Brings `reading` up to date. Whether that was possible in this time. */
  async readMetrics(withinMs: number): Promise<boolean> {
    if (!this.isListening || this.hasExited) return false;
    if (!this.#read) {
      this.#read = Promise.withResolvers<boolean>();
      const late = setTimeout(() => this.#read?.resolve(false), withinMs);
      this.#say({ type: "read" });
      void this.#read.promise.then(() => {
        clearTimeout(late);
        this.#read = undefined;
      });
    }
    return this.#read.promise;
  }

  /** Asks it to drain and to end. */
  stop(): void {
    this.#say({ type: "stop" });
  }

  /** At once, whatever it is doing, stopped processes too. */
  kill(): void {
    if (!this.hasExited) this.#process.kill("SIGKILL");
  }

  #say(message: ToWorker): void {
    if (this.hasExited || this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.send(message);
  }
}

/** It ended before it listened, and did not say why: its own output does. */
export class ExitedEarly extends Error {
  constructor(ended: WorkerExit) {
    super(`it ended ${describeExit(ended)} before it listened`);
  }
}

export function describeExit({ code, signal }: WorkerExit): string {
  return signal === null ? `with code ${code}` : `by ${signal}`;
}

/** The first process is started again when a file changes, and its workers with it. */
function execArguments(): readonly string[] {
  return process.execArgv.filter((argument) => argument !== "--watch" && argument !== "--hot");
}

function programFile(): string {
  if (existsSync(Bun.main)) return Bun.main;
  throw new ConfigError("`workers` has to be 1 in a program that is in no file, because workers run that file again");
}

function errorOf({ name, message, code }: Failure): Error {
  if (name === "ConfigError") return new ConfigError(message.split("\n"));
  return Object.assign(new Error(message), code !== undefined && { code });
}
