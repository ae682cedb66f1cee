/** `fanfare init`: what it writes is a configuration, in every format, and says what the table says. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FORMATS } from "../../packages/server/src/cli/command-spec.ts";
import { render } from "../../packages/server/src/cli/init/render.ts";
import { type Config, loadConfig, parseConfig } from "../../packages/server/src/config/load.ts";
import { type Setting, settings, settingsByPath } from "../../packages/server/src/config/settings.ts";
import { runCli } from "../support/process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { run } from "./run.ts";

setDefaultTimeout(20_000);

const MAIN = join(import.meta.dir, "../../packages/server/src/cli/main.ts");

const app = { id: "my-app", name: "My app", key: "the-key", secret: "the-secret-of-it" };
const expected = parseConfig({ apps: [app] });

async function load(format: string, text: string): Promise<Config> {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, `fanfare.config.${format}`), text);
  return (await loadConfig({ cwd })).config;
}

describe.each([...FORMATS])("a new configuration in %s", (format) => {
  const text = render(format, app);

  test("is what holds without one, with the app in it", async () => {
    expect(await load(format, text)).toEqual(expected);
  });

  test("names every setting outside lists that can be there", () => {
    const missing = settings
      // JSON has no comments, so that what has no default cannot be in it.
      .filter(({ path }) => format !== "json" || holds(expected, path))
      .map(({ path }) => path.split(".").at(-1) ?? "")
      .filter((name) => !new RegExp(`\\b${name}\\b`).test(text));
    expect(missing).toEqual([]);
  });
});

function holds(values: unknown, path: string): boolean {
  const found = path.split(".").reduce<unknown>((value, key) => {
    return typeof value === "object" && value !== null ? Object.getOwnPropertyDescriptor(value, key)?.value : undefined;
  }, values);
  return found !== undefined;
}

const marks = { ts: "//", yaml: "#", toml: "#" } as const;

describe.each(["ts", "yaml", "toml"] as const)("what is commented out in %s", (format) => {
  const mark = marks[format];
  const text = render(format, app);
  const lines = text.split("\n");

  test("comes with the sentence of the setting", () => {
    const prose = lines
      .filter((line) => new RegExp(`^\\s*(${mark} *)+[A-Z]|^\\s*(${mark} +)`).test(line))
      .map((line) => line.replaceAll(mark, "").trim())
      .join(" ");
    for (const { description } of settings) expect(prose).toContain(description.replaceAll(mark, "").trim());
  });

  test("changes nothing when its mark is taken away", async () => {
    const blocks = commentedBlocks(lines, mark);
    expect(blocks.length).toBeGreaterThan(20);
    const several = blocks.filter((block) => isDefault(block.map((index) => lines[index] ?? "").join("\n")));
    expect(several.length).toBeGreaterThan(15);
    const chosen = new Set(several.flat());
    const all = lines.map((line, index) => (chosen.has(index) ? uncommented(line, mark) : line)).join("\n");
    expect(await load(format, all)).toEqual(expected);
  });

  test("can be changed one by one", async () => {
    const changed = text.replace(new RegExp(`${mark}(port\\W+)9501`), "$18080");
    expect((await load(format, changed)).port).toBe(8080);
  });
});

/** Runs of lines that begin with the mark and are no prose, each from a setting to the end of what is in it. */
function commentedBlocks(lines: readonly string[], mark: string): number[][] {
  const isSetting = (line: string) => new RegExp(`^\\s*${mark}[\\w[]`).test(line);
  const isInside = (line: string) => new RegExp(`^\\s*${mark}( {2}|[}\\]])`).test(line);
  const blocks: number[][] = [];
  for (const [index, line] of lines.entries()) {
    const last = blocks.at(-1);
    if (isSetting(line)) blocks.push([index]);
    else if (isInside(line) && last?.at(-1) === index - 1) last.push(index);
  }
  return blocks;
}

/** What holds without being said, by name. What is in the other blocks only the user knows, or it is a model. */
const haveDefaults = new Set<string | undefined>([
  ...settings.filter(hasDefault).map(({ key }) => key),
  ...[...(settingsByPath.get("apps")?.element?.fields.values() ?? [])]
    .filter((setting) => hasDefault(setting) || settingsByPath.has(`defaults.${setting.key}`))
    .map(({ key }) => key),
]);

