/** Tokens that end, by a clock that is told the time. */

import { expect, test } from "bun:test";
import type { App, TokenRules } from "../../packages/server/src/domain/app.ts";
import type { User } from "../../packages/server/src/domain/message.ts";
import type { Guard } from "../../packages/server/src/domain/ports.ts";
import { type Bench, bench, type FakeClient, fakeApp, settled } from "../support/fakes.ts";

const DAY_S = 86_400;

/** A token is how many seconds it lives from now on, or nothing. */
function believing(made: () => Bench): Guard {
  return {
    command(_, command) {
      if (command.type !== "signin" || command.by.type !== "token") return undefined;
      const { token } = command.by;
      const expiry = token === "" ? {} : { expiresAtMs: made().clock.wallMs() + Number(token) * 1_000 };
      const user: User = { id: "ada", ...expiry };
      return { ...command, by: { type: "user", user } };
    },
  };
}

function appWith(token?: Partial<TokenRules>): App {
  const rules = { algorithms: ["HS256"], clockToleranceS: 5, ...token } as const;
  return fakeApp(token ? { token: rules } : {});
}

async function start(token?: Partial<TokenRules>): Promise<Bench> {
  const made: Bench = await bench({ app: appWith(token), more: { guards: [believing(() => made)] } });
  return made;
}

async function signIn(client: FakeClient, token: string): Promise<void> {
  client.send({ type: "signin", by: { type: "token", token } });
  await settled();
}

async function signedIn(made: Bench, token: string): Promise<FakeClient> {
  const client = made.open();
  await signIn(client, token);
  client.socket.frames.length = 0;
  return client;
}

/** Sweeps every second; each client is there, and has read what it was sent. */
function pass({ hub, clock }: Bench, seconds: number): void {
  for (let second = 0; second < seconds; second++) {
    clock.pass(1_000);
    for (const connection of hub.connections()) {
      hub.touch(connection);
      connection.probe = undefined;
    }
    hub.sweep();
  }
}

test("a client is sent word once, 30 s before, and closed 5 to 10 s after with the default tolerance", async () => {
  const made = await start();
  const client = await signedIn(made, "600");
  pass(made, 569);
  expect(client.seen).toEqual([]);
  pass(made, 1);
  expect(client.seen).toEqual([{ type: "expiring", afterMs: 30_000 }]);
  pass(made, 34);
  expect(client.seen).toHaveLength(1);
  pass(made, 6);
  expect(client.seen.slice(1)).toEqual([{ type: "closing", code: "token_expired" }]);
  expect(made.events.find(({ type }) => type === "closed")).toMatchObject({ why: { code: "token_expired" } });
});

test("a newer token counts from when it is shown, and is announced anew", async () => {
  const made = await start();
  const client = await signedIn(made, "60");
  pass(made, 59);
  await signIn(client, "100");
  client.socket.frames.length = 0;
  pass(made, 69);
  expect(client.seen).toEqual([]);
  pass(made, 1);
  expect(client.seen).toEqual([{ type: "expiring", afterMs: 30_000 }]);
  await signIn(client, "");
  client.socket.frames.length = 0;
  pass(made, 3_600);
  expect(client.seen).toEqual([]);
});

test("a token that is refused renews nothing", async () => {
  const made = await start();
  const client = await signedIn(made, "60");
  client.send({ type: "signin", by: { type: "credentials", credentials: {} } });
  await settled();
  expect(client.types).toEqual(["refused"]);
  pass(made, 70);
  expect(client.types).toEqual(["refused", "expiring", "closing"]);
});

test("a token that ends within 30 s is announced at once, and one that has ended has the tolerance left", async () => {
  const made = await start();
  const [brief, over] = [await signedIn(made, "7"), await signedIn(made, "-3")];
  pass(made, 1);
  expect(brief.seen).toEqual([{ type: "expiring", afterMs: 6_000 }]);
  expect(over.seen).toEqual([{ type: "expiring", afterMs: 0 }]);
  pass(made, 6);
  expect(over.types).toEqual(["expiring", "closing"]);
  expect(brief.types).toEqual(["expiring"]);
});

test("a token may live longer than 24.8 days, a century, or for ever", async () => {
  const made = await start();
  const tokens = [25 * DAY_S, 36_500 * DAY_S, 1e300].map(String);
  const clients = await Promise.all(tokens.map((token) => signedIn(made, token)));
  pass(made, 100);
  expect(clients.map(({ seen }) => seen)).toEqual([[], [], []]);
});

test("a wall clock that jumps ends no token, and prolongs none", async () => {
  const made = await start();
  const [first, second] = [await signedIn(made, "3600"), await signedIn(made, "60")];
  made.clock.wall += DAY_S * 1_000;
  pass(made, 1);
  expect(first.seen).toEqual([]);
  made.clock.wall -= 2 * DAY_S * 1_000;
  pass(made, 70);
  expect(second.types).toEqual(["expiring", "closing"]);
});

test("where the server stood still, a renewal that came meanwhile is read before anything is closed", async () => {
  const made = await start();
  const client = await signedIn(made, "60");
  pass(made, 59);
  made.clock.pass(60_000);
  made.hub.sweep(59_000);
  expect(client.connection.closed).toBe(false);
  await signIn(client, "600");
  pass(made, 60);
  expect(client.connection.closed).toBe(false);
});

test("with `ignore` nothing is sent and nothing closed, from the moment that it is configured", async () => {
  const made = await start();
  const client = await signedIn(made, "60");
  pass(made, 10);
  made.hub.replaceApp(appWith({ expiry: "ignore" }));
  pass(made, 600);
  expect(client.seen).toEqual([]);
  made.hub.replaceApp(appWith({ expiry: "close" }));
  pass(made, 1);
  expect(client.seen).toEqual([{ type: "closing", code: "token_expired" }]);
});

test("a thousand tokens that end in one second do not end their connections in one, and none later than 5 s", async () => {
  const made = await start({ clockToleranceS: 0 });
  const clients = await Promise.all(Array.from({ length: 1_000 }, () => signedIn(made, "60")));
  // As ids are: random, where the bench's own are 1, 2, 3.
  for (const [at, { connection }] of clients.entries()) Reflect.set(connection, "id", `7.${at * 7_919}`);
  pass(made, 59);
  const closed = () => clients.filter(({ connection }) => connection.closed).length;
  const counts = Array.from({ length: 6 }, () => {
    pass(made, 1);
    return closed();
  });
  expect(counts[0]).toBeLessThan(20);
  for (const count of counts.slice(1, 4)) expect(count % 1_000).toBeWithin(150, 1_000);
  expect(counts[5]).toBe(1_000);
});
