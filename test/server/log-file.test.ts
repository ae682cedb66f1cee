/** A log file through midnights, full disks and people who move it (A24, S41, O6). */

import { describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { LogFile, type LogFileOptions } from "../../packages/server/src/server/log/log-file.ts";
import { atEnd } from "../support/at-end.ts";
import { FakeClock } from "../support/fakes.ts";
import { spawnCli } from "../support/process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const DAY_MS = 86_400_000;
const A_LOOK_MS = 1_000;

/** Local time, as files are named by it. */
const at = (text: string) => new Date(text).getTime();

function setUp(options: Partial<LogFileOptions> = {}) {
  const folder = temporaryFolder();
  const clock = new FakeClock();
  clock.wall = at("2026-03-01T12:00:00");
  const path = options.path ?? join(folder, "fanfare.log");
  const elsewhere: string[] = [];
  const said: string[] = [];
  const file = new LogFile({
    path,
    rotate: "daily",
    maxBytes: 100,
    keep: 14,
    clock,
    fallback: (line) => elsewhere.push(line),
    report: (_level, message) => said.push(message),
    formatNote: (_message, missing) => `missing: ${missing}\n`,
    ...options,
  });
  atEnd(() => file.close());
  const read = (name = "fanfare.log") => readFileSync(join(folder, name), "utf8");
  return { folder, clock, path, file, elsewhere, said, read, names: () => readdirSync(folder).sort() };
}

describe("by day", () => {
  test("the first line after local midnight begins a new file, and the old one gets its day", () => {
    const { clock, file, read, names } = setUp();
    clock.wall = at("2026-03-01T23:59:59.999");
    file.write("late\n");
    clock.pass(1);
    file.write("early\n");
    file.write("next\n");
    expect(names()).toEqual(["fanfare-2026-03-01.log", "fanfare.log"]);
    expect(read("fanfare-2026-03-01.log")).toBe("late\n");
    expect(read()).toBe("early\nnext\n");
  });

  test("a file left by a process that ended yesterday is put aside under its own day", () => {
    const { clock, path, file, read } = setUp();
    writeFileSync(path, "old\n");
    const lastWritten = (clock.wall - DAY_MS) / 1000;
    utimesSync(path, lastWritten, lastWritten);
    file.write("new\n");
    expect(read("fanfare-2026-02-28.log")).toBe("old\n");
    expect(read()).toBe("new\n");
  });

  test("a clock that goes back and forth loses nothing", () => {
    const { clock, file, read, names } = setUp();
    for (const days of [0, 1, -1, 1]) {
      clock.pass(days * DAY_MS);
      file.write(`${days}\n`);
    }
    expect(names()).toEqual([
      "fanfare-2026-03-01.1.log",
      "fanfare-2026-03-01.log",
      "fanfare-2026-03-02.log",
      "fanfare.log",
    ]);
    expect(names().map(read).join("")).toHaveLength("0\n1\n-1\n1\n".length);
  });

  test("only the newest stay, and what is no log of ours stays too", () => {
    const { folder, clock, file, names } = setUp({ keep: 2 });
    const others = ["fanfare-2020-01-01.log.gz", "fanfare-notes.log", "other-2020-01-01.log"];
    for (const name of others) writeFileSync(join(folder, name), "");
    for (let day = 0; day < 5; day++) {
      file.write("line\n");
      clock.pass(DAY_MS);
    }
    expect(names()).toEqual([...others, "fanfare-2026-03-03.log", "fanfare-2026-03-04.log", "fanfare.log"].sort());
  });

  test("a day without a line leaves no file", () => {
    const { clock, file, names } = setUp();
    file.open();
    clock.pass(3 * DAY_MS);
    file.write("line\n");
    expect(names()).toEqual(["fanfare.log"]);
  });

  test("two processes with one file put it aside once", () => {
    const { clock, path, file, read, names } = setUp();
    const other = setUp({ path, clock });
    file.open();
    other.file.open();
    file.write("one\n");
    other.file.write("two\n");
    clock.pass(DAY_MS);
    file.write("three\n");
    utimesSync(path, clock.wall / 1000, clock.wall / 1000);
    other.file.write("four\n");
    expect(names()).toEqual(["fanfare-2026-03-01.log", "fanfare.log"]);
    expect(read("fanfare-2026-03-01.log")).toBe("one\ntwo\n");
    expect(read()).toBe("three\nfour\n");
  });
});

describe("a file that another process writes to, and this one only looks after", () => {
  test("is put aside at midnight, and none is made before there is a line", () => {
    const { clock, path, file, read, names } = setUp();
    const worker = setUp({ path, clock, rotate: "none" });
    file.rotateIfDue();
    expect(names()).toEqual([]);
    worker.file.write("late\n");
    utimesSync(path, clock.wall / 1000, clock.wall / 1000);
    file.rotateIfDue();
    clock.pass(DAY_MS);
    file.rotateIfDue();
    file.rotateIfDue();
    expect(names()).toEqual(["fanfare-2026-03-01.log"]);
    worker.file.write("early\n");
    expect(read("fanfare-2026-03-01.log")).toBe("late\n");
    expect(read()).toBe("early\n");
  });

  test("is put aside when the others have made it too large", () => {
    const { clock, path, file, names } = setUp({ rotate: "size" });
    const worker = setUp({ path, clock, rotate: "none" });
    file.write("own\n");
    worker.file.write("x".repeat(90));
    file.rotateIfDue();
    expect(names()).toEqual(["fanfare.log"]);
    worker.file.write("x".repeat(90));
    file.rotateIfDue();
    expect(names()).toEqual(["fanfare-2026-03-01.log"]);
  });

  test("and cannot be opened, stops nothing", () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "fanfare.log"));
    const { file, said } = setUp({ path: join(folder, "fanfare.log") });
    expect(() => file.rotateIfDue()).not.toThrow();
    expect(said).toEqual([]);
  });
});

