/** A database's file that cannot be opened or written: for whoever runs the server, in a sentence with what to do. */

const NO_ROOM = /^(ENOSPC|EDQUOT|EFBIG|SQLITE_FULL|SQLITE_IOERR)/;
const NO_RIGHT = /^(EACCES|EPERM|EROFS|ENOTDIR|EEXIST|SQLITE_CANTOPEN|SQLITE_READONLY|SQLITE_PERM)/;

const MAKE_ROOM = "make room on its disk, or find out whether the disk fails";
const GIVE_RIGHTS =
  "give it and its folder to the user that the server runs as, or set database.url (or stateDir) to a place where that one may write";

export class FileError extends Error {
  override readonly name = "FileError";
  readonly file: string;
  readonly code: string;

  constructor(file: string, code: string, advice: string, cause: Error) {
    super(
      `the database's file ${file} cannot be written, and nothing is kept meanwhile (${cause.message}): ${advice}`,
      {
        cause,
      },
    );
    this.file = file;
    this.code = code;
  }
}

/** What is said of the file where it is the file's fault; anything else as it is. */
export function explainFileError(file: string, error: unknown): unknown {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return error;
  const { code } = error;
  if (NO_ROOM.test(code)) return new FileError(file, code, MAKE_ROOM, error);
  return NO_RIGHT.test(code) ? new FileError(file, code, GIVE_RIGHTS, error) : error;
}
