/** Where log lines go, and how they look. */

import { hostname } from "node:os";
import { resolve } from "node:path";
import pino, { type DestinationStream, type Logger } from "pino";
import { ConfigError, errorReason } from "../../config/config-error.ts";
import type { Config } from "../../config/schema/schema.ts";
import type { Clock } from "../../domain/ports.ts";
import { LogFile } from "./log-file.ts";

type LogSettings = Config["log"];

/** The least that goes to `log.errorFile`. */
const ERROR = "error";

export class Logs {
  readonly logger: Logger;
  readonly #files: readonly { readonly key: string; readonly path: string; readonly file: LogFile }[];

  /** Lines that another place gets as well, where that is wanted. */
  readonly #forwarded: ForwardedLines | undefined;

  /** Of one of several workers, lines carry its number; the files that they share are put aside by the first process alone. */
  constructor(given: LogSettings, clock: Clock, worker?: number, isForwarded = false) {
    const settings: LogSettings = worker === undefined ? given : { ...given, rotate: "none" };
    const { level, format, file, errorFile } = settings;
    const main = fileFor(settings, "file", file, clock);
    const errors = fileFor(settings, "errorFile", errorFile, clock);
    this.#files = [main, errors].filter((one) => one !== undefined);
    // At a terminal the lines are shown as well.
    const streams: { readonly level: "trace" | "error"; readonly stream: DestinationStream }[] = [
      ...(main ? [{ level: "trace", stream: main.stream } as const] : []),
      ...(main && !process.stderr.isTTY ? [] : [{ level: "trace", stream: standardError(format) } as const]),
      ...(errors ? [{ level: ERROR, stream: errors.stream } as const] : []),
    ];
    this.#forwarded = isForwarded ? new ForwardedLines() : undefined;
    if (this.#forwarded) streams.push({ level: "trace", stream: this.#forwarded });
    const [only, ...others] = streams;
    const stream = only && others.length === 0 ? only.stream : pino.multistream(streams);
    const base = { pid: process.pid, hostname: hostname(), ...(worker !== undefined && { worker }) };
    this.logger = pino({ level: pinoLevel(level), base }, stream);
  }

  /** Where lines go besides; those until then have waited. */
  forwardTo(write: ((line: string) => void) | undefined): void {
    this.#forwarded?.to(write);
  }

  /** Opens the files, so that one that cannot be written is reported before clients connect. Throws ConfigError. */
  open(): void {
    const problems = this.#files.flatMap(({ key, path, file }) => {
      try {
        file.open();
        return [];
      } catch (error) {
        return [`\`log.${key}\`: cannot write ${path}: ${errorReason(error)}; choose another place, or leave it out`];
      }
    });
    const [one, other] = this.#files;
    if (one && one.path === other?.path) problems.push("`log.file` and `log.errorFile` have to be two files");
    if (problems.length > 0) throw new ConfigError(problems);
  }

  /** Any name that the configuration takes. */
  set level(level: LogSettings["level"]) {
    this.logger.level = pinoLevel(level);
  }

  /** For a log that was renamed: what is written next is in a new file of the old name. */
  reopen(): void {
    for (const { file } of this.#files) file.reopen();
  }

  get hasFiles(): boolean {
    return this.#files.length > 0;
  }

  /** For files that workers write to as well: puts them aside when it is time. Call it every second or so. */
  rotateIfDue(): void {
    for (const { file } of this.#files) file.rotateIfDue();
  }

  /** Lets go of the files; a line that comes later opens them again. */
  close(): void {
    for (const { file } of this.#files) file.close();
  }
}

/** Lines that wait for the place that gets them as well. */
const MOST_WAITING = 1_000;

class ForwardedLines implements DestinationStream {
  readonly #waiting: string[] = [];
  #write: ((line: string) => void) | undefined;

  write(line: string): void {
    if (this.#write) this.#write(line);
    else if (this.#waiting.length < MOST_WAITING) this.#waiting.push(line);
  }

  to(write: ((line: string) => void) | undefined): void {
    this.#write = write;
    for (const line of this.#waiting.splice(0)) write?.(line);
  }
}

/** Other servers know the same levels by other names. */
function pinoLevel(level: LogSettings["level"]) {
  if (level === "warning") return "warn";
  return level === "notice" ? "info" : level;
}

function fileFor(settings: LogSettings, key: string, name: string | undefined, clock: Clock) {
  if (name === undefined) return undefined;
  // Once and for all: a program may change its folder.
  const path = resolve(name);
  const { rotate, maxBytes, keep, format } = settings;
  const ownLine = (level: number, fields: object) => `${JSON.stringify({ level, time: clock.wallMs(), ...fields })}\n`;
  const look = format === "pretty" ? forPeople() : escaped;
  const outside = standardError(format);
  const file = new LogFile({
    path,
    rotate,
    maxBytes,
    keep,
    clock,
    // At a terminal the line is there already.
    fallback: (line) => void (process.stderr.isTTY || key === "errorFile" ? undefined : process.stderr.write(line)),
    report: (level, msg) => outside.write(ownLine(level === "warn" ? 40 : 50, { msg })),
    formatNote: (msg, missing) => look(ownLine(40, { missing, msg })),
  });
  return { key, path, file, stream: { write: (line: string) => file.write(look(line)) } };
}

/** Standard error: standard output is for what commands print. */
function standardError(format: LogSettings["format"]): DestinationStream {
  const isPretty = format === "pretty" || (format === "auto" && process.stderr.isTTY);
  if (!isPretty) return { write: (line) => void process.stderr.write(escaped(line)) };
  const pretty = loadPretty();
  const stream = pretty({ ...PRETTY, sync: true, destination: 2 });
  return { write: (line) => void stream.write(spelledOut(line)) };
}

function forPeople(): (line: string) => string {
  const { prettyFactory } = loadPretty();
  const format = prettyFactory({ ...PRETTY, translateTime: "SYS:yyyy-mm-dd HH:MM:ss", colorize: false });
  return (line) => format(spelledOut(line)) ?? "";
}

/** A server that writes JSON does without it. */
function loadPretty(): typeof import("pino-pretty") {
  return require("pino-pretty");
}

const PRETTY = {
  ignore: "pid,hostname,worker",
  messageFormat: "{if worker}[{worker}] {end}{msg}",
  translateTime: "SYS:HH:MM:ss",
};

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
