/** The command line as a whole: real processes, real sockets. */

import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { buildProgram } from "../../packages/server/src/cli/program.ts";

const root = mkdtempSync(join(tmpdir(), "fanfare-cli-"));
const repository = resolve(import.meta.dir, "../..");
const cli = join(repository, "packages/server/src/cli/main.ts");
const commands = (await buildProgram()).commands.map((command) => command.name());
const running = new Set<{ kill(signal: "SIGKILL"): void }>();

afterAll(() => {
  for (const one of running) one.kill("SIGKILL");
  rmSync(root, { recursive: true, force: true });
});

setDefaultTimeout(20_000);

let folders = 0;
function folder(): string {
  const cwd = join(root, String(++folders));
  mkdirSync(cwd);
  return cwd;
}

interface Options {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
}

function start(args: readonly string[], { cwd = folder(), env = {}, command = [process.execPath, cli] }: Options = {}) {
  const child = Bun.spawn([...command, ...args], {
    cwd,
    env: { PATH: process.env.PATH ?? "", HOME: root, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  running.add(child);
  const [out, err] = [collect(child.stdout), collect(child.stderr)];
  return { child, out, err, cwd };
}

/** Reads a stream as it comes, so that a test can wait for a part of it. */
function collect(stream: ReadableStream<Uint8Array>) {
  let text = "";
  const finished = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) text += decoder.decode(chunk, { stream: true });
    return text;
  })();
  const until = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (const deadline = Date.now() + 10_000; Date.now() < deadline; await Bun.sleep(10)) {
      const match = pattern.exec(text);
      if (match !== null) return match;
    }
    throw new Error(`waited for ${pattern}, got ${JSON.stringify(text)}`);
  };
  return { finished, until };
}

async function run(args: readonly string[], options: Options = {}) {
  const { child, out, err } = start(args, options);
  const [code, stdout, stderr] = await Promise.all([child.exited, out.finished, err.finished]);
  return { code, stdout, stderr };
}

async function serve(options: Options = {}) {
  const args = ["serve", "--port", "0", "--host", "127.0.0.1", "--log-level", "silent", "--drain-timeout-s", "0.5"];
  const server = start(args, options);
  const [, port = ""] = await server.out.until(/\n {2}Port +(\d+)\n[\s\S]*Press Ctrl\+C to stop\n/);
  return { ...server, port, env: { FANFARE_PORT: port } };
}

