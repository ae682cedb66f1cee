/** The app that a server has when nobody configured one. */

import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { demoApp, demoAppFile, readDemoApp, withDemoApp } from "../../packages/server/src/config/demo-app.ts";
import { ConfigError, parseConfig } from "../../packages/server/src/config/load.ts";
import { channelOf } from "../../packages/server/src/domain/channel.ts";
import { deserializeConfig, serializeConfig } from "../../packages/server/src/server/workers/ipc-messages.ts";

const root = mkdtempSync(join(tmpdir(), "fanfare-demo-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let folders = 0;
const fresh = () => join(root, String(++folders), "state");
const { defaults } = parseConfig({});

describe("the demo app", () => {
  test("is made once and read ever after", async () => {
    const stateDir = fresh();
    const made = await demoApp(stateDir, defaults);
    expect(made).toMatchObject({
      id: "demo",
      clientEvents: true,
      anonymous: true,
      subscriptionCounts: true,
      enabled: true,
    });
    expect(made.key).toMatch(/^[0-9a-f]{40}$/);
    expect(made.secrets[0]).toMatch(/^[0-9a-f]{40}$/);
    expect(made.secrets[0]).not.toBe(made.key);
    expect(await demoApp(stateDir, defaults)).toEqual(made);
    expect(await readDemoApp(demoAppFile(stateDir))).toEqual({ id: "demo", key: made.key, secret: made.secrets[0] });
  });

  test("keeps the board's notes and not its pointers, before what the configuration says of all channels", async () => {
    const own = parseConfig({
      defaults: { recovery: { enabled: true }, channels: [{ match: "*", clientPublish: "none" }] },
    });
    const app = await demoApp(fresh(), own.defaults);
    const policyOf = (name: string) => channelOf(app, name).policy;
    expect(policyOf("presence-workshop")).toMatchObject({ clientPublish: "any", history: { size: 500, ttlS: 86_400 } });
    expect(policyOf("private-workshop-cursors").history).toBeUndefined();
    expect(policyOf("private-workshop-cursors").clientPublish).toBe("client-events");
    expect(policyOf("private-other").clientPublish).toBe("none");
  });

  test("is what a configuration could say, for workers are given it as one", async () => {
    const { config } = await withDemoApp(parseConfig({ stateDir: fresh() }));
    expect(deserializeConfig(serializeConfig(config)).apps).toEqual(config.apps);
  });

  test("has a key and a secret of its own on every machine", async () => {
    const [one, other] = [await demoApp(fresh(), defaults), await demoApp(fresh(), defaults)];
    expect(one.secrets[0]).not.toBe(other.secrets[0]);
    expect(one.key).not.toBe(other.key);
  });

  test("is kept in a file that only its owner can read", async () => {
    const stateDir = fresh();
    await demoApp(stateDir, defaults);
    expect(statSync(demoAppFile(stateDir)).mode & 0o777).toBe(0o600);
    expect(statSync(stateDir).mode & 0o777).toBe(0o700);
    expect(readdirSync(stateDir)).toEqual(["demo-app.json"]);
  });

  test("is the same for five processes that start at once", async () => {
    const stateDir = fresh();
    const program = join(import.meta.dir, "make-demo-app.ts");
    const processes = Array.from({ length: 5 }, () => Bun.spawn([process.execPath, program, stateDir]));
    const secrets = await Promise.all(processes.map((one) => new Response(one.stdout).text()));
    expect(secrets[0]).toMatch(/^[0-9a-f]{40}$/);
    expect(new Set(secrets).size).toBe(1);
    expect(readdirSync(stateDir)).toEqual(["demo-app.json"]);
  });

  test.each(["", "{", "[]", "null", '{"id":"demo","key":"k"}', '{"id":"demo","key":"k","secret":5}'])(
    "is not made anew over a file that holds %j",
    async (text) => {
      const stateDir = fresh();
      mkdirSync(stateDir, { recursive: true });
      writeFileSync(demoAppFile(stateDir), text);
      expect(demoApp(stateDir, defaults)).rejects.toThrow(
        new ConfigError(`${demoAppFile(stateDir)} does not hold a demo app any more: delete it to get a new one`),
      );
      expect(readFileSync(demoAppFile(stateDir), "utf8")).toBe(text);
    },
  );

  test("says what to do where its file cannot be read or written", async () => {
    const stateDir = fresh();
    mkdirSync(demoAppFile(stateDir), { recursive: true });
    expect(demoApp(stateDir, defaults)).rejects.toThrow(
      /^cannot read the demo app from .*: it is a folder; make it readable/,
    );
    const blocked = fresh();
    mkdirSync(join(blocked, ".."));
    writeFileSync(blocked, "a file where the folder should be");
    expect(demoApp(blocked, defaults)).rejects.toThrow(ConfigError);
  });
});

describe("a configuration without an app", () => {
  test("gets the demo app in development", async () => {
    const stateDir = fresh();
    const { config, demoFile } = await withDemoApp(parseConfig({ stateDir, defaults: { limits: { batchSize: 3 } } }));
    expect(config.apps).toHaveLength(1);
    expect(config.apps[0]?.limits.batchSize).toBe(3);
    expect(demoFile).toBe(join(stateDir, "demo-app.json"));
  });

  test("is refused in production, with what to do", () => {
    expect(withDemoApp(parseConfig({ mode: "production", stateDir: fresh() }))).rejects.toThrow(
      "no app is configured, and production makes no demo app: set PUSHER_APP_ID, PUSHER_APP_KEY and PUSHER_APP_SECRET, " +
        "or list the apps under `apps` in a configuration file",
    );
  });

  test("and one with an app stays as it is", async () => {
    const config = parseConfig({ apps: [{ id: "a", key: "b", secret: "c" }], stateDir: fresh() });
    expect(await withDemoApp(config)).toEqual({ config });
  });
});
