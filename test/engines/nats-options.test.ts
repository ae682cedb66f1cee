/** The settings of the NATS engine, from a configuration that names it. */

import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DEFAULTS, settingsFrom } from "../../packages/nats/src/settings.ts";
import { parseConfig } from "../../packages/server/src/config/load.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

function of(given: object, more: object = {}) {
  const { nats, publishWaitS, publishWaitBytes, nodeTimeoutS } = parseConfig({ engine: "nats", nats: given, ...more });
  const shared = { publishWaitMs: publishWaitS * 1000, publishWaitBytes, nodeTimeoutMs: nodeTimeoutS * 1000 };
  return settingsFrom(nats, shared);
}

test("without options, it is the server on this machine", () => {
  expect(of({})).toEqual(DEFAULTS);
});

test("times are given in seconds, and the engine has them in milliseconds", () => {
  const settings = of({ requestTimeoutS: 0.5, reconnectMaxS: 0.1 }, { nodeTimeoutS: 3, publishWaitS: 1 });
  expect(settings).toMatchObject({ requestTimeoutMs: 500, nodeTimeoutMs: 3_000, publishWaitMs: 1_000 });
  expect([settings.reconnectMinMs, settings.reconnectMaxMs]).toEqual([50, 100]);
});

test("there are four ways to say who one is", () => {
  const creds = join(temporaryFolder(), "user.creds");
  writeFileSync(creds, "the user's papers");
  expect(of({ user: "u", password: "p" }).credentials).toEqual({ type: "password", user: "u", password: "p" });
  expect(of({ token: "t" }).credentials).toEqual({ type: "token", token: "t" });
  expect(of({ nkeySeed: "SU" }).credentials).toEqual({ type: "nkey", seed: "SU" });
  expect(of({ credsFile: creds }).credentials).toEqual({ type: "creds", creds: "the user's papers" });
});

test("two of them at once are refused, without the secrets in the message", () => {
  const mistake = () => of({ token: "hush", user: "u", password: "hush" });
  expect(mistake).toThrow("`nats.user` and `nats.token`");
  expect(mistake).not.toThrow("hush");
});

test("a certificate authority means TLS, and is read from its file", () => {
  const ca = join(temporaryFolder(), "ca.pem");
  writeFileSync(ca, "PEM");
  expect(of({ tls: true }).tls).toEqual({});
  expect(of({ caFile: ca }).tls).toEqual({ ca: "PEM" });
});

test.each(["nats://u:p@host:4222", "ho st:1", "http://host:4222", "host:port"])("%p is no server", (server) => {
  expect(() => parseConfig({ engine: "nats", nats: { servers: [server] } })).toThrow("nats.servers");
});
