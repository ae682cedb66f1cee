/** docs/laravel.md, block by block: what it tells people to write is read out of it, and connected with. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Echo from "laravel-echo";
import PusherLibrary from "pusher";
import Pusher from "pusher-js";
import { parseConfig } from "../../src/config/load.ts";
import { startBackend } from "../conformance/backend.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { startProcess, temporaryFolder } from "../support/process.ts";

setDefaultTimeout(30_000);

const TEXT = readFileSync(join(import.meta.dir, "..", "..", "docs", "laravel.md"), "utf8");

/** What Laravel's own configuration has, which laravel-websockets' and Reverb's set-up guides repeat. */
const FIELDS = {
  pusher: {
    options: ["cluster", "host", "port", "scheme", "encrypted", "useTLS"],
    echo: ["broadcaster", "key", "cluster", "wsHost", "wsPort", "wssPort", "forceTLS", "enabledTransports"],
  },
  reverb: {
    options: ["host", "port", "scheme", "useTLS"],
    echo: ["broadcaster", "key", "wsHost", "wsPort", "wssPort", "forceTLS", "enabledTransports"],
  },
} as const;

type Driver = keyof typeof FIELDS;
type Env = Readonly<Record<string, string>>;

describe.each(["pusher", "reverb"] as const)("the guide's set-up with the driver %s", (driver) => {
  const [, section = ""] = TEXT.split(`## With the driver \`${driver}\``);
  const block = (language: string) => new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``).exec(section)?.[1] ?? "";
  const env = readEnv(block("ini"));

  test("has every field that Laravel wants, and sets every name it reads", () => {
    const connection = readPhp(block("php"), driver, env);
    expect(Object.keys(connection)).toEqual(["driver", "key", "secret", "app_id", "options"]);
    expect(Object.keys(connection.options)).toEqual([...FIELDS[driver].options]);
    expect(connection.driver).toBe(driver);
    expect(env.BROADCAST_CONNECTION).toBe(driver);
    expect(Object.keys(readEcho(block("js"), env))).toEqual([...FIELDS[driver].echo]);
    const asked = [...(block("php") + block("js")).matchAll(/env(?:\('|\.)(\w+)/g)].map(([, name = ""]) => name);
    expect(asked.filter((name) => env[name] === undefined)).toEqual([]);
  });

  test("takes Laravel's events to the browser, with Fanfare started in Laravel's folder", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, ".env"), block("ini"));
    const server = await startProcess({ cwd: folder, config: null });
    const here = { ...env, ...portsOf(env, server.port) };
    const { key, secret, app_id: appId, options } = readPhp(block("php"), driver, here);
    // As Laravel hands them to Pusher's library, whose `encrypted` is the old name of `useTLS`.
    const { host, port, useTLS, scheme } = options;
    expect(scheme).toBe(useTLS ? "https" : "http");
    const library = new PusherLibrary({
      appId,
      key,
      secret,
      host: String(host),
      port: String(port),
      useTLS: useTLS === true,
    });
    const backend = startBackend({ port: server.port }, { id: appId, key, secret });
    const authEndpoint = `${backend.url}/broadcasting/auth?user=ada`;
    const given = readEcho(block("js"), here);
    const open = () => {
      const echo = new Echo<"pusher">({ ...given, Pusher, authEndpoint } as ConstructorParameters<
        typeof Echo<"pusher">
      >[0]);
      atEnd(() => echo.disconnect());
      return echo;
    };
    const heard: unknown[] = [];
    const channel = open().private("orders");
    channel.listen("Paid", (data: unknown) => heard.push(data));
    channel.listenForWhisper("typing", (data: unknown) => heard.push(data));
    await subscribed(channel);
    expect((await library.trigger("private-orders", "App\\Events\\Paid", { id: 7 })).status).toBe(200);
    await eventually(() => expect(heard).toEqual([{ id: 7 }]));
    const other = open().private("orders");
    await subscribed(other);
    other.whisper("typing", { name: "Ada" });
    await eventually(() => expect(heard).toEqual([{ id: 7 }, { name: "Ada" }]));
  });
});

test("the settings that the guide names in place of the other servers' exist", () => {
  const [, tables = ""] = TEXT.split("## Coming from");
  const rows = tables.split("\n").filter((line) => /^\|.*`/.test(line) && !line.includes("config/"));
  const names = rows.flatMap((row) =>
    [...(row.split("|")[3] ?? "").matchAll(/`([\w.]+)`/g)].map(([, name = ""]) => name),
  );
  expect(names.length).toBeGreaterThan(14);
  const tls = { certFile: "a", keyFile: "b", passphrase: "c" };
  const app = { id: "a", key: "k", secret: "s" };
  const config = { ...parseConfig({ apps: [app] }), tls };
  for (const name of names) {
    const places = [config, { ...config.apps[0], secret: "s" }].map((from) => find(from, name.split(".")));
    expect([name, places.some((value) => value !== undefined)]).toEqual([name, true]);
  }
});

function find(from: unknown, [name, ...rest]: readonly string[]): unknown {
  if (name === undefined) return from;
  return typeof from === "object" && from !== null ? find(Reflect.get(from, name), rest) : undefined;
}

function subscribed(channel: { subscribed(callback: () => void): unknown }): Promise<void> {
  return new Promise((resolve) => channel.subscribed(resolve));
}

/** The guide's port is not free in a test. */
function portsOf(env: Env, port: number): Env {
  const names = Object.keys(env).filter((name) => name.endsWith("_PORT"));
  return Object.fromEntries(names.map((name) => [name, String(port)]));
}

/** `NAME=value` and `NAME="${OTHER}"`. */
function readEnv(text: string): Env {
  const env: Record<string, string> = {};
  for (const [, name = "", value = ""] of text.matchAll(/^(\w+)=(.*)$/gm)) {
    env[name] = value.replaceAll('"', "").replace(/\$\{(\w+)\}/g, (_, other: string) => env[other] ?? "");
  }
  return env;
}

interface Connection {
  readonly driver: string;
  readonly key: string;
  readonly secret: string;
  readonly app_id: string;
  readonly options: Readonly<Record<string, string | boolean>>;
}

/** Just so much PHP: an array of arrays, `env` and `===`, which are JavaScript but for the brackets and the arrow. */
function readPhp(text: string, driver: Driver, env: Env): Connection {
  const script = text.replaceAll("=>", ":").replaceAll("[", "{").replaceAll("]", "}");
  const read = (name: string, otherwise: unknown = null) => env[name] ?? otherwise;
  const connections = new Function("env", `return {${script}};`)(read) as Record<Driver, Connection>;
  return connections[driver];
}

/** What the script hands to Echo. */
function readEcho(text: string, env: Env): Readonly<Record<string, unknown>> {
  const script = text.replaceAll(/^import .*$/gm, "").replaceAll("import.meta.env", "env");
  let given: Readonly<Record<string, unknown>> = {};
  class Taker {
    constructor(options: typeof given) {
      given = options;
    }
  }
  new Function("window", "Echo", "Pusher", "env", script)({}, Taker, Pusher, env);
  return given;
}
