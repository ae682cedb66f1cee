/**
 * The set-ups of docs/laravel.md and docs/from, followed to the letter: their `.env` in an empty folder, `fanfare` there, and the
 * back end and the page as they are printed. Nothing is added but free ports, a secret that has to be quoted, and an endpoint
 * that signs.
 */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Echo from "laravel-echo";
import PusherLibrary from "pusher";
import Pusher from "pusher-js";
import { parseConfig } from "../../packages/server/src/config/load.ts";
import { startBackend } from "../conformance/backend.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";
import { spawnCli } from "../support/process.ts";
import { startRedis } from "../support/redis.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { blocksIn, readBackend, readEcho, readEnv, readPage, readPhp } from "./blocks.ts";
import { DOCS, GUIDES } from "./guides.ts";

setDefaultTimeout(60_000);

const LARAVEL = readFileSync(join(DOCS, "laravel.md"), "utf8");

/** As a password generator makes one, and as it has to be written in a `.env`. */
const SECRET = `it's 5$ "now" $HOME #1`;
const WRITTEN = JSON.stringify(SECRET);

/** Laravel's own, as it comes and as people fill it in; what the guide's block names, that says. */
const LARAVELS_ENV = (mode: string) => `APP_NAME="Corner shop"
APP_ENV=${mode}
APP_KEY=base64:3q2+7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
APP_DEBUG=true
APP_URL=http://localhost

# PHP_CLI_SERVER_WORKERS=4

LOG_CHANNEL=stack
LOG_DEPRECATIONS_CHANNEL=null
LOG_LEVEL=debug

DB_CONNECTION=mysql
DB_HOST=127.0.0.1
DB_PORT=3306
DB_PASSWORD='p$w"d #1'

SESSION_DRIVER=database
SESSION_DOMAIN=null

BROADCAST_DRIVER=log
BROADCAST_CONNECTION=log
QUEUE_CONNECTION=database

REDIS_CLIENT=phpredis
REDIS_HOST=127.0.0.1
REDIS_PASSWORD=null
REDIS_PORT=6379

MAIL_MAILER=log
MAIL_SCHEME=null
MAIL_HOST=127.0.0.1
MAIL_PORT=2525
MAIL_FROM_NAME="\${APP_NAME}"

AWS_ACCESS_KEY_ID=

PORT=8000
VITE_PORT=5173
VITE_APP_NAME="\${APP_NAME}"
`;

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

