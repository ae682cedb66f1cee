/** One worker as the first process has it: the process, its messages, and how it ends. */

import { existsSync } from "node:fs";
import type { Subprocess } from "bun";
import { ConfigError } from "../../config/config-error.ts";
import type { HubBatch, WorkerBatch } from "../../engines/workers/messages.ts";
import type { Reading } from "../../observers/metrics/merge.ts";
import type { Scraped } from "../../observers/metrics/snapshot.ts";
import type { WorkerInfo } from "../embed/types.ts";
import { withinTime } from "../system/promises.ts";
import {
  type Assignment,
  type Failure,
  type FromWorker,
  type ToWorker,
  type WorkerCommand,
  workerEnvironment,
} from "./ipc-messages.ts";

export interface WorkerProcessOptions {
  readonly place: WorkerInfo;
  /** Which of the program's servers, in the order of their making. */
  readonly server: number;
  readonly assignment: Assignment;
  /** A worker's process is being started. */
  readonly attach: (child: WorkerProcess) => WorkerSession;
}

/** What the first process does for one of its workers. */
export interface WorkerSession {
  receive(batch: WorkerBatch): void;
  /** The numbers of all workers together. */
  scrape(): Promise<Scraped>;
  /** The process is no more. Resolves when nothing of it is left. */
  detach(): Promise<void>;
}

export interface WorkerExit {
  readonly code: number | null;
  readonly signal: string | number | null;
}

export class WorkerProcess {
  readonly info: WorkerInfo;
  readonly pid: number;
  readonly session: WorkerSession;
  /** Rejects with the error of its start, or with `ExitedEarly`. */
  readonly listening: Promise<void>;
  readonly exited: Promise<WorkerExit>;
  /** Checks since its last message. */
  missedHeartbeats = 0;
  isListening = false;
  hasExited = false;
  /** Its numbers, as far as they are known. */
  reading: Reading = [];
  #read: PromiseWithResolvers<boolean> | undefined;
  readonly #process: Subprocess;
  readonly #pending = new Map<number, PromiseWithResolvers<number>>();
  #lastId = 0;

  /** Throws where this process cannot be started again. */
  constructor({ place, server, assignment, attach }: WorkerProcessOptions) {
    this.info = place;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.listening = promise;
    // A worker that fails later has no caller that waits.
    promise.catch(() => {});
    this.#process = Bun.spawn([process.execPath, ...execArguments(), programFile(), ...process.argv.slice(2)], {
      env: { ...process.env, ...workerEnvironment({ ...place, server }) },
      stdio: ["ignore", "inherit", "inherit"],
      // Half the price of structured clone, measured with the batches that this carries.
      serialization: "json",
      ipc: (message: FromWorker) => {
        this.missedHeartbeats = 0;
        switch (message.type) {
          case "connected":
            return this.#post({ type: "assignment", assignment });
          case "listening":
            this.isListening = true;
            return resolve();
          case "failed":
            reject(errorOf(message.failure));
            return this.kill();
          case "completed":
            return this.#pending.get(message.id)?.resolve(message.count);
          case "refused":
            return this.#pending.get(message.id)?.reject(errorOf(message.failure));
          case "batch":
            return this.session.receive(message.batch);
          case "metrics":
            this.reading = message.reading;
            this.#read?.resolve(true);
            this.#read = undefined;
            return;
          case "scrapeAll":
            // Where there is no answer, the worker gives up by itself.
            return void this.session.scrape().then((scraped) => this.#post({ type: "allMetrics", scraped }));
          case "heartbeat":
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
      for (const pending of this.#pending.values()) pending.resolve(0);
      return ended;
    });
    this.session = attach(this);
  }

  send(batch: HubBatch): void {
    this.#post({ type: "batch", batch });
  }

  /** Resolves with the worker's answer, or with 0 when it ends first; rejects with its error. Waits until it listens. */
  async command(command: WorkerCommand): Promise<number> {
    await this.listening.catch(() => {});
    if (this.hasExited) return 0;
    const id = ++this.#lastId;
    const pending = Promise.withResolvers<number>();
    this.#pending.set(id, pending);
    this.#post({ type: "command", id, command });
    try {
      return await pending.promise;
    } finally {
      this.#pending.delete(id);
    }
  }

  /** Brings `reading` up to date. Whether that was possible in this time. */
  async readMetrics(withinMs: number): Promise<boolean> {
    if (!this.isListening || this.hasExited) return false;
    if (!this.#read) {
      this.#read = Promise.withResolvers<boolean>();
      this.#post({ type: "readMetrics" });
    }
    return (await withinTime(withinMs, this.#read.promise)) ?? false;
  }

  /** Asks it to drain and to end. */
  stop(): void {
    this.#post({ type: "stop" });
  }

  /** At once, whatever it is doing, stopped processes too. */
  kill(): void {
    if (!this.hasExited) this.#process.kill("SIGKILL");
  }

  #post(message: ToWorker): void {
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