describe("by size", () => {
  test("a file never grows beyond its limit, except for a line that alone is longer", () => {
    const { file, read, names } = setUp({ rotate: "size" });
    const lines = [60, 40, 60, 150, 10].map((length, index) => `${String(index).repeat(length - 1)}\n`);
    for (const line of lines) file.write(line);
    expect(names()).toEqual([
      "fanfare-2026-03-01.1.log",
      "fanfare-2026-03-01.2.log",
      "fanfare-2026-03-01.log",
      "fanfare.log",
    ]);
    expect(read("fanfare-2026-03-01.log")).toBe(`${lines[0]}${lines[1]}`);
    expect(read("fanfare-2026-03-01.2.log")).toBe(lines[3] ?? "");
  });

  test("the newest are kept by number, not by the alphabet", () => {
    const { file, names } = setUp({ rotate: "size", keep: 3 });
    for (let index = 0; index < 14; index++) file.write(`${"x".repeat(99)}\n`);
    expect(names()).toEqual([
      "fanfare-2026-03-01.10.log",
      "fanfare-2026-03-01.11.log",
      "fanfare-2026-03-01.12.log",
      "fanfare.log",
    ]);
  });
});

test("without rotation neither days nor sizes begin a new file", () => {
  const { clock, file, names } = setUp({ rotate: "none" });
  for (let day = 0; day < 3; day++) {
    file.write(`${"x".repeat(99)}\n`);
    clock.pass(DAY_MS);
  }
  expect(names()).toEqual(["fanfare.log"]);
});

