/** A container as `docker run --network host` starts it, with what deploy/compose.yaml asks for besides; by runc alone, without a daemon. */

import { chmodSync, chownSync, cpSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { atEnd } from "../support/at-end.ts";
import { external } from "../support/external.ts";
import { type CliProcess, runCli, spawnCli } from "../support/process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import type { Image } from "./image.ts";

const RUNC = external("runc");
/** Of all containers: it is there until the last one is gone. */
const STATE = temporaryFolder();

export interface ContainerOptions {
  readonly env: Readonly<Record<string, string>>;
  /** By the folder's path inside: the folder outside. */
  readonly volumes: Readonly<Record<string, string>>;
}

export interface Container {
  readonly process: CliProcess;
  /** Of its first process, as this machine counts. */
  pid(): Promise<number>;
  /** A command inside, as a health check or `docker exec` runs it. */
  exec(
    words: readonly string[],
  ): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>;
}

/** A new volume has what the image has in its place, and belongs to the same user. */
export function makeVolume(image: Image, path: string): string {
  const inside = join(image.mount(), path);
  const volume = temporaryFolder();
  cpSync(inside, volume, { recursive: true });
  const { uid, gid, mode } = statSync(inside);
  chownSync(volume, uid, gid);
  chmodSync(volume, mode);
  return volume;
}

let count = 0;

/** Its output is the container's, and a signal to it one to the container's first process. */
export function runContainer(image: Image, { env, volumes }: ContainerOptions): Container {
  const bundle = temporaryFolder();
  const [uid, gid] = image.config.User.split(":").map(Number);
  const spec = {
    ociVersion: "1.0.2",
    process: {
      args: [...image.config.Entrypoint, ...image.config.Cmd],
      env: Object.entries({ ...environmentOf(image), ...env }).map(([name, value]) => `${name}=${value}`),
      cwd: "/",
      user: { uid, gid },
      // `cap_drop: [ALL]`, `no-new-privileges`.
      capabilities: {},
      noNewPrivileges: true,
    },
    // `read_only: true`.
    root: { path: image.mount(), readonly: true },
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755", "size=65536k"] },
      { destination: "/dev/shm", type: "tmpfs", source: "shm", options: ["nosuid", "noexec", "nodev", "mode=1777"] },
      { destination: "/sys", type: "bind", source: "/sys", options: ["rbind", "ro"] },
      ...Object.entries(volumes).map(([destination, source]) => ({
        ...{ destination, source, type: "bind", options: ["rbind", "rw"] },
      })),
    ],
    linux: { namespaces: ["pid", "ipc", "uts", "mount"].map((type) => ({ type })) },
  };
  writeFileSync(join(bundle, "config.json"), JSON.stringify(spec));
  const id = `fanfare-${process.pid}-${count++}`;
  const runc = { program: [RUNC, "--root", STATE] as const };
  atEnd(() => runCli(["delete", "--force", id], runc));
  return {
    process: spawnCli(["run", "--bundle", bundle, id], runc),
    pid: async () => JSON.parse((await runCli(["state", id], runc)).stdout).pid,
    exec: (words) => runCli(["exec", id, ...words], runc),
  };
}

export function environmentOf({ config }: Image): Record<string, string> {
  return Object.fromEntries(
    config.Env.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]),
  );
}
