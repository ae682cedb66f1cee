/** docs/from: each name that the guides give for another server's is one that there is, tried on a real server. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { createClient, nodes } from "../../packages/client/src/index.ts";
import { buildProgram } from "../../packages/server/src/cli/program.ts";
import { foreignVariables, TLS_SWITCH } from "../../packages/server/src/config/environment/foreign-variables.ts";
import { parseConfig } from "../../packages/server/src/config/load.ts";
import { settings, settingsByPath } from "../../packages/server/src/config/settings.ts";
import { createServer, type EndpointSocket } from "../../packages/server/src/index.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative, dialNative } from "../support/native-client.ts";
import { connectPusher, dialPusher, signedFetch } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";
import { connect } from "../support/socket.ts";
import { DOCS, GUIDES, kindOf, quotations, quoted } from "./guides.ts";

setDefaultTimeout(30_000);

const server = await startServer({ mode: "development", nodeUrl: "ws://127.0.0.1" }, { anonymous: true });
const readable = [...settings.map(({ env }) => env), ...foreignVariables.map(({ name }) => name)];

describe("the guides", () => {
  test("are there for each of the servers that people come from", () => {
    const names = [
      ...["alphavel", "centrifugo", "laravel-websockets", "ody", "pusher", "reverb", "sentixtech", "sockudo", "soketi"],
    ];
    expect(GUIDES.map(({ name }) => name)).toEqual(names.map((name) => `${name}.md`));
    for (const { rows } of GUIDES) expect(rows.length).toBeGreaterThan(30);
  });

  test.each(GUIDES.map(({ name, rows }) => [name, rows] as const))(
    "%s says in each row what there is, or why there is nothing",
    (_, rows) => {
      for (const { theirs, ours, remark } of rows) {
        const says = quoted(ours).length > 0 || ours.includes("](") || (ours === "none" && remark.length > 10);
        expect([theirs, says]).toEqual([theirs, true]);
      }
    },
  );

  test.each(GUIDES.map(({ name, text }) => [name, text] as const))(
    "%s links to files and headings that are there",
    async (_, text) => {
      for (const [, link = ""] of text.matchAll(/\]\(([^)]+)\)/g)) {
        const [file = "", heading] = link.split("#");
        const path = join(DOCS, "from", file);
        expect([link, existsSync(path)]).toEqual([link, true]);
        if (heading !== undefined)
          expect([link, headingsOf(await Bun.file(path).text())]).toEqual([link, expect.arrayContaining([heading])]);
      }
    },
  );
});

function headingsOf(text: string): string[] {
  const titles = [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) => title);
  return titles.map((title) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

/** Every setting, those inside lists too: `apps[].webhooks[].url`. */
const paths = new Set(settingsByPath.keys());

test.each(quotations("setting"))("the setting %s exists, and takes the value that is shown", (quotation) => {
  const [path = "", value] = quotation.split(": ");
  expect(paths).toContain(path);
  if (value === undefined) return;
  const [first = "", second] = path.split(".");
  const said: unknown = JSON.parse(value);
  const input = second === undefined ? { [first]: said } : { [first]: { [second]: said } };
  expect(() => parseConfig(input)).not.toThrow();
});

describe("the default that a guide gives a setting", () => {
  const rows = GUIDES.flatMap((guide) => guide.rows.map((row) => ({ guide: guide.name, ...row })));
  const said = rows.flatMap(({ guide, theirs, ours, remark }) => {
    const value = /([\d ]+)( KB| MB)?( bytes)? by default/.exec(remark);
    const [path = ""] = quoted(ours).filter((one) => kindOf(one) === "setting");
    return value ? [[guide, theirs, path, bytesOf(value[1] ?? "", value[2])] as const] : [];
  });

  test("is given often enough to be worth a look", () => {
    expect(said.length).toBeGreaterThan(15);
  });

  test.each(said)("%s: %s is %s, %d", (_guide, _theirs, path, value) => {
    const setting = settings.find((one) => one.path === path.replace("apps[].", "defaults."));
    expect(setting?.defaultValue).toBe(value);
  });
});

