/** How long a client may take that says by its first frame who it is, and what observers hear of it until then. */

import { expect, test } from "bun:test";
import { Connection } from "../../packages/server/src/domain/connection.ts";
import { CommandError } from "../../packages/server/src/domain/error.ts";
import type { Command, User } from "../../packages/server/src/domain/message.ts";
import type { Guard } from "../../packages/server/src/domain/ports.ts";
import { connect } from "../../packages/server/src/hub/connect.ts";
import { type Bench, bench, FakeClient, FakeSocket, plainProtocol, settled } from "../support/fakes.ts";

const SIGN_IN: Command = { type: "signin", by: { type: "token", token: "ada" } };

async function waiting(guards: readonly Guard[] = []): Promise<{ made: Bench; client: FakeClient }> {
  const made = await bench({ more: { guards } });
  const { hub, clock, topics, app } = made;
  const connection = new Connection("2.1", app, plainProtocol(), "127.0.0.1", clock.monotonicMs());
  connection.awaitsAuthentication = true;
  const socket = new FakeSocket(topics);
  connect(hub, connection, socket, undefined);
  return { made, client: new FakeClient(hub, connection, socket) };
}

/** Believes every token, as soon as it is let. */
function believing(ready: Promise<void> = Promise.resolve()): Guard {
  return {
    async command(_, command) {
      if (command.type !== "signin" || command.by.type !== "token") return undefined;
      const user: User = { id: command.by.token };
      await ready;
      return { ...command, by: { type: "user", user } };
    },
  };
}

function pass({ hub, clock }: Bench, seconds: number): void {
  for (let second = 0; second < seconds; second++) {
    clock.pass(1_000);
    hub.sweep();
  }
}

test("it has ten seconds, and WebSocket pings do not give it more", async () => {
  const { made, client } = await waiting([believing()]);
  pass(made, 9);
  made.hub.touch(client.connection);
  pass(made, 1);
  expect(client.connection.closed).toBe(false);
  pass(made, 1);
  expect(client.seen).toEqual([{ type: "closing", code: "authentication_timeout" }]);
  expect(made.events).toMatchObject([{ type: "rejected", why: { code: "authentication_timeout" } }]);
});

test("time in which the server itself stood still does not count", async () => {
  const { made, client } = await waiting([believing()]);
  pass(made, 8);
  made.clock.pass(8_000);
  made.hub.sweep(7_000);
  pass(made, 1);
  expect(client.connection.closed).toBe(false);
});

test("a frame that came in time counts, however long it takes to check it", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { made, client } = await waiting([believing(promise)]);
  client.send(SIGN_IN);
  pass(made, 20);
  expect(client.seen).toEqual([]);
  resolve();
  await settled();
  expect(client.types).toEqual(["welcome"]);
  pass(made, 20);
  expect(client.connection.closed).toBe(false);
  expect(client.connection.user?.id).toBe("ada");
  expect(made.events.map(({ type }) => type)).toEqual(["opened"]);
});

test("one that leaves before is neither opened, closed nor rejected for observers, and its place is free", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { made, client } = await waiting([believing(promise)]);
  expect(made.hub.connectionCount).toBe(1);
  client.send(SIGN_IN);
  client.vanish();
  resolve();
  await settled();
  expect([made.hub.connectionCount, made.events, client.seen]).toEqual([0, [], []]);
});

test("what a guard says against it ends the connection in the words of a handshake", async () => {
  const cases = [
    [new CommandError("unauthorized", "No."), "token_invalid"],
    [new CommandError("issuer_unavailable", "No."), "issuer_unavailable"],
    [new CommandError("engine_unavailable", "No."), "engine_unavailable"],
    [new Error("a bug"), "internal"],
  ] as const;
  for (const [error, code] of cases) {
    const { client } = await waiting([{ command: () => Promise.reject(error) }]);
    client.send(SIGN_IN);
    client.send({ type: "ping" });
    await settled();
    expect(client.seen).toEqual([{ type: "closing", code }]);
  }
});
