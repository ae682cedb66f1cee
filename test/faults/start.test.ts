/** What keeps the server from starting: one clear line, exit code 1, no stack, and quickly. */

import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ConfigInput } from "../../packages/server/src/index.ts";
import { Authority } from "../support/certificates.ts";
import { spawnCli } from "../support/process.ts";
import { APP, startServer } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const QUICKLY_MS = 30_000;

async function refusalOf(config: ConfigInput | string, args: readonly string[] = []): Promise<string> {
  const cwd = temporaryFolder();
  const text = typeof config === "string" ? config : JSON.stringify({ host: "127.0.0.1", apps: [APP], ...config });
  writeFileSync(join(cwd, "fanfare.config.json"), text);
  const child = spawnCli(["serve", ...args], { cwd });
  expect(await child.ended(QUICKLY_MS)).toEqual({ code: 1, signal: null });
  expect(child.stdout).toBe("");
  const lines = child.stderr.trimEnd().split("\n");
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^fanfare: .{20,}/);
  expect(lines[0]).not.toMatch(/\bat .*:\d+:\d+|node_modules|undefined|\[object/);
  return lines[0] ?? "";
}

test("a port in use", async () => {
  const { port } = await startServer();
  expect(await refusalOf({ port })).toContain(`port ${port} is already in use`);
});

test("an address that is not the machine's", async () => {
  expect(await refusalOf({ host: "192.0.2.1", port: 0 })).toContain("192.0.2.1");
});

test("a key that does not exist", async () => {
  expect(await refusalOf('{"prot": 1}')).toMatch(/prot\b.*\bport\b/);
});

test("a value that is none", async () => {
  expect(await refusalOf('{"port": "many"}')).toContain("port");
});

test("a configuration file that is not JSON", async () => {
  expect(await refusalOf('{"port": ')).toContain("fanfare.config.json");
});

test("a configuration file that is not there", async () => {
  expect(await refusalOf({}, ["--config", "missing.json"])).toContain("missing.json");
});

/** Files named in the configuration; `null` for one that is not there. */
function tlsFiles(certificate: string, key: string | null) {
  const folder = temporaryFolder();
  const tls = { certFile: join(folder, "cert.pem"), keyFile: join(folder, "key.pem") };
  writeFileSync(tls.certFile, certificate);
  if (key !== null) writeFileSync(tls.keyFile, key);
  return tls;
}

test("a TLS key that is not there", async () => {
  const tls = tlsFiles("x", null);
  expect(await refusalOf({ port: 0, tls })).toMatch(new RegExp(`tls\\.keyFile.*${tls.keyFile}`));
});

test("a TLS key that is a folder", async () => {
  const tls = tlsFiles("x", null);
  mkdirSync(tls.keyFile);
  expect(await refusalOf({ port: 0, tls })).toMatch(new RegExp(`tls\\.keyFile.*${tls.keyFile}`));
});

test("a TLS certificate that is empty", async () => {
  const tls = tlsFiles("", "x");
  expect(await refusalOf({ port: 0, tls })).toMatch(new RegExp(`tls\\.certFile.*${tls.certFile}.*empty`));
});

describe("TLS that cannot be had (scenario 42)", () => {
  const authority = new Authority();
  const [own, other] = [authority.issue("own"), authority.issue("other")];
  const { certFile, keyFile } = own;
  const port = 0;

  test("the key of another certificate", async () => {
    const tls = { certFile, keyFile: other.keyFile };
    expect(await refusalOf({ port, tls })).toContain(
      `\`tls.keyFile\`: ${other.keyFile} is not the key of the first certificate in ${certFile}`,
    );
  });

  test("a passphrase that is missing or wrong", async () => {
    const locked = authority.lock(own, "open sesame", "pkcs8");
    const tls = { certFile, keyFile: locked };
    expect(await refusalOf({ port, tls })).toContain(
      `\`tls.keyFile\`: ${locked}: the key is encrypted, and no passphrase is set`,
    );
    const refusal = await refusalOf({ port, tls: { ...tls, passphrase: "guessed it" } });
    expect(refusal).toContain(`\`tls.keyFile\`: ${locked}: the passphrase does not open the key`);
    expect(refusal).not.toContain("guessed it");
  });

  test("a certificate for a further name", async () => {
    const names = [{ serverName: "chat.test", certFile: other.certFile, keyFile }];
    expect(await refusalOf({ port, tls: { certFile, keyFile, names } })).toContain("`tls.names[0].keyFile`");
    const missing = [{ serverName: "chat.test", certFile: "/nowhere.pem", keyFile }];
    expect(await refusalOf({ port, tls: { certFile, keyFile, names: missing } })).toContain(
      "`tls.names[0].certFile`: cannot read /nowhere.pem: there is no such file",
    );
  });

  test("ciphers that nobody knows", async () => {
    expect(await refusalOf({ port, tls: { certFile, keyFile, ciphers: "ROT13" } })).toMatch(/`tls\.ciphers`.*ROT13/);
  });

  test("callers' authorities that are none", async () => {
    const api = { port, clientCaFile: keyFile };
    expect(await refusalOf({ port, tls: { certFile, keyFile, api } })).toContain(
      `\`tls.api.clientCaFile\`: ${keyFile} holds no certificate in PEM form`,
    );
  });

  test("a port for the API that is in use", async () => {
    const { port: taken } = await startServer();
    const api = { port: taken, clientCaFile: certFile };
    expect(await refusalOf({ port, tls: { certFile, keyFile, api } })).toContain(
      `\`tls.api.port\`: port ${taken} on 127.0.0.1 is already in use`,
    );
  });
});

test("a TLS key and certificate that are none", async () => {
  const tls = tlsFiles("not a certificate", "not a key");
  expect(await refusalOf({ port: 0, tls })).toMatch(new RegExp(`tls\\.certFile.*${tls.certFile}.*no certificate`));
});
