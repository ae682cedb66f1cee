/** Where log lines go, and how they look. */

import type { DestinationStream } from "pino";
import pretty from "pino-pretty";

/** Standard error: standard output is for what commands print. */
export function logStream(format: "auto" | "pretty" | "json"): DestinationStream {
  const isPretty = format === "pretty" || (format === "auto" && process.stderr.isTTY);
  if (isPretty) return pretty({ sync: true, destination: 2, ignore: "pid,hostname", translateTime: "SYS:HH:MM:ss" });
  return { write: (line) => void process.stderr.write(line) };
}
