/** A crowd of listeners in a process of its own, what it says of itself, and those who speak to it. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type CliProcess, spawnCli } from "../support/process.ts";
import { signedFetch } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const PROGRAM = join(import.meta.dir, "programs", "crowd.ts");

export interface CrowdSettings {
  readonly count: number;
  /** The n-th listener is in the n-th of them, and then again from the first. */
  readonly channels: readonly string[];
  /** Of all of them, from 0 to 1; the others are native clients. */
  readonly pusherShare: number;
  /** Where they connect, and where they come back to. */
  readonly first: string;
  readonly later: string;
}

export interface CrowdReport {
  /** By channel, what a native client heard. */
  readonly heard: Readonly<Record<string, readonly string[]>>;
  /** Native clients that heard anything else than that. */
  readonly heardOtherwise: number;
  /** What was heard twice, or after what came later, by anybody. */
  readonly disordered: readonly string[];
  readonly codes: readonly number[];
  readonly neverAway: number;
  /** Every absence of everybody, the shortest first. */
  readonly awayMs: readonly number[];
  /** Those that missed something more often than they were away. */
  readonly holed: number;
  readonly gaps: number;
  /** Native clients that were not told at each return that nothing is missing. */
  readonly unrecovered: number;
}

export class Crowd {
  readonly #child: CliProcess;
  readonly #folder: string;
  #reports = 0;

  constructor(child: CliProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
  }

  /** Resolves when each of them has come back so often. */
  async back(times: number, timeoutMs: number): Promise<void> {
    await this.#child.prints(new RegExp(`^back ${times}$`, "m"), timeoutMs);
  }

  async report(): Promise<CrowdReport> {
    this.#child.signal("SIGUSR2");
    await this.#child.prints(new RegExp(`^reported ${++this.#reports}$`, "m"), 30_000);
    return JSON.parse(readFileSync(join(this.#folder, "report.json"), "utf8"));
  }
}

/** Resolves when all are subscribed. Ends with the test. */
export async function startCrowd(settings: CrowdSettings): Promise<Crowd> {
  const cwd = temporaryFolder();
  const env = { CROWD: JSON.stringify(settings) };
  const child = spawnCli([PROGRAM], { program: [process.execPath], cwd, env });
  await child.prints(/^ready$/m, 120_000);
  return new Crowd(child, cwd);
}

const BATCH = 10;
/** Publications a second of one source, which waits for each answer. */
const PER_SOURCE = 25;

/** `pa` to `pz`, `qa` and so on. */
const nameOf = (n: number) => String.fromCharCode(112 + Math.floor(n / 26), 97 + (n % 26));

/** Says so many numbers a second through the HTTP API, ten in each call, to each channel in its turn, until it is stopped. */
export class Press {
  /** What was answered 200, by channel. */
  readonly accepted = new Map<string, string[]>();
  /** What a call was answered otherwise, or why it was not answered. */
  readonly refused: string[] = [];
  count = 0;
  #isOver = false;
  readonly #done: Promise<unknown>;

  constructor(url: string, channels: readonly string[], perSecond: number) {
    const names = Array.from({ length: Math.ceil(perSecond / PER_SOURCE) }, (_, n) => nameOf(n));
    const pauseMs = (1_000 * BATCH * names.length) / perSecond;
    this.#done = Promise.all(names.map((name) => this.#run(name, url, channels, pauseMs)));
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }

  /** One call after the other, so that each source has an order of its own. */
  async #run(name: string, url: string, channels: readonly string[], pauseMs: number): Promise<void> {
    for (let first = 0; !this.#isOver; first += BATCH) {
      const beganMs = performance.now();
      const said = Array.from({ length: BATCH }, (_, n) => ({
        channel: channels[(first + n) % channels.length] ?? "",
        data: `${name}-${first + n}`,
      }));
      await this.#say(url, said);
      await Bun.sleep(Math.max(0, pauseMs - (performance.now() - beganMs)));
    }
  }

  async #say(url: string, said: readonly { readonly channel: string; readonly data: string }[]): Promise<void> {
    try {
      const batch = said.map((each) => ({ name: "e", ...each }));
      const answer = await signedFetch(url, APP, "POST", "/batch_events", { body: { batch } });
      await answer.arrayBuffer();
      if (answer.status !== 200) return void this.refused.push(String(answer.status));
    } catch (error) {
      return void this.refused.push(String(error));
    }
    this.count += said.length;
    for (const { channel, data } of said) {
      const accepted = this.accepted.get(channel) ?? [];
      this.accepted.set(channel, accepted);
      accepted.push(data);
    }
  }
}
