/** The blocks of code in a document, and what they say: just so much of each language as the guides write. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type PusherLibrary from "pusher";
import { documents, ROOT } from "../../scripts/llms.ts";

export type Env = Readonly<Record<string, string>>;
export type Options = Readonly<Record<string, unknown>>;

export interface Block {
  readonly document: string;
  readonly line: number;
  readonly language: string;
  readonly text: string;
}

/** Every block of every document. */
export function allBlocks(): readonly Block[] {
  const paths = ["README.md", ...documents().flatMap(({ pages }) => pages.map(({ path }) => path))];
  return paths.flatMap((document) => {
    const text = readFileSync(join(ROOT, document), "utf8");
    return [...text.matchAll(/^( *)```(.*)\n([\s\S]*?)^ *```$/gm)].map(
      ([, indent = "", language = "", block = ""], at, all) => ({
        document,
        line: text.slice(0, all[at]?.index).split("\n").length,
        language,
        text: block.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
      }),
    );
  });
}

/** Every block of a language, without the indentation that a list gives it. */
export function blocksIn(text: string, language: string): string[] {
  const found = text.matchAll(new RegExp(`^( *)\`\`\`${language}\\n([^]*?)^ *\`\`\``, "gm"));
  return [...found].map(([, indentation = "", block = ""]) =>
    block
      .split("\n")
      .map((line) => (line.startsWith(indentation) ? line.slice(indentation.length) : line))
      .join("\n"),
  );
}

/** `NAME=value` and `NAME="${OTHER}"`. */
export function readEnv(text: string): Env {
  const env: Record<string, string> = {};
  for (const [, name = "", value = ""] of text.matchAll(/^(\w+)=(.*)$/gm)) {
    env[name] = value.replaceAll('"', "").replace(/\$\{(\w+)\}/g, (_, other: string) => env[other] ?? "");
  }
  return env;
}

export interface Connection {
  readonly driver: string;
  readonly key: string;
  readonly secret: string;
  readonly app_id: string;
  readonly options: Readonly<Record<string, string | number | boolean>>;
}

/** An array of arrays, `env` and `===`, which are JavaScript but for the brackets and the arrow. */
export function readPhp(text: string, env: Env): Connection {
  const script = text.replaceAll("=>", ":").replaceAll("[", "{").replaceAll("]", "}");
  const read = (name: string, otherwise: unknown = null) => env[name] ?? otherwise;
  const connections: Readonly<Record<string, Connection>> = new Function("env", `return {${script}};`)(read);
  const [connection] = Object.values(connections);
  if (connection === undefined) throw new Error("there is no connection in the block");
  return connection;
}

/** What a page hands to Echo, as Vite or Mix builds it. */
export function readEcho(text: string, env: Env): Options {
  const script = text.replaceAll(/^import .*$/gm, "").replaceAll("import.meta.env", "process.env");
  const [options] = argumentsOf("Echo", script, { process: { env } });
  return Object(options);
}

/** What a page hands to pusher-js. */
export function readPage(text: string): readonly [key: string, options: Options] {
  const [key, options] = argumentsOf("Pusher", text, {});
  return [String(key), Object(options)];
}

/** What a back end hands to Pusher's library. */
export function readBackend(text: string): PusherLibrary.Options {
  const [options] = argumentsOf("Pusher", text, {});
  return Object(options);
}

function argumentsOf(name: string, script: string, globals: Options): readonly unknown[] {
  let given: readonly unknown[] = [];
  class Taker {
    constructor(...all: readonly unknown[]) {
      given = all;
    }
  }
  const window = { location: { hostname: "localhost" } };
  const around = { window, require: () => Taker, Pusher: Taker, ...globals, [name]: Taker };
  new Function(...Object.keys(around), script)(...Object.values(around));
  return given;
}
