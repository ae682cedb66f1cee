/** What the system says of this machine: its addresses in the network, and how many files a process may have open. */

import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";

/** Whether it stands for every address of the machine. */
export function isEverywhere(host: string): boolean {
  return host === "0.0.0.0" || host === "::" || host === "[::]";
}

/** The machine's addresses in the local network. */
export function networkAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family, internal }) => family === "IPv4" && !internal)
    .map(({ address }) => address);
}

/** How many files the process may have open, which bounds its connections. Infinity where the system does not say. */
export function openFileLimit(): number {
  try {
    const line = /^Max open files\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
    return line === undefined || line === "unlimited" ? Number.POSITIVE_INFINITY : Number(line);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
