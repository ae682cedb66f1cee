/** Where log lines go, and how they look. */

import type { DestinationStream } from "pino";
import pretty from "pino-pretty";

/** Standard error: standard output is for what commands print. */
export function logStream(format: "auto" | "pretty" | "json"): DestinationStream {
  const isPretty = format === "pretty" || (format === "auto" && process.stderr.isTTY);
  if (!isPretty) return { write: (line) => void process.stderr.write(escaped(line)) };
  const stream = pretty({ sync: true, destination: 2, ignore: "pid,hostname", translateTime: "SYS:HH:MM:ss" });
  return { write: (line) => void stream.write(spelledOut(line)) };
}

/** JSON leaves the upper control characters as they are, and terminals obey them as they obey the escape character. */
function escaped(line: string): string {
  return line.replace(UPPER_CONTROLS, (character) => `\\u00${character.charCodeAt(0).toString(16)}`);
}

/** For people the escapes of JSON are undone; those of control characters stay, except for the line breaks of a stack. */
function spelledOut(line: string): string {
  return escaped(line).replace(ESCAPES, (sequence) => (CONTROL_ESCAPE.test(sequence) ? `\\${sequence}` : sequence));
}

const UPPER_CONTROLS = /[\u007f-\u009f]/g;
/** Taken one after the other, so that the second half of an escaped backslash begins nothing. */
const ESCAPES = /\\(?:u[0-9a-f]{4}|.)/gi;
const CONTROL_ESCAPE = /^\\(?:[bfrt]|u00(?:[01][0-9a-f]|7f|[89][0-9a-f]))$/i;
