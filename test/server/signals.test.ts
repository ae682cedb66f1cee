/** A program that embeds the server, and gets a signal: its clients are drained before it ends. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type CliProcess, spawnCli } from "../support/process.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

setDefaultTimeout(60_000);

const INDEX = join(import.meta.dir, "..", "..", "packages", "server", "src", "index.ts");

function program(options: string, more = ""): CliProcess {
  const folder = temporaryFolder();
  const source = `
    import { createServer } from ${JSON.stringify(INDEX)};
    const base = { host: "127.0.0.1", port: 0, drainTimeoutS: 5, log: { level: "silent" }, apps: [${JSON.stringify(APP)}] };
    const server = createServer({ ...base, ${options} });
    ${more}
    await server.start();
    console.log("at " + server.url);
  `;
  writeFileSync(join(folder, "program.ts"), source);
  return spawnCli(["program.ts"], { program: [process.execPath], cwd: folder });
}

async function urlOf(child: CliProcess): Promise<string> {
  const [, url = ""] = await child.prints(/at (http:\S+)\n/);
  return url;
}

test.each(["SIGTERM", "SIGINT"] as const)(
  "%s tells the clients to come back, and ends the process as it would have",
  async (signal) => {
    const child = program("");
    const client = await connectPusher(await urlOf(child));
    child.signal(signal);
    expect((await client.socket.closed).code).toBe(4200);
    expect(await child.ended()).toEqual({ code: null, signal });
  },
);

test("a program that listens to the signal itself ends when it wants to; the server is stopped all the same", async () => {
  const child = program(
    "",
    `process.on("SIGTERM", () => console.log("heard"));
    server.on("close", () => setTimeout(() => { console.log("ends"); process.exit(7); }, 500));`,
  );
  const client = await connectPusher(await urlOf(child));
  child.signal("SIGTERM");
  expect((await client.socket.closed).code).toBe(4200);
  expect(await child.ended()).toEqual({ code: 7, signal: null });
  expect(child.stdout).toContain("heard\nends\n");
});

test("with handleSignals: false the signal is the program's alone", async () => {
  const child = program("handleSignals: false");
  const client = await connectPusher(await urlOf(child));
  child.signal("SIGTERM");
  expect((await client.socket.closed).code).toBe(1006);
  expect(await child.ended()).toEqual({ code: null, signal: "SIGTERM" });
});

test("a server that was stopped leaves the signal to the program", async () => {
  const child = program(
    "",
    `setTimeout(async () => { await server.stop(); console.log("stopped"); setInterval(() => {}, 1000); }, 10);`,
  );
  await child.prints(/stopped/);
  expect(await child.stop("SIGTERM")).toEqual({ code: null, signal: "SIGTERM" });
});

test("a port in use is one sentence", async () => {
  const { port } = await startServer();
  const child = program(`port: ${port}`);
  expect((await child.ended()).code).toBe(1);
  expect(child.stderr).toContain(
    `ListenError: port ${port} is already in use on 127.0.0.1: stop the other program or choose another\n`,
  );
});
