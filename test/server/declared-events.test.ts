/** `createServer({ events })`: what clients publish and call is as declared, or it is refused. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { defineEvents } from "../../packages/schema/src/index.ts";
import { ConfigError, createServer, type Server } from "../../packages/server/src/index.ts";
import { events } from "../schema/events.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative } from "../support/native-client.ts";
import { runCli, spawnCli, startProcess } from "../support/process.ts";
import { connectPusher, trigger } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

setDefaultTimeout(60_000);

const ROOT = join(import.meta.dir, "..", "..");
const APPS = [{ ...APP, anonymous: true, channels: [{ match: "*", clientPublish: "any" }] }] as const;
const OPTIONS = { host: "127.0.0.1", port: 0, drainTimeoutS: 1, log: { level: "silent" }, apps: APPS } as const;

async function started<S extends Pick<Server, "start" | "stop">>(server: S): Promise<S> {
  atEnd(() => server.stop());
  await server.start();
  return server;
}

const server = await started(createServer({ ...OPTIONS, events }));

/** Two in a channel, of whom the first publishes. */
async function pairIn(channel: string) {
  const [ada, bob] = [await connectNative(server.url), await connectNative(server.url)];
  for (const client of [ada, bob]) await client.subscribe(channel);
  return { ada, bob };
}

describe("what a client publishes", () => {
  test("is delivered as it was written, whatever the schema would make of it", async () => {
    const { ada, bob } = await pairIn("orders");
    const data = { id: "7", sum: 1.5, more: [1] };
    expect(await ada.ask("publish", { channel: "orders", event: "paid", data })).toMatchObject({ event: "published" });
    expect(await bob.next("paid")).toMatchObject({ channel: "orders", data });
  });

  test.each([
    ["orders", "paid", { id: "7", sum: "1" }, "data_invalid", /^The data of paid for orders are invalid: sum: /],
    ["orders", "paid", undefined, "data_invalid", /id: .*; sum: /],
    ["orders", "price", -1, "data_invalid", /not a positive number/],
    ["orders", "refunded", {}, "event_invalid", /^The event refunded is not declared for orders\.$/],
    ["orders", "constructor", {}, "event_invalid", /is not declared for orders/],
    ["other", "paid", { id: "7", sum: 1 }, "channel_invalid", /^The channel other is not declared\.$/],
    ["room-audited", "audit", {}, "data_invalid", /by: /],
  ])("is refused with the path if it is not as declared: %s %s %j", async (channel, event, data, code, message) => {
    const { ada, bob } = await pairIn(channel);
    expect(await ada.ask("publish", { channel, event, data })).toMatchObject({
      event: "error",
      code,
      message: expect.stringMatching(message),
    });
    expect(await bob.unread()).toEqual([]);
  });

  test("is refused for Pusher clients by an error that has the path", async () => {
    const ada = await connectPusher(server.url);
    const channel = "presence-room-1";
    await ada.subscribe(channel, { data: { user_id: "ada" } });
    ada.send("client-typing", { on: "yes" }, channel);
    expect((await ada.next("pusher:error")).data).toEqual({
      code: null,
      message: expect.stringMatching(/^The data of client-typing for presence-room-1 are invalid: on: /),
    });
    ada.send("client-nodding", {}, channel);
    expect((await ada.next("pusher:error")).data).toMatchObject({ message: expect.stringContaining("not declared") });
    const bob = await connectPusher(server.url);
    await bob.subscribe(channel, { data: { user_id: "bob" } });
    ada.send("client-typing", { on: true }, channel);
    expect(await bob.next("client-typing")).toMatchObject({ data: '{"on":true}' });
  });

  test("is not seen by hooks before it was checked", async () => {
    const seen: unknown[] = [];
    const off = server.on("message", (_, message) => seen.push(message.data), "orders");
    const { ada } = await pairIn("orders");
    await ada.ask("publish", { channel: "orders", event: "price", data: "1" });
    await ada.ask("publish", { channel: "orders", event: "price", data: 1 });
    expect(seen).toEqual([1]);
    off();
  });

  test("is refused by the rules for channels first, so that a schema's time is not for everybody", async () => {
    let checks = 0;
    const counting = z.unknown().refine(() => ++checks > 0);
    const closed = await started(
      createServer({
        ...OPTIONS,
        apps: [{ ...APP, anonymous: true }],
        events: { channels: { "private-a": { e: counting, "client-e": counting } } },
      }),
    );
    const client = await connectNative(closed.url);
    await client.subscribe("private-a", client.permission("private-a"));
    const ask = (event: string) => client.ask("publish", { channel: "private-a", event, data: 1 });
    expect(await ask("e")).toMatchObject({ code: "publish_forbidden" });
    expect(checks).toBe(0);
    expect(await ask("client-e")).toMatchObject({ event: "published" });
    expect(checks).toBe(1);
  });

  test("cannot be checked in an encrypted channel, and is not", async () => {
    const encrypted = await started(
      createServer({ ...OPTIONS, events: { channels: { "private-encrypted-a": { e: z.object({ n: z.number() }) } } } }),
    );
    const client = await connectNative(encrypted.url);
    await client.subscribe("private-encrypted-a", client.permission("private-encrypted-a"));
    const data = { nonce: "…", ciphertext: "…" };
    expect(await client.ask("publish", { channel: "private-encrypted-a", event: "e", data })).toMatchObject({
      event: "published",
    });
  });
});

