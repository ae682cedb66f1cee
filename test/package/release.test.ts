/** `npm run release`, for the platform at hand: what it leaves in its folder is whole, runs, and installs side by side. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { targetHere } from "../../scripts/executable/build.ts";
import { copyOfCheckout, install, run } from "../support/packing.ts";
import { runCli, startProcess } from "../support/process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

setDefaultTimeout(120_000);

const ROOT = join(import.meta.dir, "..", "..");
const { version } = JSON.parse(readFileSync(join(ROOT, "packages", "server", "package.json"), "utf8"));
const PACKAGES = ["fanfare", "fanfare-client", "fanfare-nats", "fanfare-publisher", "fanfare-schema"];
const TARBALLS = PACKAGES.map((name) => `${name}-${version}.tgz`);
const ARCHIVE = `fanfare-${version}-${targetHere()}.tar.gz`;
const SBOM = `fanfare-${version}.cdx.json`;

const folder = join(temporaryFolder(), "release");
await run([process.execPath, join(copyOfCheckout(), "scripts", "release.ts"), "--out", folder], ROOT);

test("it holds an archive, the packages, what is in them and the sums, and each sum is right", async () => {
  expect(readdirSync(folder).sort()).toEqual([ARCHIVE, SBOM, "SHA256SUMS", ...TARBALLS].sort());
  const sums = readFileSync(join(folder, "SHA256SUMS"), "utf8")
    .trim()
    .split("\n")
    .map((line) => line.split("  "));
  expect(sums.map(([, file]) => file)).toEqual([ARCHIVE, SBOM, ...TARBALLS].sort());
  for (const [sum = "", file = ""] of sums)
    expect([file, new Bun.CryptoHasher("sha256").update(readFileSync(join(folder, file))).digest("hex")]).toEqual([
      file,
      sum,
    ]);
});

test("the archive has the executable and the licence, and the executable serves alone", async () => {
  const cwd = temporaryFolder();
  await run(["tar", "-xzf", join(folder, ARCHIVE)], cwd);
  const [inside = ""] = readdirSync(cwd);
  expect(readdirSync(join(cwd, inside)).sort()).toEqual(["LICENSE", "fanfare"]);
  const alone = { program: [join(cwd, inside, "fanfare")] as const, env: { PATH: "/nowhere" } };
  expect((await runCli(["--version"], alone)).stdout.trim()).toBe(version);
  const server = await startProcess(alone);
  expect(await server.stop("SIGTERM")).toEqual({ code: 0, signal: null });
});

test("the list has every dependency of the packages in the version of the lock file, and none of development", () => {
  const sbom = JSON.parse(readFileSync(join(folder, SBOM), "utf8"));
  const { name, version: own } = sbom.metadata.component;
  expect([sbom.bomFormat, name, own]).toEqual(["CycloneDX", "fanfare", version]);
  const listed = new Map(
    sbom.components.map(({ group, name, version: own }: Component) => [group ? `${group}/${name}` : name, own]),
  );
  const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, "packages", "server", "package.json"), "utf8"));
  expect(Object.keys(dependencies).length).toBeGreaterThan(5);
  for (const name of Object.keys(dependencies))
    expect([name, listed.get(name)]).toEqual([name, packages[`node_modules/${name}`].version]);
  for (const name of ["vitepress", "knip", "playwright-core"]) expect(listed.has(name)).toBe(false);
});

interface Component {
  readonly group?: string;
  readonly name: string;
  readonly version: string;
}

test("all packages install side by side in an empty folder, and each can be used", async () => {
  const folderOfSomebody = await install(...TARBALLS.map((file) => join(folder, file)));
  mkdirSync(join(folderOfSomebody, "state"));
  expect(readdirSync(join(folderOfSomebody, "node_modules", "@fanfare")).sort()).toEqual([
    "client",
    "nats",
    "publisher",
    "schema",
  ]);
  expect((await run(["npx", "fanfare", "--version"], folderOfSomebody)).trim()).toBe(version);
  const program = `
    const { createClient } = await import("@fanfare/client");
    const { createPublisher } = await import("@fanfare/publisher");
    const { defineEvents } = await import("@fanfare/schema");
    console.log([createClient, createPublisher, defineEvents].map((one) => typeof one).join());
  `;
  expect((await run(["node", "--input-type=module", "-e", program], folderOfSomebody)).trim()).toBe(
    "function,function,function",
  );
  const server = await startProcess({
    program: ["npx", "fanfare"],
    cwd: folderOfSomebody,
    args: ["--engine", "nats", "--nats-servers", '["127.0.0.1:1"]'],
  });
  // The engine was found; there is no NATS at that address.
  expect((await fetch(`${server.url}/ready`)).status).toBe(503);
});
