/** What a server as a program logs, and where (A24, S41, O5, O6, A55). */

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createServer } from "../../packages/server/src/index.ts";
import { startBareProcess } from "../faults/process.ts";
import { eventually } from "../support/eventually.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { connectNative } from "../support/native-client.ts";
import { spawnCli } from "../support/process.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const server = join(import.meta.dir, "..", "security", "logging-server.ts");
const PROGRAM = [process.execPath, server] as const;

const linesOf = (path: string) => readFileSync(path, "utf8").trimEnd().split("\n");
const messagesOf = (path: string) => linesOf(path).map((line) => (JSON.parse(line) as { msg: string }).msg);

/** A server with a handler that fails, which the command line's has not. */
async function startFailing(log: object) {
  const cwd = temporaryFolder();
  const settings = JSON.stringify({ log, drainTimeoutS: 1, apps: [{ ...APP, anonymous: true }] });
  const child = spawnCli([], { cwd, program: PROGRAM, env: { SETTINGS: settings, NO_COLOR: "1" } });
  const path = join(cwd, "logs", "fanfare.log");
  const url = await eventually(
    () => {
      const text = child.output + readFileSync(path, "utf8");
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(text)?.[0];
      if (found === undefined) throw new Error(`It does not listen yet: ${text}`);
      return found;
    },
    { withinMs: 15_000 },
  );
  return { child, cwd, path, url };
}

async function fail(url: string): Promise<void> {
  await (await connectNative(url)).ask("fail", { because: "it was asked to" });
}

test("with a file, lines go there and not to standard error, and errors to their own file as well (A24, S41, O6)", async () => {
  const { child, cwd, path, url } = await startFailing({ file: "logs/fanfare.log", errorFile: "logs/errors.log" });
  await fail(url);
  const errors = join(cwd, "logs", "errors.log");
  await eventually(() => expect(readFileSync(errors, "utf8")).toContain("something went wrong"));
  await child.stop();
  expect(child.output).toBe("");
  expect(messagesOf(path)).toEqual(["listening", "something went wrong", "stopped"]);
  expect(messagesOf(errors)).toEqual(["something went wrong"]);
  expect(JSON.parse(linesOf(errors)[0] ?? "")).toMatchObject({
    level: 50,
    app: APP.id,
    connection: expect.stringMatching(/^\d+\.\d+$/),
    protocol: "native",
    during: "command call",
  });
});

test("a file for people has the date in each line and no colours", async () => {
  const { child, path } = await startFailing({ file: "logs/fanfare.log", format: "pretty" });
  await child.stop();
  for (const line of linesOf(path)) expect(line).toMatch(/^(\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] INFO: |\s+\S)/);
});

test("at a terminal the lines of the file are seen as well, made for people", async () => {
  const cwd = temporaryFolder();
  const log = { file: "logs/fanfare.log" };
  const env = { SETTINGS: JSON.stringify({ log, apps: [APP] }) };
  const command = `exec ${PROGRAM.join(" ")}`;
  const child = spawnCli([], { cwd, env, program: ["script", "-qefc", command, "/dev/null"] });
  await child.prints(/INFO.*listening/);
  await eventually(() => expect(messagesOf(join(cwd, "logs", "fanfare.log"))).toContain("listening"));
  await child.kill();
});

test("after a crash the last lines are there", async () => {
  const cwd = temporaryFolder();
  const config = { log: { level: "debug", file: "fanfare.log" }, apps: [APP] } as const;
  const process = await startBareProcess({ cwd, config });
  const client = await connectPusher(process.url);
  await process.kill();
  const lines = linesOf(join(cwd, "fanfare.log"));
  expect(lines.at(-1)).toContain(client.socketId);
});

test("when the day changes while clients come, the old day is put aside and no line is lost", async () => {
  const cwd = temporaryFolder();
  const clock = fakeClock();
  const process = await startBareProcess({
    cwd,
    config: { log: { level: "debug", file: "logs/fanfare.log" }, apps: [APP] },
    env: clock.env,
  });
  const before = await connectPusher(process.url);
  clock.set(86_400);
  const after = await connectPusher(process.url);
  const names = () => readdirSync(join(cwd, "logs")).sort();
  await eventually(() => expect(names()).toHaveLength(2));
  const [old = "", now = ""] = names().map((name) => readFileSync(join(cwd, "logs", name), "utf8"));
  expect(names()[0]).toMatch(/^fanfare-\d{4}-\d\d-\d\d\.log$/);
  expect(old).toContain(before.socketId);
  expect(now).toContain(after.socketId);
  await process.stop();
});

test("SIGHUP means that the log was renamed, and disconnects no client (A55)", async () => {
  const cwd = temporaryFolder();
  const config = { log: { level: "debug", file: "fanfare.log", rotate: "none" }, apps: [APP] } as const;
  const process = await startBareProcess({ cwd, config });
  const before = await connectPusher(process.url);
  renameSync(join(cwd, "fanfare.log"), join(cwd, "fanfare.log.1"));
  process.signal("SIGHUP");
  await eventually(async () => {
    const { socketId } = await connectPusher(process.url);
    expect(readFileSync(join(cwd, "fanfare.log"), "utf8")).toContain(socketId);
  });
  await before.ping();
  expect(readFileSync(join(cwd, "fanfare.log.1"), "utf8")).toContain(before.socketId);
  await process.stop();
});

test("with a full disk messages go on as before, and lines to standard error", async () => {
  const process = await startBareProcess({ config: { log: { level: "debug", file: "/dev/full" }, apps: [APP] } });
  const [one, other] = [await connectPusher(process.url), await connectPusher(process.url)];
  for (const client of [one, other]) await client.subscribe("private-x");
  for (let number = 0; number < 5; number++) {
    one.send("client-x", { number }, "private-x");
    await other.next("client-x");
  }
  await process.prints(/cannot be written.*ENOSPC/);
  await process.prints(/"msg":"published"/);
  expect(process.stderr.match(/cannot be written/g)).toHaveLength(1);
  await process.stop();
});

describe("a file that cannot be written", () => {
  const cases = [
    ["file", "/proc/none/fanfare.log"],
    ["errorFile", "/"],
  ] as const;
  test.each(cases)("stops the start, in one line: %s", async (key, place) => {
    const config = { log: { [key]: place }, apps: [APP] };
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "fanfare.config.json"), JSON.stringify(config));
    const child = spawnCli(["serve", "--host", "127.0.0.1", "--port", "0"], { cwd });
    expect((await child.ended()).code).toBe(1);
    expect(child.stderr).toStartWith(`fanfare: \`log.${key}\`: cannot write ${place}: `);
    expect(child.stderr.trimEnd()).not.toContain("\n");
    expect(child.stdout).toBe("");
  });

  test("and neither may be the other", async () => {
    const file = join(temporaryFolder(), "fanfare.log");
    const server = createServer({ port: 0, apps: [APP], log: { file, errorFile: file } });
    await expect(server.start()).rejects.toThrow("two files");
  });
});

describe("levels", () => {
  const cases = [
    ["warning", "warn"],
    ["notice", "info"],
    ["fatal", "fatal"],
    ["silent", "silent"],
  ] as const;
  test.each(cases)("%s is %s (A24, O5)", (level, ours) => {
    expect(createServer({ apps: [APP], log: { level } }).log.level).toBe(ours);
  });
});