test("what back ends and the program publish is theirs to check", async () => {
  const { bob } = await pairIn("orders");
  await trigger(server.url, APP, { name: "paid", channel: "orders", data: "{}" });
  expect(await bob.next("paid")).toMatchObject({ data: {} });
  // @ts-expect-error: the compiler refuses it
  await server.toChannel("orders").push({ event: "refunded", data: 1 });
  expect(await bob.next("refunded")).toMatchObject({ data: 1 });
});

describe("a call", () => {
  test("comes to its handler as the schema makes it, and its answer to the client as well", async () => {
    const got: unknown[] = [];
    server.handle("vote", (_, data) => {
      got.push(data);
      return Object.assign({ total: data.weight }, { secret: "not for clients" });
    });
    const client = await connectNative(server.url);
    expect(await client.ask("vote", { option: "a", more: 1 })).toMatchObject({ event: "result", data: { total: 1 } });
    expect((await client.ask("vote", { option: "a" })).data).toEqual({ total: 1 });
    expect(got).toEqual([
      { option: "a", weight: 1 },
      { option: "a", weight: 1 },
    ]);
  });

  test("is refused with the path if its data are not as declared", async () => {
    let calls = 0;
    const off = server.on("message", () => calls++);
    server.handle("vote", () => ({ total: ++calls }));
    const client = await connectNative(server.url);
    expect(await client.ask("vote", { option: "c" })).toMatchObject({
      code: "data_invalid",
      message: expect.stringMatching(/^The data of vote are invalid: option: /),
    });
    expect(calls).toBe(0);
    off();
  });

  test("that is not declared is refused, also where a handler takes all others", async () => {
    server.handle("*", () => "anything");
    const client = await connectNative(server.url);
    expect(await client.ask("unheard", {})).toMatchObject({ code: "unknown_command" });
    expect(await client.ask("constructor", {})).toMatchObject({ code: "unknown_command" });
    expect(await client.ask("ping-me", null)).toMatchObject({ code: "unknown_command" });
  });

  test("whose handler answers something else is answered `internal`, and reported", async () => {
    const errors: string[] = [];
    const off = server.on("error", (error) => errors.push(String(error)));
    // @ts-expect-error: the compiler refuses it
    server.handle("vote", () => ({ total: "many" }));
    const client = await connectNative(server.url);
    expect(await client.ask("vote", { option: "a" })).toMatchObject({ code: "internal" });
    expect(errors).toEqual([
      expect.stringMatching(/The handler of vote gave an answer that is not as declared: total: /),
    ]);
    off();
  });
});

