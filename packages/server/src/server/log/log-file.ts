/**
 * A log file: lines are in it when `write` returns, it turns over by day or by size, and a file that cannot be written
 * loses nothing but its own lines, which go elsewhere and are counted.
 *
 * Why not a library: rotating-file-stream and pino-roll write later, so that a crash or an exit loses the last lines (the
 * former lost all of them); pino-roll's newest file has another name than the one that was asked for; sonic-boom keeps what
 * a full disk does not take in memory without end; and none of them sees that its file was taken away.
 */

import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import type { Clock } from "../../domain/ports.ts";
import { messageOf } from "../../domain/thrown.ts";

export interface LogFileOptions {
  readonly path: string;
  readonly rotate: "daily" | "size" | "none";
  /** Where `rotate` is "size": a file that would grow beyond it is put aside first. */
  readonly maxBytes: number;
  /** Most files put aside that are kept. */
  readonly keep: number;
  readonly clock: Clock;
  /** Takes the lines that the file does not. */
  readonly fallback: (line: string) => void;
  /** Says something about the file itself, outside of it. */
  readonly report: (level: "warn" | "error", message: string) => void;
  /** Makes a line of the file's own, for lines that are missing in it. */
  readonly formatNote: (message: string, missing: number) => string;
}

interface Opened {
  readonly fd: number;
  readonly dev: number;
  readonly ino: number;
  /** Pipes and devices cannot be put aside. */
  readonly isRegular: boolean;
  readonly day: string;
  size: number;
}

/** How often the path is looked at, and a file that failed is tried again. */
const LOOK_MS = 1_000;
/** How long a file goes on growing when it could not be put aside. */
const ROTATE_AGAIN_MS = 60_000;
/** Others than the owner and its group have no business in a log. */
const FILE_MODE = 0o640;
/** Not blocking: a named pipe without a reader must not stop the server. */
const FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NONBLOCK;

export class LogFile {
  readonly #options: LogFileOptions;
  #file: Opened | undefined;
  /** Lines since the file could last be written. */
  #missing = 0;
  /** The last line in the file lacks its end. */
  #isTorn = false;
  #lookAtMs = Number.NEGATIVE_INFINITY;
  #retryAtMs = Number.NEGATIVE_INFINITY;
  #rotateAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: LogFileOptions) {
    this.#options = options;
  }

  /** Makes the folder and the file. Throws what the system says where it cannot. */
  open(): void {
    if (this.#file) return;
    const { path, clock } = this.#options;
    mkdirSync(dirname(path), { recursive: true });
    const fd = openSync(path, FLAGS, FILE_MODE);
    const stats = fstatSync(fd);
    const { dev, ino, size, mtimeMs } = stats;
    const isRegular = stats.isFile();
    const day = dayOf(size > 0 && isRegular ? mtimeMs : clock.wallMs());
    this.#file = { fd, dev, ino, isRegular, day, size };
    this.#lookAtMs = clock.monotonicMs() + LOOK_MS;
    if (size === 0) this.#isTorn = false;
  }

  /** One line or several, each with its end. Never throws. */
  write(lines: string): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#missing > 0 && nowMs < this.#retryAtMs) return this.#miss(lines);
    try {
      this.#look(nowMs);
      this.#rotate(Buffer.byteLength(lines), nowMs);
      this.#put(lines);
    } catch (error) {
      this.#fail(lines, error, nowMs);
    }
  }

  /**
   * Puts the file aside where it is time, though there is nothing to write: others write to it as well, and do not. Call it every
   * second or so. Never throws.
   */
  rotateIfDue(): void {
    const nowMs = this.#options.clock.monotonicMs();
    try {
      this.#look(nowMs);
      // One that is not there yet is made with its first line.
      if (!this.#file && !existsSync(this.#options.path)) return;
      this.open();
      if (this.#file) this.#file.size = fstatSync(this.#file.fd).size;
      this.#rotate(0, nowMs);
    } catch {
      // Writing the next line reports the error.
    }
  }

  /** Lets go of the file, for one that was renamed; the next line opens it by its name. */
  reopen(): void {
    this.close();
    this.#retryAtMs = Number.NEGATIVE_INFINITY;
  }

  close(): void {
    const file = this.#file;
    this.#file = undefined;
    if (!file) return;
    try {
      closeSync(file.fd);
    } catch {
      // A file that cannot even be closed is gone.
    }
  }

  #put(lines: string): void {
    this.open();
    const missing = this.#missing;
    const text = missing > 0 ? this.#options.formatNote(sentence(missing), missing) + lines : lines;
    // Counted only when it is written: half of it may still fail.
    this.#append(this.#isTorn ? `\n${text}` : text);
    this.#isTorn = false;
    if (missing === 0) return;
    this.#missing = 0;
    this.#options.report("warn", `the log file ${this.#options.path} can be written again; ${sentence(missing)}`);
  }

  #append(text: string): void {
    const file = this.#file;
    if (!file) return;
    const bytes = Buffer.from(text);
    let written = 0;
    while (written < bytes.length) {
      const more = writeSync(file.fd, bytes, written);
      written += more;
      file.size += more;
      if (written < bytes.length) this.#isTorn = true;
    }
  }

  /** Now and then: is what the path names still what is written to? It may have been moved or deleted. */
  #look(nowMs: number): void {
    const file = this.#file;
    if (!file || nowMs < this.#lookAtMs) return;
    this.#lookAtMs = nowMs + LOOK_MS;
    if (file.isRegular && !this.#isStillThere(file)) this.close();
  }

  #isStillThere({ dev, ino }: Opened): boolean {
    const there = statSync(this.#options.path, { throwIfNoEntry: false });
    return there?.ino === ino && there.dev === dev;
  }

  #rotate(more: number, nowMs: number): void {
    const { path, rotate, maxBytes, keep, clock } = this.#options;
    if (rotate === "none" || nowMs < this.#rotateAtMs) return;
    this.open();
    const file = this.#file;
    if (!file?.isRegular) return;
    const today = dayOf(clock.wallMs());
    if (rotate === "daily" ? file.day === today : file.size + more <= maxBytes) return;
    // An empty file has nothing to put aside, and another process may have done it already.
    const isOurs = file.size > 0 && this.#isStillThere(file);
    try {
      if (isOurs) {
        renameSync(path, nextName(path, rotate === "daily" ? file.day : today));
        prune(path, keep);
      }
    } catch (error) {
      this.#rotateAtMs = nowMs + ROTATE_AGAIN_MS;
      return this.#options.report(
        "error",
        `the log file ${path} cannot be put aside, and goes on: ${messageOf(error)}`,
      );
    }
    if (file.size > 0) return this.close();
    this.#file = { ...file, day: today };
  }

  #fail(lines: string, error: unknown, nowMs: number): void {
    const { path, report: say } = this.#options;
    if (this.#missing === 0) {
      say("error", `the log file ${path} cannot be written, and lines come here until it can: ${messageOf(error)}`);
    }
    this.#miss(lines);
    // What is opened anew may be a disk that was mounted again, or a file on another.
    this.close();
    this.#retryAtMs = nowMs + LOOK_MS;
  }

  #miss(lines: string): void {
    this.#missing += 1;
    this.#options.fallback(lines);
  }
}

