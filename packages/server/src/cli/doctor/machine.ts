/** Checks of the machine: the runtime, open files, the folder for state, the clock. */

import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import manifest from "../../../package.json" with { type: "json" };
import { errorReason } from "../../config/config-error.ts";
import type { Config } from "../../config/load.ts";
import { codeOf } from "../../domain/thrown.ts";
import { openFileLimit } from "../../server/system/machine.ts";
import { type Finding, findings } from "./finding.ts";

export function checkRuntime(version = Bun.version, tested = manifest.dependencies.bun): Finding {
  const { ok, warning, problem } = findings("runtime");
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [testedMajor = 0, testedMinor = 0] = tested.split(".").map(Number);
  const isOlder = major < testedMajor || (major === testedMajor && minor < testedMinor);
  const install = "run it by `npx fanfare`, which brings its own Bun, or install that version";
  if (isOlder) return problem(`Bun ${version} is older than ${tested}, which Fanfare is made for`, install);
  if (major > testedMajor)
    return warning(`Bun ${version} is a new major version; Fanfare was tested with ${tested}`, install);
  return ok(`Bun ${version}`);
}

/** Descriptors that are not connections: listening sockets, logs, files, API calls. */
const RESERVED_FILES = 64;

export function checkFiles(config: Config, isChosen: boolean, limit = openFileLimit()): Finding {
  const { ok, warning } = findings("files");
  const wanted = config.limits.connections;
  if (limit === Number.POSITIVE_INFINITY) return ok("the system sets no limit of open files");
  const room = Math.max(1, limit - RESERVED_FILES);
  if (room >= wanted) return ok(`${limit} open files are allowed, enough for ${wanted} connections`);
  const says = `${limit} open files are allowed, which leaves room for ${room} connections`;
  const isEnough = !isChosen && room >= FEW_CONNECTIONS;
  if (isEnough) return ok(`${says}; raise it for more (\`ulimit -n\`, or LimitNOFILE= of systemd)`);
  const raise = `raise the limit to ${wanted + RESERVED_FILES} (\`ulimit -n\`, LimitNOFILE= of systemd, --ulimit nofile= of Docker)`;
  return warning(`${says}, but limits.connections is ${wanted}`, `${raise}, or lower limits.connections`);
}

/** A limit below this was not chosen for a server. */
const FEW_CONNECTIONS = 4096;

/** Nothing is made: the folder, or the one it would be made in, has to be one that can be written to. */
export async function checkStateDir(config: Config, cwd: string): Promise<Finding> {
  const { ok, warning, problem } = findings("state");
  const folder = resolve(cwd, config.stateDir);
  const reason = await whyNotWritable(folder);
  if (reason === undefined) return ok(`${config.stateDir} can be written to`);
  const says = `${config.stateDir} cannot be written to: ${reason}`;
  const change = "name another folder with stateDir (FANFARE_STATE_DIR), or let this user write to it";
  const isNeeded = config.apps.length === 0;
  return isNeeded ? problem(`${says}; the demo app is kept there`, change) : warning(says, change);
}

async function whyNotWritable(folder: string): Promise<string | undefined> {
  try {
    if (!(await stat(folder)).isDirectory()) return "it is a file";
    await access(folder, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    const isMissing = codeOf(error) === "ENOENT";
    return isMissing && dirname(folder) !== folder ? whyNotWritable(dirname(folder)) : errorReason(error);
  }
}

/** When this was written; no clock that is right says less. */
const LEAST_WALL_MS = Date.UTC(2025, 0, 1);
const WATCH_MS = 50;
const MOST_JUMP_MS = 500;

/** `dateHeader` is what a running server says the time is. */
export async function checkClock(dateHeader: string | null, windowS: number): Promise<Finding[]> {
  const [wallBefore, steadyBefore] = [Date.now(), performance.now()];
  await Bun.sleep(WATCH_MS);
  const elapsed = { wallMs: Date.now() - wallBefore, steadyMs: performance.now() - steadyBefore };
  return [...clockFindings(Date.now(), elapsed), ...offsetFindings(dateHeader, Date.now(), windowS)];
}

const SYNCHRONISE = "synchronise the clock (`timedatectl set-ntp true`, chrony); signatures and tokens depend on it";

export function clockFindings(
  wallMs: number,
  elapsed: { readonly wallMs: number; readonly steadyMs: number },
): Finding[] {
  const { ok, warning, problem } = findings("clock");
  const now = `${new Date(wallMs).toISOString().slice(0, 19)}Z`;
  if (elapsed.steadyMs <= 0)
    return [problem("the steady clock stands still or goes backwards", "restart the machine; its timer is broken")];
  if (wallMs < LEAST_WALL_MS) return [problem(`the clock says ${now}, which is long ago`, SYNCHRONISE)];
  const jumpMs = Math.abs(elapsed.wallMs - elapsed.steadyMs);
  if (jumpMs > MOST_JUMP_MS)
    return [warning(`the clock jumped by ${Math.round(jumpMs)} ms while it was watched`, SYNCHRONISE)];
  return [ok(`the clock says ${now}`)];
}

/** The header counts whole seconds, and the answer took a moment. */
const MOST_OFFSET_S = 5;

export function offsetFindings(dateHeader: string | null, nowMs: number, windowS: number): Finding[] {
  const { ok, warning, problem } = findings("clock");
  const theirsMs = dateHeader === null ? Number.NaN : Date.parse(dateHeader);
  if (Number.isNaN(theirsMs)) return [];
  const offsetS = Math.round((theirsMs - nowMs) / 1000);
  const says = `the server's clock is ${Math.abs(offsetS)} s ${offsetS < 0 ? "behind" : "ahead of"} this one`;
  if (Math.abs(offsetS) > windowS) return [problem(`${says}: signed calls from here are refused`, SYNCHRONISE)];
  if (Math.abs(offsetS) > MOST_OFFSET_S) return [warning(says, SYNCHRONISE)];
  return [ok("the server's clock agrees with this one")];
}
