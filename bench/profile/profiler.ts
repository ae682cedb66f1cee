/** Bun's profiler inside a process of the bench: starts it, and says what it saw together with what the kernel counted meanwhile. */

import { readdirSync } from "node:fs";
import { type Profiler, Session } from "node:inspector";
import { runsOf, sleepsOf } from "../cpu.ts";

export interface Profile {
  /** As developer tools of browsers open it. */
  readonly cpu: Profiler.Profile;
  /** Which share of the main thread's time is JavaScript, and what it calls. The rest is Bun itself and the kernel. */
  readonly jsShare: number;
}

/** Shorter, and the profiler takes more of the time than it is worth. */
const INTERVAL_US = 400;
/** The profiler's thread has begun by then. */
const BEGIN_MS = 20;
/** Each look at a thread that runs JavaScript waits twice for it: once to stop it, once to let it go. */
const SLEEPS_PER_SAMPLE = 2;

interface Begun {
  readonly session: Session;
  /** The profiler's thread. */
  readonly sampler: string;
  readonly sleeps: number;
  readonly atMs: number;
  readonly busyUs: number;
}

let begun: Begun | undefined;
let sampler: string | undefined;

/** The number of the profiler's thread. */
export async function startProfile(): Promise<number> {
  const session = new Session();
  session.connect();
  await ask(session, "Profiler.enable");
  await ask(session, "Profiler.setSamplingInterval", { interval: INTERVAL_US });
  const before = new Set(threads());
  await ask(session, "Profiler.start");
  await Bun.sleep(BEGIN_MS);
  sampler ??= threads().find((thread) => !before.has(thread));
  if (sampler === undefined) throw new Error("The profiler has no thread.");
  begun = { session, sampler, sleeps: sleepsOf(process.pid, sampler), atMs: performance.now(), busyUs: busyUs() };
  return Number(sampler);
}

export async function stopProfile(): Promise<Profile> {
  if (!begun) throw new Error("No profile was started.");
  const { session, sleeps, atMs } = begun;
  const slept = sleepsOf(process.pid, begun.sampler) - sleeps;
  const tookUs = (performance.now() - atMs) * 1000;
  const mainUs = busyUs() - begun.busyUs;
  const { profile } = (await ask(session, "Profiler.stop")) as { profile: Profiler.Profile };
  session.disconnect();
  begun = undefined;
  const samples = profile.samples?.length ?? 0;
  // The profiler only sees JavaScript: how often it looked in vain is how often its thread slept beyond that.
  const looks = slept - SLEEPS_PER_SAMPLE * samples;
  return { cpu: profile, jsShare: Math.min(1, ((samples / looks) * tookUs) / mainUs) };
}

function ask(session: Session, method: string, params: object = {}): Promise<unknown> {
  return new Promise((resolve, reject) => {
    session.post(method, params, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
}

function threads(): readonly string[] {
  return readdirSync("/proc/self/task");
}

/** How long the main thread ran or waited for a core. */
function busyUs(): number {
  const { ranUs, waitedUs } = runsOf(process.pid, String(process.pid));
  return ranUs + waitedUs;
}
