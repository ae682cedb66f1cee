/** When a command has to stop, or to reload: by a signal, or because its terminal or what started it is gone. */

import { closeSync, openSync } from "node:fs";
import { isatty } from "node:tty";
import { onStopSignal } from "../../server/lifecycle/signals.ts";
import { commandLineOf, parentOf } from "./processes.ts";

export interface Signals {
  /** SIGHUP, unless the terminal is gone. */
  readonly onReload: () => void;
  /** It runs in the background: what started it may end. */
  readonly isDaemon?: boolean;
}

/** Resolves at the first SIGINT or SIGTERM, or when the terminal or what started this is gone; a second one ends it at once. */
export function stopRequested({ onReload, isDaemon = false }: Signals): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let isStopping = false;
  const stop = () => {
    isStopping = true;
    resolve();
  };
  onStopSignal(stop);
  // SIGHUP says both "the terminal is gone" and "read your configuration". The first does not matter to what uses no terminal:
  // `nohup` sees to that. (That it has the signal ignored as well is lost, since Node sets every signal back at its start.)
  const usesTerminal = hasTerminal() && [0, 1, 2].some(isatty);
  process.on("SIGHUP", () => {
    if (usesTerminal && !hasTerminal()) stop();
    else if (!isStopping) onReload();
  });
  if (!isDaemon) onOrphaned(stop);
  return promise;
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false;
  }
}

/** Set by `bin/fanfare.js` to its own process id. */
const LAUNCHER = "_FANFARE_LAUNCHER";

/** For the environment of a server that has to stop when this process is gone. */
export const STOP_WITH_THIS_PROCESS = { [LAUNCHER]: String(process.pid) };

const CHECK_MS = 1_000;
/** What npm runs in the background is meant to outlive it. */
const IN_BACKGROUND = /(^|\s)(nohup|setsid)\s|(^|[^&>])&([^&>]|$)/;
const PACKAGE_MANAGER = /(^|[/\s])(npm|npx|pnpm|pnpx|yarn|npm-cli\.js|npx-cli\.js)(\s|$|\.)/;

interface ProcessLink {
  readonly child: number;
  readonly parent: number;
}

/**
 * Calls back once, when a process that started this one is gone: `bin/fanfare.js` or `fanfare cluster up`, or the npm that ran it. A
 * service manager, a shell or `nohup` may end without ending what it has started; those may not, since nothing else knows of it.
 */
export function onOrphaned(callBack: () => void): void {
  const links = linksToWatch();
  if (links.length === 0) return;
  const timer = setInterval(() => {
    const broken = links.find(({ child, parent }) => parentOf(child) !== parent);
    if (!broken) return;
    clearInterval(timer);
    process.stderr.write(`fanfare: process ${broken.parent}, which started this one, is gone: stopping\n`, () => {});
    callBack();
  }, CHECK_MS);
  timer.unref();
}

function linksToWatch(): ProcessLink[] {
  const launcher = Number(process.env[LAUNCHER]);
  delete process.env[LAUNCHER];
  const own = launcher === process.ppid ? [{ child: process.pid, parent: launcher }] : [];
  return [...own, ...linksToNpm(own.at(-1)?.parent ?? process.pid)];
}

/** npm starts a shell, and the shell this; some shells become what they start. */
function linksToNpm(from: number): ProcessLink[] {
  const { npm_lifecycle_event: event, npm_lifecycle_script: script = "" } = process.env;
  if (!event || IN_BACKGROUND.test(script)) return [];
  const links: ProcessLink[] = [];
  let child = from;
  for (let step = 0; step < 2; step++) {
    const parent = parentOf(child);
    if (parent === undefined) return links;
    links.push({ child, parent });
    const line = commandLineOf(parent);
    if (line === undefined || PACKAGE_MANAGER.test(line)) return links;
    child = parent;
  }
  return [];
}