function sentence(missing: number): string {
  return `${missing} ${missing === 1 ? "line is" : "lines are"} missing in it`;
}

/** One that was put aside: `fanfare-2026-03-01.log` after `fanfare.log`. */
interface RotatedFile {
  readonly name: string;
  readonly day: string;
  /** The second of a day is 1. */
  readonly number: number;
}

/** The local date: 2026-03-01. */
function dayOf(wallMs: number): string {
  const date = new Date(wallMs);
  const [month, day] = [date.getMonth() + 1, date.getDate()].map((part) => String(part).padStart(2, "0"));
  return `${date.getFullYear()}-${month}-${day}`;
}

/** A path that no file has yet, after all others of that day. */
function nextName(path: string, day: string): string {
  const last = rotatedFilesOf(path).findLast((one) => one.day === day);
  const { stem, extension } = parts(path);
  return join(dirname(path), `${stem}-${day}${last ? `.${last.number + 1}` : ""}${extension}`);
}

/** Deletes all but the newest. */
function prune(path: string, keep: number): void {
  const aside = rotatedFilesOf(path);
  for (const { name } of aside.slice(0, Math.max(0, aside.length - keep))) {
    rmSync(join(dirname(path), name), { force: true });
  }
}

/** Oldest first. */
function rotatedFilesOf(path: string): RotatedFile[] {
  const { stem, extension } = parts(path);
  const found = readdirSync(dirname(path)).flatMap((name) => {
    if (!name.startsWith(`${stem}-`) || !name.endsWith(extension)) return [];
    const middle = MIDDLE.exec(name.slice(stem.length + 1, name.length - extension.length));
    return middle ? [{ name, day: middle[1] ?? "", number: Number(middle[2] ?? 0) }] : [];
  });
  return found.sort((a, b) => (a.day === b.day ? a.number - b.number : a.day < b.day ? -1 : 1));
}

const MIDDLE = /^(\d{4,}-\d\d-\d\d)(?:\.(\d+))?$/;

function parts(path: string): { stem: string; extension: string } {
  const extension = extname(path);
  return { stem: basename(path, extension), extension };
}
