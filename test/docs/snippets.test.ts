/** Every block of TypeScript and JavaScript in the documents compiles as it stands, against the packages as programs import them. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import tsconfig from "../../tsconfig.json";
import { spawnCli } from "../support/process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { allBlocks, type Block } from "./blocks.ts";

setDefaultTimeout(120_000);

const ROOT = join(import.meta.dir, "..", "..");

/** What a reader has around a block: what earlier blocks made, and the parts of a program that are not the block's business. */
const AROUND = `
import type { Channel, Client } from "@fanfare/client";
import type { Server, User } from "fanfare";

declare global {
  const server: Server;
  const client: Client;
  const room: Channel;
  const appId: string;
  const key: string;
  const secret: string;
  const jwt: string;
  const chatId: string;
  const APP_KEY: string;
  const Pusher: any;
  const Centrifuge: any;
  const getToken: () => Promise<string>;
  const options: any;
  const events: any;
  const accounts: { check(name: unknown, password: unknown): Promise<{ id: number; name: string } | undefined> };
  const sessions: { find(cookie: string | null): Promise<{ name: string } | undefined> };
  const list: { nodes: { url: string; connections: number; lagMs: number }[] } & Record<"app" | "strategy" | "signature", string> & { expiresAt: number };
  const prisma: { $transaction(work: (tx: any) => Promise<void>): Promise<void> };
  function load(): number;
  function greet(connection: object): void;
  function store(event: string, data: unknown, channel: string | undefined): void;
  function mayRead(user: User | undefined, channel: string): boolean;
  function moveCursor(id: string, state: unknown): void;
  function show(order: unknown): void;
  function render(state: unknown): void;
  function hideBanner(): void;
  interface Window {
    Pusher: any;
    Echo: any;
  }
  // In a page, Vite's.
  namespace NodeJS {
    interface ProcessEnv {
      VITE_PUSHER_APP_KEY: any;
      VITE_PUSHER_HOST: any;
      VITE_PUSHER_PORT: any;
      VITE_REVERB_PORT: any;
    }
  }
}
`;

/** A package that an example uses and this one does not need, and files that blocks before it are. */
const MODULES = `
declare module "sharp" {
  export default function sharp(image: Uint8Array): { resize(width: number): { toBuffer(): Promise<Uint8Array> } };
}
declare module "express" {
  const express: any;
  export default express;
}
declare module "*/pusher.js" {
  export const pusher: import("pusher-js").default;
}
declare module "*/use-channel.js" {
  export function useChannel(name: string, event: string, onEvent: (data: any) => void): void;
}
`;

/** What a block may take for granted that was imported above it. */
const IMPORTED: Readonly<Record<string, string>> = {
  ...from("fanfare", "createServer", "CommandError", "defineConfig", "Disconnect"),
  ...from("fanfare", "EndpointSocket", "FetchContext", "Params", "Raw", "Server", "User"),
  ...from("@fanfare/client", "batchAuthorizer", "createClient", "createLive", "iterate"),
};

/** A reader's settings are strict, and no stricter; of JavaScript an editor says what it can say of untyped code. */
const KINDS = [
  { languages: ["ts", "tsx"], options: { strict: true }, wrong: "server.toChannel(1);" },
  {
    languages: ["js", "jsx"],
    options: { allowJs: true, checkJs: true, strict: false },
    wrong: "client.canal(1);",
  },
] as const;

test.each(KINDS)("the blocks of $languages compile", async ({ languages, options, wrong }) => {
  const blocks = allBlocks().filter(({ language }) => languages.some((one) => one === language));
  expect(blocks.length).toBeGreaterThan(30);
  const folder = temporaryFolder();
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  const files = blocks.map((block) => {
    const { name, text } = programOf(block);
    write(name, text);
    return name;
  });
  write("around.d.ts", AROUND);
  write("modules.d.ts", MODULES);
  const wrongFile = `wrong.${languages[0]}`;
  write(wrongFile, `${wrong}\nexport {};\n`);
  const paths = Object.entries(tsconfig.compilerOptions.paths).map(([name, [path = ""]]) => [name, [join(ROOT, path)]]);
  const compilerOptions = {
    ...{ target: "esnext", module: "preserve", moduleResolution: "bundler", lib: ["esnext", "dom", "dom.iterable"] },
    ...{ types: ["bun"], jsx: "react-jsx", allowImportingTsExtensions: true, noEmit: true, skipLibCheck: true },
    ...options,
    paths: Object.fromEntries(paths),
  };
  write(
    "tsconfig.json",
    JSON.stringify({ compilerOptions, files: ["around.d.ts", "modules.d.ts", wrongFile, ...files] }),
  );
  const compiler = spawnCli(["-p", folder, "--pretty", "false"], {
    program: [join(ROOT, "node_modules/.bin/tsc")],
    cwd: folder,
  });
  await compiler.ended(100_000);
  // The one that is wrong on purpose, for a compiler that looks at nothing finds nothing.
  const found = compiler.stdout.split("\n").filter((line) => /^[^.\s]/.test(line));
  expect(found).toEqual([expect.stringMatching(new RegExp(`^${wrongFile}\\(1,`))]);
});

/** A whole program, or a part of one; where other blocks import it, under the name that its first line says. */
function programOf({ document, line, language, text }: Block) {
  const named = /^\/\/ (\w[\w-]*\.ts):/.exec(text)?.[1];
  // A part of a configuration: `log: { … }`.
  const whole = /^\w+: [{[]/.test(text) ? `defineConfig({ ${text} });` : text;
  const imports = Object.entries(IMPORTED)
    .filter(([name]) => new RegExp(`\\b${name}\\b`).test(whole))
    .filter(([name]) => !new RegExp(`import [^;]*\\b${name}\\b[^;]* from `).test(whole))
    .map(([name, module]) => `import { ${name} } from "${module}";`);
  return {
    name: named ?? `${document.replaceAll(/\W+/g, "-")}-${line}.${language}`,
    text: `${imports.join(" ")}\n${whole}\nexport {};\n`,
  };
}

function from(module: string, ...names: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(names.map((name) => [name, module]));
}