function hasDefault({ presence }: Setting): boolean {
  return presence === "default";
}

function isDefault(block: string): boolean {
  return haveDefaults.has(/^\s*(?:#|\/\/)(\w+)/.exec(block)?.[1]) && !block.includes("…");
}

function uncommented(line: string, mark: string): string {
  return line.replace(mark, "");
}

describe("fanfare init", () => {
  test("writes a TypeScript file with keys of its own, which nobody else can read, and says what comes next (A10, S42)", async () => {
    const cwd = temporaryFolder();
    const { code, stdout } = await run(["init"], { cwd });
    expect(code).toBe(0);
    expect(stdout).toContain("wrote fanfare.config.ts");
    expect(stdout).toContain("Next: start the server with `fanfare serve`");
    const file = join(cwd, "fanfare.config.ts");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const { config } = await loadConfig({ cwd });
    const [made] = config.apps;
    expect(made?.key).toMatch(/^[0-9a-f]{20}$/);
    expect(made?.secrets[0]).toMatch(/^[0-9a-f]{40}$/);
    expect(stdout).toContain(made?.key ?? "no app");
    expect(stdout).not.toContain(made?.secrets[0] ?? "no app");
    expect((await run(["config", "check"], { cwd })).stdout).toBe("the configuration is valid (fanfare.config.ts)\n");
  });

  test("makes other keys each time", async () => {
    const folders = [temporaryFolder(), temporaryFolder()];
    const texts: string[] = [];
    for (const cwd of folders) {
      await run(["init", "--format", "toml"], { cwd });
      texts.push(readFileSync(join(cwd, "fanfare.config.toml"), "utf8"));
    }
    const keys = texts.map((text) => /^key = "(.*)"$/m.exec(text)?.[1]);
    expect(keys[0]).toMatch(/^[0-9a-f]{20}$/);
    expect(keys[0]).not.toBe(keys[1]);
  });

  test("overwrites only with --force, and never puts a second file beside the first", async () => {
    const cwd = temporaryFolder();
    const file = join(cwd, "fanfare.config.yaml");
    writeFileSync(file, "port: 1\n");
    expect(await run(["init", "--format", "yaml"], { cwd })).toMatchObject({
      code: 1,
      stderr: "fanfare: there is fanfare.config.yaml already: overwrite it with --force\n",
    });
    for (const args of [["init"], ["init", "--force"]]) {
      const { code, stderr } = await run(args, { cwd });
      expect(code).toBe(1);
      expect(stderr).toStartWith("fanfare: there is fanfare.config.yaml already, and there may be only one");
    }
    expect(readFileSync(file, "utf8")).toBe("port: 1\n");
    expect((await run(["init", "--format", "yaml", "--force"], { cwd })).code).toBe(0);
    expect(readFileSync(file, "utf8")).toContain("my-app");
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test("leaves nothing behind where there is no room for all of it", async () => {
    const cwd = temporaryFolder();
    const script = 'trap "" XFSZ; ulimit -f 2; exec "$@"';
    const cramped = ["bash", "-c", script, "bash", process.execPath, MAIN] as const;
    const { code, stderr } = await runCli(["init"], { cwd, program: cramped });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^fanfare: cannot write fanfare.config.ts: .*\n$/);
    expect(readdirSync(cwd)).toEqual([]);
  });

  test("says in one line what is wrong with the format or the folder", async () => {
    const { code, stderr } = await run(["init", "--format", "xml"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^fanfare: option '--format <format>' argument 'xml' is invalid. Allowed choices are ts, json, yaml, toml.\n$/,
    );
    const cwd = temporaryFolder();
    mkdirSync(join(cwd, "fanfare.config.json"));
    const taken = await run(["init", "--format", "json", "--force"], { cwd });
    expect(taken).toMatchObject({ code: 1, stderr: "fanfare: cannot write fanfare.config.json: it is a folder\n" });
  });
});
