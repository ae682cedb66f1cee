/** Where settings come from, which source wins, and what is said when one of them is wrong. */

import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError, loadConfig, type Sources } from "../../packages/server/src/config/load.ts";
import { settings } from "../../packages/server/src/config/settings.ts";

const root = mkdtempSync(join(tmpdir(), "fanfare-config-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let folders = 0;
function folder(files: Readonly<Record<string, string>> = {}): string {
  const cwd = join(root, String(++folders));
  mkdirSync(cwd);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text);
  return cwd;
}

function refusal(files: Readonly<Record<string, string>>, sources: Omit<Sources, "cwd"> = {}): Promise<string> {
  return refusalIn(folder(files), sources);
}

async function refusalIn(cwd: string, sources: Omit<Sources, "cwd"> = {}): Promise<string> {
  try {
    await loadConfig({ cwd, ...sources });
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return "accepted";
}

describe("the sources", () => {
  test("are laid over each other: defaults, file, environment, flags", async () => {
    const { config, sources, file } = await loadConfig({
      cwd: folder({ "fanfare.config.json": '{"host":"a","port":1,"path":"/f","limits":{"jsonDepth":9}}' }),
      env: { FANFARE_PORT: "2", FANFARE_PATH: "/e" },
      flags: { path: "/x" },
    });
    expect(config).toMatchObject({ host: "a", port: 2, path: "/x", drainTimeoutS: 5 });
    expect(config.limits).toMatchObject({ jsonDepth: 9, frameBytes: 655_360 });
    expect(Object.fromEntries(sources)).toEqual({
      host: "fanfare.config.json",
      port: "FANFARE_PORT",
      path: "--path",
      "limits.jsonDepth": "fanfare.config.json",
    });
    expect(file).toBe("fanfare.config.json");
  });

  test("may all be empty", async () => {
    const { config, sources, file } = await loadConfig({ cwd: folder() });
    expect([config.port, sources.size, file]).toEqual([9501, 0, undefined]);
  });

  test("have a name of its own in the environment for every setting", () => {
    const names = settings.map(({ env }) => env);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toContain("FANFARE_LIMITS_FRAME_BYTES");
    expect(names).toContain("FANFARE_DEFAULTS_LIMITS_CLIENT_EVENTS_PER_SECOND");
    expect(settings.map(({ flag }) => flag)).toContain("--limits-frame-bytes");
  });
});

describe("a configuration file", () => {
  const files: [string, string][] = [
    ["fanfare.config.ts", "const port: number = 77; export default { port, log: { level: 'warn' } }"],
    ["fanfare.config.js", "export default { port: 77, log: { level: 'warn' } }"],
    ["fanfare.config.json", '{"port":77,"log":{"level":"warn"}}'],
    ["fanfare.config.yaml", "port: 77\nlog:\n  level: warn\n"],
    ["fanfare.config.yml", "port: 77\nlog: { level: warn }\n"],
    ["fanfare.config.toml", 'port = 77\n[log]\nlevel = "warn"\n'],
  ];
  test.each(files)("may be a %s", async (name, text) => {
    const { config, sources } = await loadConfig({ cwd: folder({ [name]: text }) });
    expect([config.port, config.log.level]).toEqual([77, "warn"]);
    expect(sources.get("log.level")).toBe(name);
  });

  test("that is named is read, and no other is looked for", async () => {
    const cwd = folder({
      "other.yaml": "port: 5",
      "fanfare.config.json": '{"port":6}',
      "fanfare.config.toml": "port = 7",
    });
    expect((await loadConfig({ cwd, file: "other.yaml" })).config.port).toBe(5);
    expect((await loadConfig({ cwd: folder(), file: join(cwd, "other.yaml") })).config.port).toBe(5);
  });

  test("that is an empty YAML file says nothing", async () => {
    expect((await loadConfig({ cwd: folder({ "fanfare.config.yaml": "# nothing yet\n" }) })).config.port).toBe(9501);
  });

  const broken: [string, string, string][] = [
    ["fanfare.config.json", '{\n  "port": 1,\n  x }', "fanfare.config.json:3:3 is not valid JSON"],
    ["fanfare.config.yaml", "port: 1\nlog: [\nx: {", "fanfare.config.yaml:3:1 is not valid YAML"],
    ["fanfare.config.toml", "a = 1\nport = = 1", "fanfare.config.toml:2:8 is not valid TOML"],
    [
      "fanfare.config.ts",
      "export default {\n  port: 5 5 }",
      'fanfare.config.ts:2:11 cannot be loaded: Expected "}" but found "5"',
    ],
    ["fanfare.config.ts", 'throw new Error("no database\\nat all")', "fanfare.config.ts cannot be loaded: no database"],
    ["fanfare.config.ts", 'import "./nope.ts";', "fanfare.config.ts cannot be loaded: Cannot find module './nope.ts'"],
    [
      "fanfare.config.ts",
      "export const port = 1;",
      "fanfare.config.ts exports no configuration: it needs `export default defineConfig({ … })`",
    ],
    ["fanfare.config.json", "[1]", "fanfare.config.json has to be an object, but is a list"],
    [
      "fanfare.config.json",
      '{"port":"x"}',
      '`port` has to be a whole number from 0 to 65535, but is "x" (from fanfare.config.json)',
    ],
    ["fanfare.config.toml", "prot = 1", "unknown key `prot`: did you mean `port`? (from fanfare.config.toml)"],
  ];
  test.each(broken)("%s holding %j is refused in one line", async (name, text, sentence) => {
    expect(await refusal({ [name]: text })).toBe(sentence);
  });

  test("does not have its text quoted where it does not parse, for there may be a secret in it", async () => {
    expect(await refusal({ "fanfare.config.json": '{"apps":[{"secret": hushhush}]}' })).not.toContain("hush");
  });

  test("beside another one is refused, naming both", async () => {
    expect(await refusal({ "fanfare.config.js": "export default {}", "fanfare.config.toml": "" })).toBe(
      "there are 2 configuration files, fanfare.config.js and fanfare.config.toml: keep one, or name one with --config",
    );
  });

  test("that is not there, is a folder or has a strange name is refused", async () => {
    expect(await refusal({}, { file: "nope.json" })).toBe("cannot read nope.json: there is no such file");
    expect(await refusal({}, { file: "." })).toBe("cannot read .: it is a folder");
    expect(await refusal({ "a.ini": "" }, { file: "a.ini" })).toBe(
      "cannot read a.ini: its name has to end in .ts, .js, .json, .yaml, .yml or .toml",
    );
  });

  test("that may not be read is refused", async () => {
    const cwd = folder({ "fanfare.config.json": "{}" });
    chmodSync(root, 0o755);
    chmodSync(join(cwd, "fanfare.config.json"), 0);
    const isRoot = process.getuid?.() === 0;
    // Root may read everything; for the length of this test it is nobody.
    if (isRoot) process.seteuid?.(65_534);
    try {
      expect(await refusalIn(cwd)).toBe("cannot read fanfare.config.json: permission denied");
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });
});

describe("the environment", () => {
  const load = async (env: Record<string, string>) => (await loadConfig({ cwd: folder(), env })).config;

  test("sets numbers, switches and text", async () => {
    const config = await load({
      FANFARE_PORT: " 80 ",
      FANFARE_DRAIN_TIMEOUT_S: "0.5",
      FANFARE_STRICT_PROTOCOL: "yes",
      FANFARE_DEFAULTS_CLIENT_EVENTS: "TRUE",
      FANFARE_DEFAULTS_LIMITS_CONNECTIONS: "unlimited",
      FANFARE_DEFAULTS_LIMITS_BATCH_SIZE: "4",
      FANFARE_LOG_LEVEL: "silent",
    });
    expect(config).toMatchObject({ port: 80, drainTimeoutS: 0.5, strictProtocol: true, log: { level: "silent" } });
    expect(config.defaults).toMatchObject({ clientEvents: true, limits: { batchSize: 4 } });
  });

  test("sets lists and objects by JSON, and what is in an object has the last word", async () => {
    const config = await load({
      FANFARE_APPS: '[{"id":"a","key":"k","secret":"s"}]',
      FANFARE_LIMITS: '{"frameBytes":1000,"jsonDepth":5}',
      FANFARE_LIMITS_FRAME_BYTES: "2000",
    });
    expect(config.apps[0]).toMatchObject({ id: "a", key: "k", secrets: ["s"] });
    expect(config.limits).toMatchObject({ frameBytes: 2000, jsonDepth: 5 });
  });

  test("knows the other names that some settings have", async () => {
    const config = await load({
      WEBSOCKET_HOST: "h",
      WEBSOCKET_PORT: "3",
      WEBSOCKET_WORKERS: "1",
      NODE_ENV: "production",
    });
    expect(config).toMatchObject({ host: "h", port: 3, workers: 1, mode: "production" });
  });

  test("counts an empty variable as none, and a NODE_ENV that is no mode too", async () => {
    const config = await load({ FANFARE_PORT: "", WEBSOCKET_PORT: "", PUSHER_APP_ID: "", NODE_ENV: "test" });
    expect([config.port, config.mode, config.apps]).toEqual([9501, "development", []]);
  });

  test("is not confused by what Kubernetes sets for a Service that is called fanfare", async () => {
    const config = await load({
      FANFARE_PORT: "tcp://192.0.2.7:9501",
      FANFARE_PORT_9501_TCP: "tcp://192.0.2.7:9501",
      FANFARE_PORT_9501_TCP_ADDR: "192.0.2.7",
      FANFARE_SERVICE_HOST: "192.0.2.7",
      FANFARE_SERVICE_PORT: "9501",
      FANFARE_SERVICE_PORT_HTTP: "9501",
    });
    expect(config.port).toBe(9501);
  });

  const wrong: [Record<string, string>, string][] = [
    [{ FANFARE_PROT: "1" }, "unknown environment name FANFARE_PROT: did you mean FANFARE_PORT?"],
    [{ FANFARE_QQQQQQQQQQQQ: "1" }, "unknown environment name FANFARE_QQQQQQQQQQQQ: see docs/configuration.md"],
    [
      { FANFARE_PORT: "1", WEBSOCKET_PORT: "2" },
      "FANFARE_PORT is the number 1 and WEBSOCKET_PORT is the number 2: both mean `port`, so unset one of them",
    ],
    [
      { FANFARE_HOST: "a", WEBSOCKET_HOST: "b" },
      'FANFARE_HOST is "a" and WEBSOCKET_HOST is "b": both mean `host`, so unset one of them',
    ],
    [
      { FANFARE_MODE: "production", NODE_ENV: "development" },
      'FANFARE_MODE is "production" and NODE_ENV is "development": both mean `mode`, so unset one of them',
    ],
    [{ WEBSOCKET_PORT: "x" }, '`port` has to be a whole number from 0 to 65535, but is "x" (from WEBSOCKET_PORT)'],
    [
      { WEBSOCKET_WORKERS: "0" },
      '`workers` has to be a whole number from 1 to 256, or "auto", but is the number 0 (from WEBSOCKET_WORKERS)',
    ],
    [{ FANFARE_PORT: "0x50" }, '`port` has to be a whole number from 0 to 65535, but is "0x50" (from FANFARE_PORT)'],
    [
      { FANFARE_STRICT_PROTOCOL: "maybe" },
      '`strictProtocol` has to be true or false, but is "maybe" (from FANFARE_STRICT_PROTOCOL)',
    ],
    [{ FANFARE_APPS: '[{"secret":"hush' }, "FANFARE_APPS has to be JSON (a list of apps), but does not parse"],
    [{ FANFARE_APPS: '{"id":"a"}' }, "`apps` has to be a list of apps, but is an object (from FANFARE_APPS)"],
    [
      { FANFARE_LIMITS: '{"frameByte":1}' },
      "unknown key `limits.frameByte`: did you mean `limits.frameBytes`? (from FANFARE_LIMITS)",
    ],
    [
      { FANFARE_TLS: '{"certFile":"nope.pem","keyFile":"fanfare.config.json"}' },
      "`tls.certFile`: cannot read nope.pem: there is no such file (from FANFARE_TLS)",
    ],
  ];
  test.each(wrong)("%j is refused in one line", async (env, sentence) => {
    expect(await refusal({ "fanfare.config.json": "{}" }, { env })).toBe(sentence);
  });

  test("may name a setting twice where both agree", async () => {
    expect((await load({ FANFARE_PORT: "7", WEBSOCKET_PORT: "07" })).port).toBe(7);
  });
});

describe("the PUSHER_APP_… variables", () => {
  const pusher = { PUSHER_APP_ID: "1", PUSHER_APP_KEY: "k", PUSHER_APP_SECRET: "s" };

  test("make one app", async () => {
    const { config, sources } = await loadConfig({ cwd: folder(), env: { ...pusher, PUSHER_APP_NAME: "Shop" } });
    expect(config.apps).toHaveLength(1);
    expect(config.apps[0]).toMatchObject({ id: "1", key: "k", secrets: ["s"], name: "Shop" });
    expect(sources.get("apps[0]")).toBe("PUSHER_APP_ID, PUSHER_APP_KEY and PUSHER_APP_SECRET");
  });

  test("add their app to those that are configured otherwise", async () => {
    const env = { ...pusher, FANFARE_APPS: '[{"id":"a","key":"b","secret":"c"}]' };
    expect((await loadConfig({ cwd: folder(), env })).config.apps.map(({ id }) => id)).toEqual(["a", "1"]);
  });

  test("complete the app of the same id that is configured without key and secret", async () => {
    const FANFARE_APPS = '[{"id":"a","key":"b","secret":"c"},{"id":"1","clientEvents":true}]';
    const { config, sources } = await loadConfig({ cwd: folder(), env: { ...pusher, FANFARE_APPS } });
    expect(config.apps).toMatchObject([{ id: "a" }, { id: "1", key: "k", secrets: ["s"], clientEvents: true }]);
    expect(sources.get("apps[1].secret")).toBe("PUSHER_APP_SECRET");
  });

  const wrong: [Record<string, string>, string][] = [
    [
      { PUSHER_APP_ID: "1", PUSHER_APP_KEY: "k" },
      "PUSHER_APP_SECRET is missing: PUSHER_APP_ID and PUSHER_APP_KEY are set, and it takes all three to make an app",
    ],
    [
      { PUSHER_APP_SECRET: "s" },
      "PUSHER_APP_ID and PUSHER_APP_KEY are missing: PUSHER_APP_SECRET is set, and it takes all three to make an app",
    ],
    [
      { ...pusher, PUSHER_APP_ID: "a/b" },
      '`apps[0].id` has to be text of up to 128 letters, digits, "-", "_" and ".", but is "a/b" (from PUSHER_APP_ID)',
    ],
    [
      { ...pusher, FANFARE_APPS: '[{"id":"1","key":"b","secret":"c"}]' },
      '`apps[1].id` is "1", as `apps[0].id` is: every app needs an id of its own (from PUSHER_APP_ID, PUSHER_APP_KEY and PUSHER_APP_SECRET)',
    ],
  ];
  test.each(wrong)("%j are refused in one line", async (env, sentence) => {
    expect(await refusal({}, { env })).toBe(sentence);
  });
});

describe("flags", () => {
  test("set switches, numbers and lists", async () => {
    const flags = { strictProtocol: true, "limits.frameBytes": "4096", apps: '[{"id":"a","key":"b","secret":"c"}]' };
    const { config, sources } = await loadConfig({ cwd: folder(), flags });
    expect(config).toMatchObject({ strictProtocol: true, limits: { frameBytes: 4096 }, apps: [{ id: "a" }] });
    expect(sources.get("limits.frameBytes")).toBe("--limits-frame-bytes");
  });

  const wrong: [Record<string, string | boolean>, string][] = [
    [{ port: "x" }, '`port` has to be a whole number from 0 to 65535, but is "x" (from --port)'],
    [{ apps: "hush" }, "--apps has to be JSON (a list of apps), but does not parse"],
    [{ prot: "1" }, "unknown setting `prot`: did you mean `port`?"],
  ];
  test.each(wrong)("%j are refused in one line", async (flags, sentence) => {
    expect(await refusal({}, { flags })).toBe(sentence);
  });
});