function bytesOf(number: string, unit: string | undefined): number {
  const factor = { " KB": 1024, " MB": 1024 * 1024 }[unit ?? ""] ?? 1;
  return Number(number.replaceAll(" ", "")) * factor;
}

describe("another server's variable", () => {
  const named = GUIDES.flatMap(({ rows }) =>
    rows.flatMap(({ theirs, ours, remark }) =>
      quoted(theirs)
        .filter((one) => kindOf(one) === "variable")
        .map((name) => [name, ours, remark] as const),
    ),
  );

  test.each(named)("%s is read as the setting beside it, or is said not to be", (name, ours, remark) => {
    const path = foreignVariables.find((variable) => variable.name === name)?.path;
    if (name === TLS_SWITCH) expect(quoted(ours)).toContain("tls");
    else if (path === undefined) expect(remark).toMatch(/^Not read/);
    else expect([remark.startsWith("Not read"), quoted(ours)]).toEqual([false, expect.arrayContaining([path])]);
  });

  test("is named in a guide wherever it is read", () => {
    const names = new Set(named.map(([name]) => name));
    expect(
      foreignVariables
        .map(({ name }) => name)
        // OpenTelemetry's are of no other server; they are in docs/configuration.md.
        .filter((name) => !names.has(name) && !["PUSHER_APP_NAME", "NODE_ENV"].includes(name) && !/^OTEL_/.test(name)),
    ).toEqual([]);
  });
});

test.each(quotations("variable"))("the variable %s is read", (quotation) => {
  expect(readable).toContain(quotation.split("=")[0] ?? "");
});

test("what the recipes say to set is read", () => {
  for (const { text } of GUIDES) {
    for (const name of quoted(text).filter((one) => /^FANFARE_[A-Z_]+=/.test(one)))
      expect(readable).toContain(name.split("=")[0] ?? "");
  }
});

test.each(quotations("command"))("the command %s is one that the program takes", async (line) => {
  const [, ...words] = line.match(/'[^']*'|\S+/g) ?? [];
  let command: Command = await buildProgram();
  while (true) {
    const next = command.commands.find((one) => one.name() === words[0]);
    if (next === undefined) break;
    [command] = [next, words.shift()];
  }
  expect(command.name()).not.toBe("fanfare");
  const known = [...command.options, ...(command.parent?.options ?? [])].flatMap(({ short, long }) => [short, long]);
  for (const flag of words.filter((word) => word.startsWith("-"))) expect(known).toContain(flag);
});

test.each(quotations("route"))("%s answers", async (route) => {
  const [method = "", template = ""] = route.split(" ");
  const path = template.replace("ID", APP.id).replace("KEY", APP.key).replace("NAME", "chat").replace("USER", "ada");
  if (method === "WS") {
    const socket = path === "/" ? await dialNative(server.url) : await dialPusher(server.url);
    expect((await socket.next()).event).toMatch(/^(?:welcome|pusher:connection_established)$/);
    return;
  }
  const below = /^\/apps\/[^/]+(.*)$/.exec(path)?.[1];
  const event = { name: "e", channel: "chat", data: "{}" };
  const bodies = { batch_events: { batch: [event] }, subscribe: { channel: "chat" }, unsubscribe: { channel: "chat" } };
  const body = { ...bodies, reconnect: {} }[path.split("/").at(-1) ?? ""] ?? event;
  const answer =
    below === undefined
      ? await fetch(`${server.url}${path}`)
      : await signedFetch(server.url, APP, method, below, method === "POST" ? { body } : {});
  expect([answer.status, await answer.text()]).toEqual([200, expect.any(String)]);
});

