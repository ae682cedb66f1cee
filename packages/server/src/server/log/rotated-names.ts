/** What log files that were put aside are called, `fanfare-2026-03-01.log` after `fanfare.log`, and which of them stay. */

import { readdirSync, rmSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";

interface RotatedFile {
  readonly name: string;
  readonly day: string;
  /** The second of a day is 1. */
  readonly number: number;
}

/** The local date: 2026-03-01. */
export function dayOf(wallMs: number): string {
  const date = new Date(wallMs);
  const [month, day] = [date.getMonth() + 1, date.getDate()].map((part) => String(part).padStart(2, "0"));
  return `${date.getFullYear()}-${month}-${day}`;
}

/** A path that no file has yet, after all others of that day. */
export function nextName(path: string, day: string): string {
  const last = rotatedFilesOf(path).findLast((one) => one.day === day);
  const { stem, extension } = parts(path);
  return join(dirname(path), `${stem}-${day}${last ? `.${last.number + 1}` : ""}${extension}`);
}

/** Deletes all but the newest. */
export function prune(path: string, keep: number): void {
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