describe("another process", () => {
  test("deletes the file and its folder: both are made again within a second", () => {
    const folder = join(temporaryFolder(), "a", "b");
    const { clock, path, file, said } = setUp({ path: join(folder, "fanfare.log") });
    file.write("one\n");
    rmSync(folder, { recursive: true });
    clock.pass(A_LOOK_MS);
    file.write("two\n");
    expect(readFileSync(path, "utf8")).toBe("two\n");
    expect(said).toEqual([]);
  });

  test("renames the file, as logrotate does: a second later, or at once on request, lines go to a new one", () => {
    const { clock, path, file, read } = setUp({ rotate: "none" });
    file.write("one\n");
    renameSync(path, `${path}.1`);
    file.write("two\n");
    clock.pass(A_LOOK_MS);
    file.write("three\n");
    renameSync(path, `${path}.2`);
    file.reopen();
    file.write("four\n");
    expect([read("fanfare.log.1"), read("fanfare.log.2"), read()]).toEqual(["one\ntwo\n", "three\n", "four\n"]);
  });

  test("empties the file, as copytruncate does: lines go on at its beginning", () => {
    const { path, file, read } = setUp({ rotate: "none" });
    file.write("one\n");
    truncateSync(path);
    file.write("two\n");
    expect(read()).toBe("two\n");
  });

  test("keeps a folder of the name that the old file would get: it gets the next one", () => {
    const { folder, clock, file, read } = setUp();
    mkdirSync(join(folder, "fanfare-2026-03-01.log", "full"), { recursive: true });
    file.write("one\n");
    clock.pass(DAY_MS);
    file.write("two\n");
    expect([read("fanfare-2026-03-01.1.log"), read()]).toEqual(["one\n", "two\n"]);
  });

  test("chose a name that leaves no room for a day: the file goes on, and that is said once a minute", () => {
    const path = join(temporaryFolder(), "x".repeat(250));
    const { clock, file, said } = setUp({ path, rotate: "size" });
    for (let line = 0; line < 3; line++) file.write(`${"y".repeat(99)}\n`);
    expect(statSync(path).size).toBe(300);
    expect(said).toHaveLength(1);
    expect(said[0]).toContain("ENAMETOOLONG");
    clock.pass(60_000);
    for (let line = 0; line < 3; line++) file.write(`${"y".repeat(99)}\n`);
    expect(statSync(path).size).toBe(600);
    expect(said).toHaveLength(2);
  });
});

describe("a full disk", () => {
  test("costs only its lines: they go elsewhere, are counted, said once, and writing resumes", () => {
    const folder = temporaryFolder();
    const path = join(folder, "fanfare.log");
    symlinkSync("/dev/full", path);
    const { clock, file, elsewhere, said } = setUp({ path });
    file.open();
    for (let line = 0; line < 5; line++) {
      file.write(`${line}\n`);
      clock.pass(A_LOOK_MS / 2);
    }
    expect(elsewhere).toEqual(["0\n", "1\n", "2\n", "3\n", "4\n"]);
    expect(said).toHaveLength(1);
    expect(said[0]).toContain("ENOSPC");
    rmSync(path);
    clock.pass(A_LOOK_MS);
    file.write("5\n");
    expect(readFileSync(path, "utf8")).toBe("missing: 5\n5\n");
    expect(elsewhere).toHaveLength(5);
    expect(said[1]).toMatch(/can be written again; 5 lines are missing/);
  });

  test("that takes half a line leaves it on a line of its own", async () => {
    const folder = temporaryFolder();
    const program = join(import.meta.dir, "programs", "log-filler.ts");
    const shell = 'trap "" XFSZ; ulimit -f 8; exec "$0" "$1" "$2"';
    const path = join(folder, "fanfare.log");
    const command = ["bash", "-c", shell, process.execPath, program, path] as const;
    const { code } = await spawnCli([], { program: [...command] }).ended();
    expect(code).toBe(0);
    const lines = readFileSync(path, "utf8").split("\n");
    expect(lines[0]).toMatch(/^x{100}$/);
    expect(lines.slice(1)).toEqual(["x".repeat(49), "missing: 1", "after", ""]);
  });
});

test("a pipe without a reader is refused at once, and never waited for", async () => {
  const path = join(temporaryFolder(), "pipe");
  await Bun.$`mkfifo ${path}`;
  const { file, elsewhere } = setUp({ path });
  expect(() => file.open()).toThrow("ENXIO");
  file.write("line\n");
  expect(elsewhere).toEqual(["line\n"]);
});

test("a log is readable for its owner and its group only", () => {
  const { path, file } = setUp();
  file.write("line\n");
  expect(statSync(path).mode & 0o007).toBe(0);
  expect(existsSync(path)).toBe(true);
});
