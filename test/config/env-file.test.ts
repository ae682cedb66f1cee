/** `.env`: what dotenv and Laravel make of it, told from what the process was given, and the file and line it came from. */

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how variables are written there

import { expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnvFile } from "../../packages/server/src/config/environment/env-file.ts";
import { loadConfig } from "../../packages/server/src/config/load.ts";
import { run } from "../cli/run.ts";
import { eventually } from "../support/eventually.ts";
import { runCli, startProcess } from "../support/process.ts";
import { signedFetch } from "../support/pusher-client.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

setDefaultTimeout(60_000);

function folderWith(files: Readonly<Record<string, string | Buffer>>): string {
  const cwd = temporaryFolder();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text);
  return cwd;
}

const rows: readonly (readonly [written: string, meant: string])[] = [
  ["abc$def", "abc$def"],
  ["pa$$word", "pa$$word"],
  ["'abc$def'", "abc$def"],
  ['"p$4ss"', "p$4ss"],
  ["'a${ONE}b'", "a${ONE}b"],
  ['"a${ONE}b"', "aoneb"],
  ["a${NOBODY}b", "a${NOBODY}b"],
  ['"a${HOME}b"', "a${HOME}b"],
  ['"a\\"b"', 'a"b'],
  ["'a\\\"b'", 'a\\"b'],
  ['a\\"b', 'a\\"b'],
  ['"a\\nb"', "a\nb"],
  ["a b # of the shop", "a b"],
  ['"a # b"', "a # b"],
  ["", ""],
  ['"one\ntwo"', "one\ntwo"],
];

test.each(rows)("X=%s is %j", (written, meant) => {
  const found = parseEnvFile(`ONE=one\r\n\n# X=none\nexport X=${written}\nLAST=1\n`);
  expect(found.get("X")).toEqual({ text: meant, line: 4 });
  expect(found.get("LAST")?.line).toBe(written.includes("\n") ? 6 : 5);
});

test("what stands twice is the last, as of the line of that one", () => {
  expect(parseEnvFile("A=1\nA=2\n").get("A")).toEqual({ text: "2", line: 2 });
});

test("the process goes before the file, PORT of the file is the web application's, and no other file is read", async () => {
  const cwd = folderWith({
    ".env": "PORT=3000\nFANFARE_PATH=/file\nFANFARE_LIMITS_JSON_DEPTH=9\n",
    ".env.local": "FANFARE_HOST=local",
    ".env.production": "FANFARE_HOST=production",
  });
  const env = { FANFARE_PATH: "/process", NODE_ENV: "production" };
  const { config, variableLocations: places } = await loadConfig({ cwd, env });
  expect(config).toMatchObject({ port: 9501, path: "/process", host: "0.0.0.0", limits: { jsonDepth: 9 } });
  expect([...places]).toEqual([["FANFARE_LIMITS_JSON_DEPTH", ".env:3"]]);
  expect((await loadConfig({ cwd, env: { ...env, PORT: "4000" } })).config.port).toBe(4000);
  const { config: named } = await loadConfig({ cwd, env: { PORT: "4000", SOKETI_PORT: "6001" } });
  expect(named.port).toBe(6001);
});

test("`config show` says from which line of the file a value came, and a configuration in TypeScript sees the file's variables", async () => {
  const cwd = folderWith({
    ".env": "\nFANFARE_PORT=8123\nSHOP_SECRET='a$b'\n",
    "fanfare.config.ts":
      "export default { apps: [{ id: 'a', key: 'k', secret: process.env.SHOP_SECRET ?? '', name: process.env.SHOP_SECRET }] }",
  });
  for (const started of [run, runCli]) {
    const { stdout } = await started(["config", "show"], { cwd });
    expect(stdout).toContain("port = 8123   (from FANFARE_PORT in .env:2)\n");
    expect(stdout).toContain('"name":"a$b"');
  }
});

test("a secret that a password generator made is the same for the server, whoever starts it, and after a reload", async () => {
  const app = { id: "app1", key: "key1", secret: 'k$9"x$$Qz' };
  const cwd = folderWith({
    ".env": 'PUSHER_APP_ID=app1\nPUSHER_APP_KEY=key1\nPUSHER_APP_SECRET="k$9\\"x$$Qz"\n',
  });
  const server = await startProcess({ cwd, config: null });
  const status = async () => (await signedFetch(server.url, app, "GET", "/channels")).status;
  expect(await status()).toBe(200);
  expect((await runCli(["reload"], { cwd })).code).toBe(0);
  expect(await status()).toBe(200);
  await server.stop();
  const many = await startProcess({ cwd, config: null, args: ["--workers", "2"] });
  await eventually(async () => expect((await signedFetch(many.url, app, "GET", "/channels")).status).toBe(200));
});

test("a mark of Windows' editors is no part of a file, and UTF-16 is said to be that", async () => {
  const json = '{"port":7000,"apps":[{"id":"a","key":"k","secret":"s"}]}';
  const marked = folderWith({ "fanfare.config.json": `\uFEFF${json}`, ".env": "\uFEFFFANFARE_PATH=/ws\n" });
  expect((await loadConfig({ cwd: marked })).config).toMatchObject({ port: 7000, path: "/ws" });
  for (const name of ["fanfare.config.json", "fanfare.config.yaml", ".env"]) {
    const cwd = folderWith({ [name]: Buffer.from(`\uFEFF${json}`, "utf16le") });
    expect(loadConfig({ cwd })).rejects.toThrow(`${name} is in UTF-16: save it in the encoding UTF-8`);
  }
});