describe("what programs call", async () => {
  const client = await connectNative(server.url);
  let opened: EndpointSocket | undefined;
  const endpoint = server.websocket("/guides", {
    open(socket) {
      opened = socket;
    },
  });
  await connect(`${server.url.replace("http", "ws")}/guides`);
  const socket = await eventually(() => opened ?? Promise.reject(new Error("not open yet")));
  const objects: Readonly<Record<string, unknown>> = {
    server,
    endpoint,
    socket,
    connection: server.connections.get(client.id),
  };

  test.each(quotations("call"))("%s is there", (quotation) => {
    const steps = [...quotation.matchAll(/(\w+)(?:\(([^)]*)\))?/g)];
    const chain = quotation.replaceAll(/\([^()]*\)/g, "()").split(".");
    expect(chain.length).toBeGreaterThan(1);
    let value: unknown = objects[chain[0] ?? ""];
    for (const [index, step] of chain.slice(1).entries()) {
      const name = step.replace("()", "");
      expect(value).toBeObject();
      const holder = Object(value);
      expect([name, name in holder]).toEqual([name, true]);
      const member: unknown = Reflect.get(holder, name);
      if (step.endsWith("()")) expect(member).toBeFunction();
      const isLast = index === chain.length - 2;
      value = typeof member === "function" && !isLast ? member.call(holder, "x") : member;
    }
    expect(steps.length).toBeGreaterThan(1);
  });

  test.each(quotations("call").filter((one) => one.startsWith("server.on(")))("%s names a hook", (quotation) => {
    const name = /"([\w.]+)"/.exec(quotation)?.[1] ?? "";
    // What is no hook is refused.
    const on: (hook: string, listener: () => void) => () => void = server.on.bind(server) as never;
    on(name, () => {})();
    expect(() => on("nothing of the kind", () => {})).toThrow();
  });
});

test.each(quotations("options"))("%s takes these options", (quotation) => {
  const names =
    /\{(.*)\}/
      .exec(quotation)?.[1]
      ?.split(",")
      .map((name) => name.trim()) ?? [];
  expect(names.length).toBeGreaterThan(0);
  const given = { host: "127.0.0.1", port: 0, fetch: () => new Response() };
  expect(() => createServer(given)).not.toThrow();
  expect(Object.keys(given)).toEqual(expect.arrayContaining(names));
});

describe("of the client", () => {
  const client = createClient({ url: server.url });
  const listener = () => {};

  test.each(quotations("client"))("%s can be called", (quotation) => {
    // A member alone is looked at; a call is made, and what it promises is left alone.
    const run = new Function("client", "createClient", "nodes", "listener", `return ${quotation}`);
    const result: unknown = run(client, createClient, nodes, listener);
    expect(result === undefined ? quotation : result).toBeDefined();
    if (result instanceof Promise) result.catch(() => {});
    client.close();
  });
});

test.each(quotations("callback"))("the callback %s is a controller's", (name) => {
  expect(() => server.controller(`/guides/${name}`, { [name]: () => undefined })).not.toThrow();
  expect(() => server.controller(`/guides/not-${name}`, { [`${name}s`]: () => undefined } as never)).toThrow();
});

describe("a frame of the native protocol", async () => {
  const text = await Bun.file(join(DOCS, "protocol/native.md")).text();
  const [commands = "", told = ""] = [
    text.split("## 3.")[1]?.split("## 4.")[0],
    text.split("## 4.")[1]?.split("## 5.")[0],
  ];
  server.createChannel("open", { clientPublish: "any" });
  server.setAuthenticator(({ token }) => (token === "good" ? { id: "ada" } : false));

  test.each(quotations("frame"))("%s is one that clients send, or get", async (quotation) => {
    const frame: unknown = JSON.parse(quotation);
    const { event, data } = frame as { event: string; data?: Record<string, unknown> };
    if (!commands.includes(`\n| \`${event}\` |`)) {
      expect(event === "new-message" || told.includes(`\n| \`${event}\` |`)).toBe(true);
      return;
    }
    const client = await connectNative(server.url);
    await client.ask("subscribe", { channel: "chat" });
    await client.subscribe("open");
    const answer = await client.ask(event, event === "publish" ? { ...data, channel: "open" } : data);
    const isKnown =
      answer.event !== "error" ||
      ["unauthorized", "already_subscribed", "not_subscribed"].includes(String(answer.code));
    expect([answer, isKnown]).toEqual([answer, true]);
  });
});

test.each(quotations("pusherEvent"))("the event %s is the Pusher protocol's", async (name) => {
  expect(await Bun.file(join(DOCS, "protocol/pusher.md")).text()).toContain(`"event":"${name}"`);
  const client = await connectPusher(server.url);
  await client.ping();
});