test("an asynchronous schema is reported as what it is, and lets nothing through", async () => {
  const late = defineEvents({ channels: { "*": { e: z.string().refine(async () => true) } } });
  const strict = await started(createServer({ ...OPTIONS, events: late }));
  const errors: string[] = [];
  strict.on("error", (error) => errors.push(String(error)));
  const client = await connectNative(strict.url);
  await client.subscribe("a");
  expect(await client.ask("publish", { channel: "a", event: "e", data: "x" })).toMatchObject({ code: "internal" });
  expect(errors).toEqual([expect.stringContaining("A schema (zod) is asynchronous")]);
});

describe("a declaration", () => {
  test("that is none is refused with one line for each problem", () => {
    const wrong = {
      channel: {},
      channels: { orders: { paid: (value: unknown) => value, price: events.channels.orders.price }, news: [] },
      calls: { vote: z.object({}), list: { input: z.object({}), output: {} } },
      member: null,
    };
    // @ts-expect-error: the compiler refuses it
    expect(() => createServer({ ...OPTIONS, events: wrong })).toThrow(
      new ConfigError([
        "`events.channel`: a declaration has only channels, user, calls, member",
        "`events.channels.orders.paid` has to be a schema of a Standard Schema library",
        "`events.channels.news` has to be an object of events with their schemas",
        "`events.calls.vote.input` has to be a schema of a Standard Schema library",
        "`events.calls.list.output` has to be a schema of a Standard Schema library",
        "`events.member` has to be a schema of a Standard Schema library",
      ]),
    );
    // @ts-expect-error: the compiler refuses it
    expect(() => createServer({ ...OPTIONS, events: [] })).toThrow("`events` has to be a declaration");
  });

  const MODULE = `
    const text = { "~standard": { version: 1, vendor: "by hand",
      validate: (value) => typeof value === "string" ? { value } : { issues: [{ message: "no text", path: ["here"] }] } } };
    export const events = { channels: { a: { e: text } } };
    export const none = { channels: { a: { e: 1 } } };
  `;
  const refusal = { code: "data_invalid", message: "The data of e for a are invalid: here: no text" };

  async function isChecking(url: string): Promise<void> {
    // The kernel spreads connections over the workers by chance, also over one that does not listen yet.
    for (let nth = 0; nth < 8; nth++) {
      const client = await eventually(() => connectNative(url), { withinMs: 30_000 });
      await client.subscribe("a");
      expect(await client.ask("publish", { channel: "a", event: "e", data: 1 })).toMatchObject(refusal);
      expect(await client.ask("publish", { channel: "a", event: "e", data: "1" })).toMatchObject({
        event: "published",
      });
    }
  }

  test("may be in a file that the configuration names, which each worker loads", async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "events.ts"), MODULE);
    const config = { workers: 2, events: "./events.ts#events", apps: [...APPS] };
    const child = await startProcess({ cwd, config });
    await isChecking(child.url);
  });

  test("is in each worker where the program has it", async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "events.ts"), MODULE);
    const program = `
      import { createServer } from ${JSON.stringify(join(ROOT, "packages/server/src/index.ts"))};
      import { events } from "./events.ts";
      const server = createServer({ ...${JSON.stringify(OPTIONS)}, workers: 2, events });
      await server.start();
      if (server.isPrimary) console.log("at " + server.url);
    `;
    writeFileSync(join(cwd, "program.ts"), program);
    const child = spawnCli(["program.ts"], { program: [process.execPath], cwd });
    const [, url = ""] = await child.prints(/at (\S+)/);
    await isChecking(url);
  });

  test.each([
    ["./missing.ts", "`events`: cannot load"],
    ["./events.ts", "has no default export"],
    ["./events.ts#none", "`events.channels.a.e` has to be a schema"],
  ])("in a file that cannot be used is reported: %s", async (file, message) => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "events.ts"), MODULE);
    const { code, stderr } = await runCli(["serve", "--port", "0", "--events", file], { cwd });
    expect([code, stderr]).toEqual([1, expect.stringContaining(message)]);
  });
});
