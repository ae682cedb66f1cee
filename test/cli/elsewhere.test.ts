/** What people type who come from another server, or who know only the folder they are in. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { startProcess } from "../support/process.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { run, start } from "./run.ts";

setDefaultTimeout(60_000);

describe("a command of another server", () => {
  test.each([
    ["start", "fanfare serve"],
    ["websocket:serve --host 0.0.0.0", "fanfare serve"],
    ["websockets:serve --port=6001", "fanfare serve"],
    ["websocket start -d", "fanfare serve"],
    ["websocket:reload", "fanfare reload"],
    ["websocket:stop", "fanfare stop"],
    ["websocket:stats", "fanfare stats"],
    ["websockets:restart", "fanfare restart"],
    ["websockets:clean shop --days 30", "fanfare statistics clean"],
    ["websockets:flush", "fanfare statistics flush"],
    ["reverb:start --debug", "fanfare serve"],
    ["reverb:restart", "fanfare restart"],
    ["help reverb:start", "fanfare serve"],
  ])("%s says what to type: %s", async (line, typed) => {
    const { code, stdout, stderr } = await run(line.split(" "));
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^fanfare: there is no command ".+" here: type `.+`\n$/);
    expect(stderr).toEndWith(`\`${typed}\`\n`);
    // What it names is a command.
    expect((await run([...typed.split(" ").slice(1), "--help"])).code).toBe(0);
  });
});

describe("an option of another server", () => {
  test.each([
    ["--disable-statistics", "--statistics-enabled false"],
    ["--statistics-interval=60", "--statistics-interval-s SECONDS"],
    ["--loop=libevent", "leave it out"],
    ["--hostname=ws.example.com", "--node-url wss://NAME"],
  ])("%s says what to type: %s", async (option, typed) => {
    const { code, stderr } = await run(["serve", option]);
    expect(code).toBe(1);
    expect(stderr).toContain(`there is no option "${option.split("=")[0]}" here: `);
    expect(stderr).toContain(typed);
  });
});

describe("fanfare serve --help", () => {
  test("fits a screen of 24 lines and 80 columns, and names what shows the rest", async () => {
    const { stdout } = await run(["serve", "--help"]);
    const lines = stdout.trimEnd().split("\n");
    expect(lines.length).toBeLessThanOrEqual(24);
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
    for (const flag of ["--port", "--host", "--config", "--daemon", "--debug", "--help-all"])
      expect(stdout).toContain(flag);
    expect(stdout).not.toContain("--limits-");
  });

  test("--help-all has every option, with its environment name", async () => {
    const { code, stdout } = await run(["serve", "--help-all"]);
    expect(code).toBe(0);
    for (const flag of ["--port", "--limits-connections", "--redis-url", "--nats-servers"])
      expect(stdout).toContain(flag);
    expect(stdout).toContain("FANFARE_LIMITS_CONNECTIONS");
  });
});

describe("the server that runs in this folder", () => {
  test("is the one that publish, listen and status find, whatever its port", async () => {
    const cwd = temporaryFolder();
    const server = await startProcess({ cwd });
    expect(server.port).not.toBe(9501);
    const client = await connectPusher(server.url);
    await client.subscribe("room");
    const listening = start(["listen", "room"], { cwd });
    await listening.prints(/room/);
    expect(await run(["publish", "room", "message", '{"text":"hello"}'], { cwd })).toMatchObject({ code: 0 });
    expect((await client.next("message")).data).toBe('{"text":"hello"}');
    await listening.prints(/room {2}message {2}\{"text":"hello"\}/);
    expect(JSON.parse((await run(["status", "--json"], { cwd })).stdout)).toMatchObject({ url: server.url });
  });

  test("is told by reload --workers that it has none, and stays as it is", async () => {
    const cwd = temporaryFolder();
    const server = await startProcess({ cwd });
    const { code, stderr } = await run(["reload", "--workers"], { cwd });
    expect(code).toBe(1);
    expect(stderr).toContain("no workers to swap; for new code type `fanfare restart`");
    expect(server.output).not.toContain("reloaded");
  });
});
