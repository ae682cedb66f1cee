/** The first page, followed to the letter: `npm start` in the checkout, and each of its blocks against that server. Only the port is another. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../scripts/llms.ts";
import { eventually } from "../support/eventually.ts";
import { external } from "../support/external.ts";
import { freePort } from "../support/ports.ts";
import { type CliProcess, spawnCli } from "../support/process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { blocksIn } from "./blocks.ts";

setDefaultTimeout(120_000);

const PATIENCE = { withinMs: 60_000 };
const README = readFileSync(join(ROOT, "README.md"), "utf8");
const [start = "", shell = ""] = blocksIn(README, "sh");
const [native = "", pusher = "", backEnd = ""] = blocksIn(README, "js");
const [embedded = ""] = blocksIn(README, "ts");

const port = await freePort();
const stateDir = temporaryFolder();
const env = { FANFARE_PORT: String(port), FANFARE_HOST: "127.0.0.1", FANFARE_STATE_DIR: stateDir };

/** A line of the page, typed in the checkout, of which `npm ci` is done. */
function type(line: string): CliProcess {
  external("curl");
  const typed = line.replace(/ +#.*$/, "").replace("9501", String(port));
  return spawnCli(["-c", typed], { program: ["bash"], cwd: ROOT, env });
}

/** One of the page's programs, with what its reader has around it. */
function runProgram(text: string, before = "", at = port): CliProcess {
  const cwd = temporaryFolder();
  symlinkSync(join(ROOT, "node_modules"), join(cwd, "node_modules"));
  writeFileSync(join(cwd, "program.ts"), `${before}\n${text.replaceAll("9501", String(at))}`);
  return spawnCli(["--no-env-file", "program.ts"], { program: [process.execPath], cwd });
}

const server = type(start.trim().split("\n").at(-1) ?? "");
await server.prints(new RegExp(`:${port}\\b`));
await eventually(async () => expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200), PATIENCE);
const { id, key, secret } = JSON.parse(readFileSync(join(stateDir, "demo-app.json"), "utf8"));

test("what each of the page's ways to publish sends, each of its ways to read prints", async () => {
  for (const word of [id, key, secret]) expect(server.output).toContain(word);
  const [listen = "", publish = "", curl = ""] = shell.trim().split("\n");
  const readers = [
    runProgram(native),
    runProgram(pusher, `import Pusher from "pusher-js"; const APP_KEY = ${JSON.stringify(key)};`),
    type(listen),
    type(curl),
  ];
  const program = () => runProgram(backEnd, `const [appId, key, secret] = ${JSON.stringify([id, key, secret])};`);
  for (const send of [program, () => type(publish)]) {
    // Who reads is there when it is: so the event is sent until everybody has it.
    const before = readers.map(({ stdout }) => stdout.length);
    await eventually(async () => {
      expect((await send().ended()).code).toBe(0);
      for (const [at, { stdout }] of readers.entries()) expect(stdout.slice(before[at])).toContain("hello");
    }, PATIENCE);
  }
});

test("the program with a server in it runs, and answers at its address", async () => {
  const own = await freePort();
  const child = runProgram(embedded, "", own);
  await eventually(async () => expect((await fetch(`http://127.0.0.1:${own}/health`)).status).toBe(200), PATIENCE);
  expect([child.hasEnded, child.stderr.includes("error")]).toEqual([false, false]);
});