test.each(["pusher", "reverb"] as const)(
  "laravel.md's blocks for the driver %s have every field that Laravel wants, and set every name they read",
  (driver) => {
    const { env: ini, php, echo } = laravelWith(driver);
    const env = readEnv(ini);
    const connection = readPhp(php, env);
    expect(Object.keys(connection)).toEqual(["driver", "key", "secret", "app_id", "options"]);
    expect(Object.keys(connection.options)).toEqual([...FIELDS[driver].options]);
    expect([connection.driver, env.BROADCAST_CONNECTION]).toEqual([driver, driver]);
    expect(Object.keys(readEcho(echo, env))).toEqual([...FIELDS[driver].echo]);
    const asked = [...`${php}${echo}`.matchAll(/env(?:\('|\.)(\w+)/g)].map(([, name = ""]) => name);
    expect(asked.length).toBeGreaterThan(8);
    expect(asked.filter((name) => env[name] === undefined)).toEqual([]);
  },
);

test("the settings that laravel.md names in place of the other servers' exist", () => {
  const [, tables = ""] = LARAVEL.split("## Coming from");
  const rows = tables.split("\n").filter((line) => /^\|.*`/.test(line) && !line.includes("config/"));
  const names = rows.flatMap((row) =>
    [...(row.split("|")[3] ?? "").matchAll(/`([\w.]+)`/g)].map(([, name = ""]) => name),
  );
  expect(names.length).toBeGreaterThan(14);
  const tls = { certFile: "a", keyFile: "b", passphrase: "c" };
  const config = { ...parseConfig({ apps: [{ id: "a", key: "k", secret: "s" }] }), tls };
  for (const name of names) {
    const places = [config, { ...config.apps[0], secret: "s" }].map((from) => find(from, name.split(".")));
    expect([name, places.some((value) => value !== undefined)]).toEqual([name, true]);
  }
});

function find(from: unknown, [name, ...rest]: readonly string[]): unknown {
  if (name === undefined) return from;
  return typeof from === "object" && from !== null ? find(Reflect.get(from, name), rest) : undefined;
}

describe("in Laravel's folder, with its own .env,", () => {
  const websockets = textOf("laravel-websockets");
  const cases = [
    ["laravel.md with the driver pusher", "local", laravelWith("pusher")],
    ["laravel.md with the driver reverb", "production", laravelWith("reverb")],
    ["reverb.md", "local", { ...laravelWith("reverb"), env: block(textOf("reverb"), "ini") }],
    [
      "laravel-websockets.md",
      "production",
      { env: block(websockets, "ini"), php: block(websockets, "php"), echo: block(websockets, "js") },
    ],
  ] as const;

  test.each(cases)("the set-up of %s takes events and whispers to the browser (%s)", async (_, mode, blocks) => {
    const { library, open } = await inLaravel(LARAVELS_ENV(mode), blocks);
    await speak(library, [open(), open()]);
  });

  test("two servers are one by REVERB_SCALING_ENABLED=true, as reverb.md says, on the Redis of Laravel's lines", async () => {
    const redis = await startRedis();
    const [, , [, , blocks]] = cases;
    expect(textOf("reverb")).toContain("`REVERB_SCALING_ENABLED=true` makes Redis the engine");
    const stock = LARAVELS_ENV("local").replace(
      "REDIS_PORT=6379",
      `REDIS_PORT=${redis.port}\nREVERB_SCALING_ENABLED=true`,
    );
    const [one, other] = [await inLaravel(stock, blocks), await inLaravel(stock, blocks)];
    await speak(one.library, [one.open(), other.open()]);
  });
});

interface Blocks {
  readonly env: string;
  readonly php: string;
  readonly echo: string;
}

/** What the guide's block of the `.env` says, Laravel's own lines do not. */
async function inLaravel(stock: string, blocks: Blocks) {
  const named = Object.keys(readEnv(blocks.env));
  const own = stock.split("\n").filter((line) => !named.includes(line.split("=")[0] ?? ""));
  const { port, here } = await serve(`${own.join("\n")}\n${blocks.env}`);
  const env = readEnv(here(blocks.env));
  const { key, app_id: appId, options } = readPhp(here(blocks.php), env);
  // As Laravel hands them to Pusher's library for PHP, which takes `scheme`.
  const { host, port: said, scheme } = options;
  expect(options.useTLS ?? false).toBe(scheme === "https");
  const at = { host: String(host), port: String(said), useTLS: scheme === "https" };
  const library = new PusherLibrary({ appId, key, secret: SECRET, ...at });
  const { url } = startBackend({ port }, { id: appId, key, secret: SECRET });
  const given = readEcho(here(blocks.echo), env);
  const open = (): Page => {
    const authEndpoint = `${url}/broadcasting/auth?user=ada`;
    const echo = new Echo<"pusher">(Object({ ...given, Pusher, authEndpoint }));
    atEnd(() => echo.disconnect());
    const heard: unknown[] = [];
    const channel = echo.private("orders");
    channel.listen("Paid", (data: unknown) => heard.push(data));
    channel.listenForWhisper("typing", (data: unknown) => heard.push(data));
    const subscribed = new Promise<void>((resolve) => channel.subscribed(resolve));
    return { heard, subscribed, whisper: (data) => channel.whisper("typing", data) };
  };
  return { library, open };
}

test.each(["soketi", "sockudo", "pusher"])(
  "the set-up of %s.md takes events of back ends and clients to pages",
  async (guide) => {
    const text = textOf(guide);
    const [backend = "", page = ""] = blocksIn(text, "js");
    const { port, here } = await serve(block(text, "ini"));
    const options = readBackend(here(backend));
    const { url } = startBackend({ port }, { id: options.appId, key: options.key, secret: SECRET });
    const [key, given] = readPage(here(page));
    const open = (): Page => {
      const endpoint = `${url}/pusher/auth?user=ada`;
      const pusher = new Pusher(key, Object({ ...given, channelAuthorization: { endpoint, transport: "ajax" } }));
      atEnd(() => pusher.disconnect());
      const heard: unknown[] = [];
      const channel = pusher.subscribe("private-orders");
      for (const name of ["App\\Events\\Paid", "client-typing"])
        channel.bind(name, (data: unknown) => heard.push(data));
      const subscribed = new Promise<void>((resolve) => channel.bind("pusher:subscription_succeeded", () => resolve()));
      return { heard, subscribed, whisper: (data) => channel.trigger("client-typing", data) };
    };
    await speak(new PusherLibrary(options), [open(), open()]);
  },
);

interface Page {
  readonly heard: readonly unknown[];
  readonly subscribed: Promise<void>;
  readonly whisper: (data: object) => void;
}

/** The back end publishes, and one page speaks to another. */
async function speak(library: PusherLibrary, [page, other]: readonly [Page, Page]): Promise<void> {
  await Promise.all([page.subscribed, other.subscribed]);
  expect((await library.trigger("private-orders", "App\\Events\\Paid", { id: 7 })).status).toBe(200);
  await eventually(() => expect([page.heard, other.heard]).toEqual([[{ id: 7 }], [{ id: 7 }]]));
  other.whisper({ name: "Ada" });
  await eventually(() => expect(page.heard).toEqual([{ id: 7 }, { name: "Ada" }]));
}

/** `npx fanfare` in a folder with nothing but this `.env`. `here` is a block as somebody writes it who has this secret, and this port free. */
async function serve(env: string) {
  const port = await freePort();
  const moved = (text: string) => text.replaceAll(/\b(?:6001|8080|9501)\b/g, String(port));
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, ".env"), moved(env).replaceAll("change-me", WRITTEN));
  // Where the guide leaves the port as it is, that one may be somebody else's.
  const child = spawnCli(env.includes("For Fanfare: the port") ? [] : ["--port", String(port)], { cwd });
  await child.prints(new RegExp(`:${port}\\b`), 30_000);
  await eventually(async () => expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200));
  // Nothing of it is left out, or misunderstood.
  expect(child.output).not.toMatch(/"level":[456]0|not obeyed|not used/);
  return { port, here: (text: string) => moved(text).replaceAll('"change-me"', WRITTEN) };
}

function laravelWith(driver: string) {
  const [, section = ""] = LARAVEL.split(`## With the driver \`${driver}\``);
  return { env: block(section, "ini"), php: block(section, "php"), echo: block(section, "js") };
}

function textOf(guide: string): string {
  return GUIDES.find(({ name }) => name === `${guide}.md`)?.text ?? "";
}

function block(text: string, language: string): string {
  return blocksIn(text, language)[0] ?? "";
}