describe("fanfare", () => {
  test("tells its version and its commands", async () => {
    expect((await run(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    const { code, stdout } = await run(["--help"]);
    expect(code).toBe(0);
    for (const command of commands) expect(stdout).toContain(`\n  ${command} `);
  });

  test.each(["serve", "config check", "config show", "listen", "publish"])(
    "%s has help with an example",
    async (command) => {
      const { code, stdout } = await run([...command.split(" "), "--help"]);
      expect(code).toBe(0);
      expect(stdout).toContain("Example:");
    },
  );

  const wrong: [string[], Record<string, string>, string][] = [
    [["lisen"], {}, 'fanfare: unknown command "lisen": did you mean listen?\n'],
    [["lisen", "--help"], {}, 'fanfare: unknown command "lisen": did you mean listen?\n'],
    [["--port", "1", "lisen"], {}, 'fanfare: unknown command "lisen": did you mean listen?\n'],
    [["help", "lisen"], {}, 'fanfare: unknown command "lisen": did you mean listen?\n'],
    [["qqqqqq"], {}, `fanfare: unknown command "qqqqqq": use one of ${commands.join(", ")}\n`],
    [["serve", "--prot", "1"], {}, "fanfare: unknown option '--prot': did you mean --port?\n"],
    [["config", "chek"], {}, "fanfare: unknown command 'chek': did you mean check?\n"],
    [["listen"], {}, "fanfare: missing required argument 'channel'\n"],
    [
      ["serve", "--port", "x"],
      {},
      'fanfare: `port` has to be a whole number from 0 to 65535, but is "x" (from --port)\n',
    ],
    [["serve"], { FANFARE_PROT: "1" }, "fanfare: unknown environment name FANFARE_PROT: did you mean FANFARE_PORT?\n"],
    [["config", "check", "--config", "nope.json"], {}, "fanfare: cannot read nope.json: there is no such file\n"],
    [
      ["listen", "a"],
      {},
      "fanfare: no app to use: name one with --key (and --secret for a private channel), or run this where `fanfare serve` has been started once or an app is configured\n",
    ],
    [
      ["listen", "private-a", "--key", "k"],
      {},
      "fanfare: private-a needs permission: give the app's secret with --secret, or a token with --token\n",
    ],
    [["publish", "a", "b", "{"], {}, "fanfare: the data looks like JSON but does not parse: {\n"],
    [
      ["listen", "a", "--key", "k", "--url", "nowhere"],
      {},
      'fanfare: --url has to start with http://, https://, ws:// or wss://, such as http://127.0.0.1:9501, but is "nowhere"\n',
    ],
    [
      ["publish", "a", "b", "{}", "--app", "a", "--key", "k", "--secret", "s", "--url", "http://127.0.0.1:1"],
      {},
      "fanfare: cannot reach http://127.0.0.1:1: start the server with `fanfare serve`, or name another with --url\n",
    ],
    [
      ["listen", "a", "--key", "k", "--url", "http://127.0.0.1:1"],
      {},
      "fanfare: cannot reach ws://127.0.0.1:1: start the server with `fanfare serve`, or name another with --url\n",
    ],
  ];
  test.each(wrong)("%j with %j is refused in one line with exit code 1", async (args, env, sentence) => {
    expect(await run(args, { env })).toEqual({ code: 1, stdout: "", stderr: sentence });
  });

  test("shows the stack of a failure only where debugging is asked for", async () => {
    const { stderr } = await run(["serve", "--port", "x"], { env: { FANFARE_LOG_LEVEL: "debug" } });
    expect(stderr).toMatch(/^fanfare: .*\n.*\n? +at /);
  });
});

describe("fanfare config", () => {
  test("check says that the configuration is valid", async () => {
    expect((await run(["config", "check"])).stdout).toBe(
      "the configuration is valid (no file, only defaults, environment and flags)\n",
    );
  });

  test("show tells each value and where it came from, and no secret", async () => {
    const env = {
      FANFARE_PORT: "8080",
      FANFARE_APPS: '[{"id":"a","key":"k","secret":"hush","token":{"secret":"hush"}}]',
      PUSHER_APP_ID: "p",
      PUSHER_APP_KEY: "pk",
      PUSHER_APP_SECRET: "hush",
    };
    const { stdout } = await run(["config", "show", "--path", "/ws"], { env });
    expect(stdout).toContain("port = 8080   (from FANFARE_PORT)\n");
    expect(stdout).toContain('path = "/ws"   (from --path)\n');
    expect(stdout).toContain("workers = 1\n");
    expect(stdout).toContain('defaults.limits.connections = "unlimited"\n');
    expect(stdout).toMatch(/^apps\[0\] = .*"id":"a".*\(from FANFARE_APPS\)$/m);
    expect(stdout).toMatch(/^apps\[1\] = .*"id":"p".*\(from PUSHER_APP_ID, PUSHER_APP_KEY and PUSHER_APP_SECRET\)$/m);
    expect(stdout).not.toContain("hush");
    const json = await run(["config", "show", "--json"], { env });
    expect(JSON.parse(json.stdout)).toMatchObject({ config: { port: 8080 }, sources: { port: "FANFARE_PORT" } });
    expect(json.stdout).not.toContain("hush");
  });
});

describe("fanfare serve", () => {
  test("makes a demo app, says where it is and stops at SIGINT with exit code 0", async () => {
    const server = await serve();
    expect((await fetch(`http://127.0.0.1:${server.port}/health`)).status).toBe(200);
    expect(statSync(join(server.cwd, ".fanfare/demo-app.json")).mode & 0o777).toBe(0o600);
    server.child.kill("SIGINT");
    expect(await server.child.exited).toBe(0);
    expect(await server.out.finished).toEndWith("Press Ctrl+C to stop\n");
  });

  test("stops at SIGTERM too, and takes the echo of a signal for the same one", async () => {
    const server = await serve();
    server.child.kill("SIGTERM");
    server.child.kill("SIGINT");
    expect(await server.child.exited).toBe(0);
  });

  test("ends at once with 130 at a second signal", async () => {
    const args = ["--port", "0", "--host", "127.0.0.1", "--log-level", "silent", "--drain-timeout-s", "60"];
    const server = start(args);
    const [, port] = await server.out.until(/\n {2}Port +(\d+)\n/);
    // A request whose body never comes keeps the drain waiting.
    const silent = await Bun.connect({ hostname: "127.0.0.1", port: Number(port), socket: { data() {} } });
    silent.write("POST /apps/demo/events HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
    await Bun.sleep(200);
    server.child.kill("SIGINT");
    await Bun.sleep(700);
    expect(server.child.exitCode).toBeNull();
    server.child.kill("SIGINT");
    expect(await server.child.exited).toBe(130);
    silent.end();
  });

  test("says in one line that the port is in use", async () => {
    const { port, child } = await serve();
    const second = await run(["serve", "--port", port, "--host", "127.0.0.1", "--log-level", "silent"]);
    expect(second).toEqual({
      code: 1,
      stdout: "",
      stderr: `fanfare: port ${port} is already in use on 127.0.0.1: stop the other program or choose another with --port\n`,
    });
    child.kill();
    await child.exited;
  });

  test("refuses production without an app", async () => {
    const { code, stderr } = await run(["serve", "--port", "0"], { env: { NODE_ENV: "production" } });
    expect(code).toBe(1);
    expect(stderr).toStartWith("fanfare: no app is configured, and production makes no demo app: set PUSHER_APP_ID");
    expect(stderr.trim().split("\n")).toHaveLength(1);
  });
});

describe("fanfare listen and fanfare publish", () => {
  test("use the demo app of the folder, in every kind of channel (A48)", async () => {
    const { cwd, env, child } = await serve();
    for (const channel of ["news", "private-news", "presence-news"]) {
      const listener = start(["listen", channel, "--json"], { cwd, env });
      await listener.err.until(new RegExp(`listening on ${channel}\n`));
      const sent = await run(["publish", channel, "greeting", '{"text":"Hello"}'], { cwd, env });
      expect(sent).toEqual({ code: 0, stdout: `published greeting to ${channel}\n`, stderr: "" });
      const [line] = await listener.out.until(/^.*"greeting".*$/m);
      expect(JSON.parse(line)).toMatchObject({ channel, event: "greeting", data: { text: "Hello" } });
      listener.child.kill("SIGINT");
      expect(await listener.child.exited).toBe(0);
    }
    child.kill();
    await child.exited;
  });

  test("say why the server refused, with exit code 1", async () => {
    const { cwd, env, child } = await serve();
    const refusedEvent = await run(["publish", "news", "greeting", "{}", "--secret", "wrong"], { cwd, env });
    expect(refusedEvent.code).toBe(1);
    expect(refusedEvent.stderr).toMatch(/^fanfare: http:.* refused the event: .*signature.* \(401\)\n$/);
    const unknownApp = await run(["listen", "news", "--key", "nobody"], { cwd, env });
    expect(unknownApp).toMatchObject({ code: 1, stdout: "" });
    expect(unknownApp.stderr).toMatch(/^fanfare: the server closed the connection: .*nobody.* \(app_unknown\)\n$/);
    const refusedChannel = await run(["listen", "private-news", "--secret", "wrong"], { cwd, env });
    expect(refusedChannel.code).toBe(1);
    expect(refusedChannel.stderr).toEndWith(" (token_invalid)\n");
    const token = await run(["token", "--user", "ada", "--channels", "private-other"], { cwd, env });
    const notPermitted = await run(["listen", "private-news", "--token", token.stdout.trim()], { cwd, env });
    expect(notPermitted.code).toBe(1);
    expect(notPermitted.stderr).toMatch(/^fanfare: the server refused private-news: .*\n$/);
    child.kill();
    await child.exited;
  });

  test("listen comes back when the server does", async () => {
    const first = await serve();
    const { cwd, env } = first;
    const listener = start(["listen", "news"], { cwd, env });
    await listener.err.until(/listening on news\n/);
    first.child.kill("SIGTERM");
    expect(await first.child.exited).toBe(0);
    await listener.err.until(/connection lost \(shutdown: .*\), trying again in /);
    const args = ["serve", "--port", first.port, "--host", "127.0.0.1", "--log-level", "silent"];
    const second = start(args, { cwd });
    await second.out.until(/Press Ctrl\+C/);
    await listener.err.until(/listening on news\n[\s\S]*listening on news\n/);
    await run(["publish", "news", "again", "1"], { cwd, env });
    await listener.out.until(/ {2}news {2}again {2}1\n/);
    for (const { child } of [listener, second]) {
      child.kill();
      await child.exited;
    }
  });
});

describe("the launcher", () => {
  const node = Bun.which("node") ?? "node";
  const launcher = join(repository, "packages/server/bin/fanfare.js");

  test("runs the command line from Node and hands on its exit code and signals", async () => {
    const command = [node, launcher];
    expect((await run(["--version"], { command })).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect((await run(["serve", "--port", "x"], { command })).code).toBe(1);
    const server = await serve({ command });
    server.child.kill("SIGTERM");
    expect(await server.child.exited).toBe(0);
  });

  /** A copy of the launcher whose `bun` package is as npm leaves it when install scripts are not run. */
  function withoutInstallScript(platformPackage: string | undefined): string {
    const home = folder();
    mkdirSync(join(home, "bin"));
    mkdirSync(join(home, "node_modules/bun/bin"), { recursive: true });
    writeFileSync(join(home, "package.json"), '{"type":"module"}');
    copyFileSync(launcher, join(home, "bin/fanfare.js"));
    symlinkSync(join(repository, "packages/server/src"), join(home, "src"));
    writeFileSync(join(home, "node_modules/bun/package.json"), '{"name":"bun"}');
    writeFileSync(join(home, "node_modules/bun/bin/bun.exe"), "echo not installed");
    chmodSync(join(home, "node_modules/bun/bin/bun.exe"), 0o755);
    if (platformPackage !== undefined) {
      const folderOf = join(home, "node_modules", platformPackage);
      mkdirSync(join(folderOf, "bin"), { recursive: true });
      writeFileSync(join(folderOf, "package.json"), "{}");
      symlinkSync(process.execPath, join(folderOf, "bin/bun"));
    }
    return join(home, "bin/fanfare.js");
  }

  const arch = process.arch === "arm64" ? "aarch64" : process.arch;
  test("finds the binary in the platform's package where install scripts were not run", async () => {
    const command = [node, withoutInstallScript(`@oven/bun-${process.platform}-${arch}`)];
    expect((await run(["--version"], { command })).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test("says what to run where there is no binary at all", async () => {
    const { code, stderr } = await run(["--version"], { command: [node, withoutInstallScript(undefined)] });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^fanfare: the Bun that belongs to it is not installed .*run `npm install` again.*\n$/);
  });
});
