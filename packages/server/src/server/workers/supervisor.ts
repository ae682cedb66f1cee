/** Keeps a server's workers going: starts them, starts them again when they die, ends those that hang, swaps them one by one. */

import type { Logger } from "pino";
import { backoffMs } from "../../domain/backoff.ts";
import { messageOf } from "../../domain/thrown.ts";
import type { ProcessReading } from "../../observers/metrics/merge.ts";
import { InTurn } from "../system/promises.ts";
import type { Assignment, WorkerCommand } from "./ipc-messages.ts";
import { describeExit, ExitedEarly, WorkerProcess, type WorkerProcessOptions } from "./worker-process.ts";

export interface SupervisorOptions {
  readonly count: number;
  /** Which of the program's servers, in the order of their making. */
  readonly server: number;
  readonly assignment: Assignment;
  /** How long a worker may send nothing, in seconds. */
  readonly leaseS: number;
  /** How long a worker may take from the stop command to its end, in milliseconds. */
  readonly stopMs: () => number;
  readonly log: Logger;
  readonly attach: WorkerProcessOptions["attach"];
}

export interface Readings {
  /** The numbers of the workers that live at this moment; of those that did not answer, the last ones. */
  now(): readonly ProcessReading[];
  /** How many answered. */
  readonly answered: number;
}

/** The place of one worker: the process that has it, and how often it was lost of late. */
interface Slot {
  readonly index: number;
  child: WorkerProcess | undefined;
  /** The process that is starting for it. */
  next: WorkerProcess | undefined;
  readonly starts: InTurn;
  losses: number;
  restarting: ReturnType<typeof setTimeout> | undefined;
}

