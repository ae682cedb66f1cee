/** How much memory the kernel lets this process's group have: what a container's limit is from inside. */

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Version 1 spells "no limit" as a number near 2^63. */
const NO_LIMIT = 2 ** 60;

/** The least of the limits of the group and of those it is in, in bytes; undefined where there is none. */
export function cgroupMemoryLimit(root = "/"): number | undefined {
  const groups = textOf(join(root, "proc/self/cgroup")) ?? "";
  const limits = groups.split("\n").flatMap((line) => limitsOf(root, line));
  return limits.length === 0 ? undefined : Math.min(...limits);
}

/** `0::/path` of version 2, `4:memory:/path` of version 1. */
function limitsOf(root: string, line: string): number[] {
  const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
  if (path === undefined) return [];
  if (controllers === "") return limitsUpwards(join(root, "sys/fs/cgroup"), path, "memory.max");
  if (!controllers?.split(",").includes("memory")) return [];
  return limitsUpwards(join(root, "sys/fs/cgroup/memory"), path, "memory.limit_in_bytes");
}

/** In a container the path may be the host's, and only the root is there. */
function limitsUpwards(mount: string, path: string, file: string): number[] {
  const limits: number[] = [];
  for (let folder = path; ; folder = dirname(folder)) {
    const bytes = Number.parseInt(textOf(join(mount, folder, file)) ?? "", 10);
    if (bytes > 0 && bytes < NO_LIMIT) limits.push(bytes);
    if (folder === "/") return limits;
  }
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
