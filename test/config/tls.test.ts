/** The settings of TLS: what they take, what they need, and that they keep their secrets. */

import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfig, maskSecrets, parseConfig } from "../../packages/server/src/config/load.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const pair = { certFile: "c", keyFile: "k" };

test("a certificate and its key are enough", () => {
  expect(parseConfig({ tls: pair }).tls).toEqual({ ...pair, minVersion: "1.2", names: [], watchS: 60 });
});

describe("a server name", () => {
  test.each(["a", "chat.example.com", "*.example.com", "xn--bcher-kva.example", "a_b.test"])(
    "may be %s",
    (serverName) => {
      expect(parseConfig({ tls: { ...pair, names: [{ serverName, ...pair }] } }).tls?.names[0]?.serverName).toBe(
        serverName,
      );
    },
  );

  test.each(["", "*", "a.*.test", "https://a.test", "a.test:443", "a..test", "-a.test", "a b"])(
    "is not %p",
    (serverName) => {
      const tls = { ...pair, names: [{ serverName, ...pair }] };
      expect(() => parseConfig({ tls })).toThrow("`tls.names[0].serverName` has to be a host name");
    },
  );

  test("is there once, however it is written", () => {
    const names = ["a.test", "b.test", "A.test"].map((serverName) => ({ serverName, ...pair }));
    expect(() => parseConfig({ tls: { ...pair, names } })).toThrow(
      '`tls.names[2].serverName` is "A.test", as `tls.names[0].serverName` is: every name has one certificate',
    );
  });
});

test.each<[object, string]>([
  [{ ...pair, minVersion: "1.1" }, '`tls.minVersion` has to be "1.2" or "1.3", but is "1.1"'],
  [{ ...pair, watchS: -1 }, "`tls.watchS` has to be a number of seconds"],
  [{ ...pair, api: { clientCaFile: "x" } }, "`tls.api.port` is missing"],
  [{ ...pair, api: { port: 1 } }, "`tls.api.clientCaFile` is missing"],
  [{ ...pair, api: { port: 70_000, clientCaFile: "x" } }, "`tls.api.port` has to be"],
  [{ ...pair, names: [{ serverName: "a.test", certFile: "c" }] }, "`tls.names[0].keyFile` is missing"],
])("%j is refused", (tls, sentence) => {
  expect(() => parseConfig({ tls })).toThrow(sentence);
});

test("every file that is named has to be there", async () => {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, "here"), "x");
  const here = { certFile: "here", keyFile: "here" };
  const tls = {
    ...here,
    caFile: "gone-1",
    names: [{ serverName: "a.test", ...here, keyFile: "gone-2" }],
    api: { port: 1, clientCaFile: "gone-3" },
  };
  writeFileSync(join(cwd, "fanfare.config.json"), JSON.stringify({ tls }));
  const told = await loadConfig({ cwd, env: {} }).then(
    () => "",
    (error: Error) => error.message,
  );
  expect(told).toContain("`tls.caFile`: cannot read gone-1: there is no such file");
  expect(told).toContain("`tls.names[0].keyFile`: cannot read gone-2");
  expect(told).toContain("`tls.api.clientCaFile`: cannot read gone-3");
});

test("passphrases are not shown, those of further names neither", () => {
  const names = [{ serverName: "a.test", ...pair, passphrase: "sesame-2" }];
  const config = parseConfig({ tls: { ...pair, passphrase: "sesame-1", names } });
  expect(config.tls?.names[0]?.passphrase).toBe("sesame-2");
  expect(JSON.stringify(maskSecrets(config))).not.toContain("sesame");
  expect(() => parseConfig({ tls: { ...pair, names: [{ ...names[0], passphrase: 7 }] } })).toThrow("(not shown)");
});

test("the port of the API is a flag and an environment name as any other", async () => {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, "x.pem"), "x");
  const env = {
    FANFARE_TLS_CERT_FILE: "x.pem",
    FANFARE_TLS_KEY_FILE: "x.pem",
    FANFARE_TLS_API_CLIENT_CA_FILE: "x.pem",
  };
  const { config } = await loadConfig({ cwd, env, flags: { "tls.api.port": "9502", "tls.minVersion": "1.3" } });
  expect(config.tls).toMatchObject({ minVersion: "1.3", api: { port: 9502, clientCaFile: "x.pem" } });
});