const CHECK_MS = 1_000;
/** A program may have much to do before it calls `start()`. */
const START_MS = 60_000;
/** Of workers that end before they listen, without an error. */
const ATTEMPTS = 3;
/** After a minute's health a loss counts as the first again. */
const HEALTHY_MS = 60_000;
const RESTART_BACKOFF = { minMs: 500, maxMs: 30_000 };

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #slots: readonly Slot[];
  /** Those that were sent the stop command. */
  readonly #leaving = new Set<WorkerProcess>();
  /** What those that start from now on run with. */
  assignment: Assignment;
  #heartbeatTimer: ReturnType<typeof setInterval> | undefined;
  #isStopping = false;
  readonly #replacements = new InTurn();

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.assignment = options.assignment;
    this.#slots = Array.from({ length: options.count }, (_, index) => ({
      index,
      child: undefined,
      next: undefined,
      starts: new InTurn(),
      losses: 0,
      restarting: undefined,
    }));
  }

  /** Resolves when all listen. Rejects with the error of the first that cannot; then none is left. */
  async start(): Promise<void> {
    this.#heartbeatTimer = setInterval(() => this.#checkHeartbeats(), CHECK_MS);
    try {
      await Promise.all(this.#slots.map((slot) => this.#startFirst(slot)));
    } catch (error) {
      for (const { next, child } of this.#slots) (next ?? child)?.kill();
      await this.stop();
      throw error;
    }
  }

  get pids(): readonly number[] {
    return this.#slots.flatMap(({ child }) => child?.pid ?? []);
  }

  /**
   * To every worker, as soon as it listens. Resolves with the sum of their answers. Those that start later run with
   * `assignment`, unless one refuses the command; then it throws that one's error.
   */
  async command(command: WorkerCommand, assignment = this.assignment): Promise<number> {
    const before = this.assignment;
    this.assignment = assignment;
    const children = this.#slots.flatMap(({ child, next }) => [child, next].filter((one) => one !== undefined));
    try {
      const counts = await Promise.all(children.map((child) => child.command(command)));
      return counts.reduce((sum, count) => sum + count, 0);
    } catch (error) {
      this.assignment = before;
      throw error;
    }
  }

  /**
   * Swaps the workers one by one: a new one starts and listens, then the old one drains. Where one cannot start, the old one
   * stays, and so do those after it; throws why. A call during a swap swaps them again when it is done.
   */
  replace(): Promise<void> {
    return this.#replacements.run(() => this.#replace());
  }

  async #replace(): Promise<void> {
    for (const slot of this.#slots) {
      let old: WorkerProcess | undefined;
      try {
        old = await this.#fill(slot);
      } catch (error) {
        // The old one may have died meanwhile.
        if (!slot.child) this.#restart(slot);
        throw error;
      }
      if (old && !old.hasExited) await this.#end(old);
    }
  }

  /** Asks every worker what it counted, and waits so long. */
  async readMetrics(withinMs: number): Promise<Readings> {
    const here = this.#slots.flatMap(({ child }) => (child ? [[child, String(child.info.index)] as const] : []));
    const leaving = [...this.#leaving].filter((child) => here.every(([one]) => one !== child));
    const all = [...here, ...leaving.map((child) => [child, `${child.info.index} leaving ${child.pid}`] as const)];
    const answers = await Promise.all(all.map(([child]) => child.readMetrics(withinMs)));
    return {
      now: () => all.filter(([child]) => !child.hasExited).map(([{ reading }, worker]) => ({ worker, reading })),
      answered: answers.slice(0, here.length).filter(Boolean).length,
    };
  }

  /** All drain at once. Resolves when none is left. Idempotent. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const { restarting } of this.#slots) clearTimeout(restarting);
    const children = this.#slots.flatMap(({ child, next }) => [child ?? [], next ?? []].flat());
    await Promise.all(children.map((child) => this.#end(child)));
    await Promise.all([...this.#leaving].map((child) => child.exited));
    clearInterval(this.#heartbeatTimer);
  }

  // ---- private

  async #startFirst(slot: Slot): Promise<void> {
    for (let attempt = 1; !this.#isStopping; attempt++) {
      try {
        await this.#fill(slot);
        return;
      } catch (error) {
        if (!(error instanceof ExitedEarly)) throw error;
        if (attempt >= ATTEMPTS) throw new Error(`Worker ${slot.index} does not start: ${error.message}.`);
      }
    }
  }

  /**
   * Starts a worker for the slot, which it takes as soon as it listens; until then the one that has it keeps it. Resolves with
   * that one. One at a time: of two, the first would have no slot.
   */
  #fill(slot: Slot): Promise<WorkerProcess | undefined> {
    return slot.starts.run(() => this.#take(slot));
  }

  async #take(slot: Slot): Promise<WorkerProcess | undefined> {
    if (this.#isStopping) throw new Error("The server stops, and starts no more workers.");
    clearTimeout(slot.restarting);
    const { server, count, attach } = this.#options;
    const place = { index: slot.index, count };
    const child = new WorkerProcess({ place, server, assignment: this.assignment, attach });
    slot.next = child;
    const ended = child.exited.then(() => this.#onExit(slot, child));
    const late = setTimeout(() => {
      const hint = "does the program call start() in every process?";
      this.#options.log.error(`worker ${slot.index} has not listened for ${START_MS / 1000} s: ${hint}`);
      child.kill();
    }, START_MS);
    try {
      await child.listening;
    } catch (error) {
      await ended;
      throw error;
    } finally {
      clearTimeout(late);
      slot.next = undefined;
    }
    const before = slot.child;
    slot.child = child;
    setTimeout(() => {
      if (slot.child === child && !child.hasExited) slot.losses = 0;
    }, HEALTHY_MS).unref();
    return before;
  }

  async #onExit(slot: Slot, child: WorkerProcess): Promise<void> {
    const { log } = this.#options;
    await child.session
      .detach()
      .catch((error) => log.error({ err: error }, `taking back what worker ${slot.index} had`));
    const wasMeantTo = this.#leaving.delete(child);
    if (slot.child !== child) return;
    slot.child = undefined;
    // Another is starting already, and what started it handles the rest.
    if (this.#isStopping || wasMeantTo || slot.next) return;
    const ended = await child.exited;
    // A worker that was asked to stop, by a signal or by its own program, has not failed.
    if (ended.code === 0) log.info(`worker ${slot.index} stopped: another takes its place`);
    else log.error(`worker ${slot.index} (process ${child.pid}) ended ${describeExit(ended)}: another takes its place`);
    this.#restart(slot);
  }

  /** The first time at once, then after longer and longer pauses. */
  #restart(slot: Slot): void {
    if (this.#isStopping) return;
    const pauseMs = slot.losses === 0 ? 0 : backoffMs(slot.losses - 1, RESTART_BACKOFF);
    slot.losses++;
    slot.restarting = setTimeout(async () => {
      // Another is starting already, and what started it handles the rest.
      if (this.#isStopping || slot.next) return;
      try {
        await this.#fill(slot);
        this.#options.log.info(`worker ${slot.index} listens again`);
      } catch (error) {
        if (this.#isStopping) return;
        const why = messageOf(error);
        this.#options.log.error(`worker ${slot.index} could not be started again: ${why}`);
        this.#restart(slot);
      }
    }, pauseMs);
  }

  async #end(child: WorkerProcess): Promise<void> {
    this.#leaving.add(child);
    child.stop();
    const late = setTimeout(() => {
      this.#options.log.error(`worker ${child.info.index} has not stopped in time, and is ended`);
      child.kill();
    }, this.#options.stopMs());
    await child.exited;
    clearTimeout(late);
  }

  /** Counted in looks, not in time: when this process itself was stopped for a while, no worker is to blame. */
  #checkHeartbeats(): void {
    const children = [...this.#slots.flatMap(({ child }) => child ?? []), ...this.#leaving];
    for (const child of children) {
      if (!child.isListening || child.hasExited) continue;
      child.missedHeartbeats++;
      if (child.missedHeartbeats * CHECK_MS <= this.#options.leaseS * 1000) continue;
      const { index } = child.info;
      this.#options.log.error(`worker ${index} (process ${child.pid}) hangs: silent for ${this.#options.leaseS} s`);
      child.kill();
    }
  }
}
