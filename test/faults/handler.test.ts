/** A program's handler throws: whoever called it is told `internal`, the log has the stack, everything else goes on. */

import { expect, test } from "bun:test";
import { CommandError } from "../../packages/server/src/index.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { socketUrl, startServer } from "../support/server.ts";
import { connect } from "../support/socket.ts";

const CIRCULAR: Record<string, unknown> = {};
CIRCULAR.self = CIRCULAR;

const FAULTS: readonly (readonly [string, () => unknown])[] = [
  [
    "throws",
    () => {
      throw new TypeError("secret detail");
    },
  ],
  [
    "throws something that is no error",
    () => {
      throw null;
    },
  ],
  ["rejects", () => Promise.reject(new Error("secret detail"))],
  [
    "rejects late",
    () =>
      Bun.sleep(10).then(() => {
        throw new Error("secret detail");
      }),
  ],
  ["answers what has no JSON", () => CIRCULAR],
  ["answers a number too big for JSON", () => 1n],
];

test.each(FAULTS)(
  "a handler that %s is answered `internal`, and the connection and the process go on (scenario 10)",
  async (_, fault) => {
    const server = await startServer({}, { anonymous: true });
    server.handle("faulty", fault).handle("fine", () => "fine");
    const [native, pusher] = await Promise.all([connect(socketUrl(server.url)), connectPusher(server.url)]);
    native.send({ event: "faulty", id: 1 });
    const refused = await native.next("error");
    expect(refused).toMatchObject({ code: "internal", id: 1 });
    expect(JSON.stringify(refused)).not.toContain("secret detail");
    native.send({ event: "fine", id: 2 });
    expect(await native.next((frame) => frame.id === 2)).toMatchObject({ data: "fine" });
    await pusher.ping();
  },
);

test("a handler that refuses says why", async () => {
  const server = await startServer({}, { anonymous: true });
  server.handle("order", () => {
    throw new CommandError("unauthorized", "Not on Sundays.");
  });
  const client = await connect(socketUrl(server.url));
  client.send({ event: "order", id: 1 });
  expect(await client.next("error")).toMatchObject({ code: "unauthorized", message: "Not on Sundays.", id: 1 });
});
