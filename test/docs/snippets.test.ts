/** Every TypeScript block of the documents compiles as it stands, against the package as programs import it. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { spawnCli } from "../support/process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { GUIDES } from "./guides.ts";

setDefaultTimeout(120_000);

const ROOT = join(import.meta.dir, "..", "..");

/** What a reader has around the block: a server, and the parts of a program that are not the block's business. */
const AROUND = `
import type { Connection, Server, User } from "fanfare";

declare global {
  const server: Server;
  const accounts: { check(name: unknown, password: unknown): Promise<{ id: number; name: string } | undefined> };
  const sessions: { find(cookie: string | null): Promise<{ name: string } | undefined> };
  function load(): number;
  function greet(connection: object): void;
  function store(event: string, data: unknown, channel: string | undefined): void;
  function mayRead(user: User | undefined, channel: string): boolean;
}
`;

/** A package that an example uses and this one does not need. */
const SHARP = `
declare module "sharp" {
  export default function sharp(image: Uint8Array): { resize(width: number): { toBuffer(): Promise<Uint8Array> } };
}
`;

/** What a block takes for granted that was imported above it, besides what it imports itself. */
const IMPORTS = `import { createServer, CommandError, Disconnect, type EndpointSocket, type FetchContext, type Params, type Raw, type Server, type User } from "fanfare";\n`;

interface Block {
  readonly file: string;
  readonly text: string;
}

function blocksOf(name: string, text: string): Block[] {
  const found = [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, block = ""]) => block);
  return found.map((block, index) => {
    const alone = block.includes('from "fanfare"') ? block : `${IMPORTS}${block}`;
    const named = /^\/\/ (\w[\w-]*\.ts):/.exec(block)?.[1];
    return { file: named ?? `${name.replaceAll(/\W+/g, "-")}-${index + 1}.ts`, text: `${alone}\nexport {};\n` };
  });
}

const documents = ["README.md", "docs/library.md"].map(
  (path) => [path, readFileSync(join(ROOT, path), "utf8")] as const,
);
const blocks = [...documents, ...GUIDES.map(({ name, text }) => [name, text] as const)].flatMap(([name, text]) =>
  blocksOf(name, text),
);

test("the TypeScript in the documents compiles", async () => {
  expect(blocks.length).toBeGreaterThan(20);
  const folder = temporaryFolder();
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(join(ROOT, "packages", "server"), join(folder, "node_modules", "fanfare"));
  for (const name of ["hono", "zod", "@types", "bun-types"])
    symlinkSync(join(ROOT, "node_modules", name), join(folder, "node_modules", name));
  // A reader's settings are strict, and no stricter.
  const options = {
    ...{ target: "esnext", module: "preserve", moduleResolution: "bundler", lib: ["esnext", "dom", "dom.iterable"] },
    ...{ types: ["bun"], strict: true, allowImportingTsExtensions: true, noEmit: true, skipLibCheck: true },
    paths: {
      fanfare: [join(ROOT, "packages/server/src/index.ts")],
      "fanfare/engine": [join(ROOT, "packages/server/src/engine.ts")],
      "fanfare/testing": [join(ROOT, "packages/server/testing/index.ts")],
      "@fanfare/nats": [join(ROOT, "packages/nats/src/index.ts")],
      "@fanfare/client": [join(ROOT, "packages/client/src/index.ts")],
      "@fanfare/schema": [join(ROOT, "packages/schema/src/index.ts")],
    },
  };
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: options,
      files: ["sharp.d.ts", "around.ts", "wrong.ts", ...blocks.map(({ file }) => file)],
    }),
  );
  writeFileSync(join(folder, "around.ts"), AROUND);
  writeFileSync(join(folder, "wrong.ts"), "server.toChannel(1);\nexport {};\n");
  writeFileSync(join(folder, "sharp.d.ts"), SHARP);
  for (const { file, text } of blocks) writeFileSync(join(folder, file), text);
  const compiler = spawnCli(["-p", folder, "--noEmit", "--pretty", "false"], {
    program: [join(ROOT, "node_modules/.bin/tsc")],
    cwd: folder,
  });
  await compiler.ended(100_000);
  // The one that is wrong on purpose, for a compiler that looks at nothing finds nothing.
  const found = compiler.stdout.split("\n").filter((line) => /^[^.\s]/.test(line));
  expect(found).toEqual([expect.stringMatching(/^wrong\.ts\(1,/)]);
});
