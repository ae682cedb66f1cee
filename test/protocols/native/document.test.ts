/** docs/protocol/native.md says what the code does: each name, number and example in it is held against the source. */

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { parseConfig } from "../../../packages/server/src/config/load.ts";
import { COMMAND_ERRORS, DISCONNECTS, type DisconnectCode } from "../../../packages/server/src/domain/error.ts";
import { CLOSE_CODES } from "../../../packages/server/src/protocols/close-codes.ts";
import { nativeProtocol } from "../../../packages/server/src/protocols/native/codec.ts";
import { ID_LENGTH, RESERVED } from "../../../packages/server/src/protocols/native/wire.ts";

const text = await Bun.file(join(import.meta.dir, "../../../docs/protocol/native.md")).text();
/** What a native client never meets at its own address. */
const PUSHERS = new Set<string>(["path_unknown", "version_malformed", "protocol_unsupported", "protocol_missing"]);

function section(number: number): string {
  const found = text.split(/^## /m).find((part) => part.startsWith(`${number}. `));
  if (!found) throw new Error(`There is no section ${number}.`);
  return found;
}

/** The cells of the section's table rows that begin with a name in backticks. */
function rows(number: number): string[][] {
  const lines = section(number).split("\n");
  return lines
    .filter((line, at) => /^\| `\w/.test(line) && !lines[at + 1]?.startsWith("|---"))
    .map((line) =>
      line
        .split("|")
        .map((cell) => cell.trim())
        .slice(1, -1),
    );
}

function nameIn(cell = ""): string {
  return cell.replaceAll("`", "");
}

describe("the document", () => {
  test("has every farewell with its close code and its rule, and no other", () => {
    const told = rows(9).map(([code, number, rule]) => [nameIn(code), Number(number), rule ?? ""]);
    const known = (Object.keys(DISCONNECTS) as DisconnectCode[]).filter((code) => !PUSHERS.has(code));
    expect(told.toSorted()).toEqual(known.map((code) => [code, CLOSE_CODES[code], DISCONNECTS[code]]).toSorted());
  });

  test("has every error, and no other", () => {
    expect(
      rows(10)
        .map(([code]) => nameIn(code))
        .toSorted(),
    ).toEqual(Object.keys(COMMAND_ERRORS).toSorted());
  });

  test("has every name that the protocol reserves, and no other", () => {
    const told = [...rows(3), ...rows(4)].map(([name]) => nameIn(name));
    expect(new Set(told)).toEqual(new Set(RESERVED));
  });

  test("has the defaults of the configuration", () => {
    const { limits, defaults, activityTimeoutS, pongTimeoutS } = parseConfig({});
    const settings: Record<string, number> = { ...numbersOf(limits, "limits."), ...numbersOf(defaults.limits, "") };
    const lines = section(11)
      .split("\n")
      .filter((line) => line.startsWith("| "));
    const checked = lines.flatMap((line) => {
      const [, , setting = "", value = ""] = line.split("|").map((cell) => cell.trim());
      const names = Array.from(setting.matchAll(/`([\w.]+)`/g), ([, name = ""]) => name);
      return names.filter((name) => name in settings).map((name) => [name, spelt(value), settings[name]] as const);
    });
    for (const [name, told, real] of checked) expect([name, told]).toEqual([name, real ?? Number.NaN]);
    expect(checked.length).toBeGreaterThan(18);
    expect(section(11)).toContain(`| ${activityTimeoutS} s; ${pongTimeoutS} s |`);
    expect(section(11)).toContain(`| fixed | ${ID_LENGTH} characters |`);
  });

  test("has examples of commands that are commands, and of frames that are JSON", () => {
    const protocol = nativeProtocol({ jsonDepth: 32 });
    const blocks = Array.from(text.matchAll(/```json\n([\s\S]*?)```/g), ([, block = ""]) => block.trim().split("\n"));
    const [commands = [], ...frames] = blocks;
    expect(commands.map((line) => protocol.decode(line).type)).toEqual([
      "subscribe",
      "unsubscribe",
      "publish",
      "presence",
      "history",
      "signin",
      "ping",
      "call",
    ]);
    expect(frames.flat().length).toBeGreaterThan(8);
    for (const line of frames.flat()) expect(JSON.stringify(JSON.parse(line))).toBe(line);
  });
});

function numbersOf(limits: object, prefix: string): Record<string, number> {
  return Object.fromEntries(Object.entries(limits).map(([name, value]) => [prefix + name, Number(value)]));
}

/** "65 536 bytes", "1 MiB", "unlimited". */
function spelt(value: string): number {
  if (value.startsWith("unlimited")) return Number.POSITIVE_INFINITY;
  if (value === "1 MiB") return 2 ** 20;
  return Number(/^[\d ]+/.exec(value)?.[0].replaceAll(" ", ""));
}
