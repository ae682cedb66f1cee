/** Claims a path for one process: of several that start at once one gets it, and what a dead process left is removed. */

import { randomBytes } from "node:crypto";
import { linkSync, lstatSync, renameSync, rmSync } from "node:fs";
import { codeOf } from "../../domain/thrown.ts";

const ATTEMPTS = 5;

/** A name beside the path, to make the file under before the path is claimed. */
export function draftPath(path: string): string {
  return `${path}.${process.pid}.${randomBytes(4).toString("hex")}`;
}

/** Links the draft to the path, which fails where the name is taken. `checkOwner` throws where a living process has it. */
export async function claimPath(draft: string, path: string, checkOwner: () => Promise<void> | void): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const found = fileIdOf(path);
    if (found !== undefined) {
      await checkOwner();
      removeStale(path, found);
    } else if (tryLink(draft, path)) return;
  }
  throw new Error(`${path} is being taken again and again`);
}

/** Which file is there. With its time, since the number of one that is deleted is given again. */
export function fileIdOf(path: string): string | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat && `${stat.ino} ${stat.mtimeMs}`;
}

function tryLink(draft: string, path: string): boolean {
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

/** Moved before it is deleted: a process that took the path in the meantime gets it back. */
function removeStale(path: string, fileId: string): void {
  const moved = draftPath(path);
  try {
    renameSync(path, moved);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return;
    throw error;
  }
  if (fileIdOf(moved) !== fileId) tryLink(moved, path);
  rmSync(moved, { force: true });
}
