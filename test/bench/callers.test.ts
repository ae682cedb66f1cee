/** The bench's back ends: what they count with servers that keep connections, and with servers that close each after its answer. */

import { describe, expect, test } from "bun:test";
import { trigger, triggerSteadily } from "../../bench/callers.ts";
import { atEnd } from "../support/at-end.ts";

type Manner = "keeps" | "closes" | "breaks";

/** Answers each request; "closes" as soketi does, "breaks" without an answer. */
function startAnswering(manner: Manner) {
  const seen = { connections: 0, requests: 0 };
  const closing = manner === "closes" ? "Connection: close\r\n" : "";
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: () => void seen.connections++,
      data(socket) {
        seen.requests++;
        if (manner === "breaks") return void socket.terminate();
        socket.write(`HTTP/1.1 200 OK\r\n${closing}Content-Length: 2\r\n\r\nok`);
        if (manner === "closes") socket.end();
      },
    },
  });
  atEnd(() => server.stop(true));
  return { port: server.port, seen };
}

describe.each(["keeps", "closes"] as const)("with a server that %s its connections", (manner) => {
  const expected = (calls: number, callers: number) => (manner === "keeps" ? callers : calls);

  test("callers call as often as asked for, and count each answer", async () => {
    const { port, seen } = startAnswering(manner);
    const called = await trigger({ port, callers: 4, forMs: 20_000, atMost: 100 });
    expect([called, seen.requests]).toEqual([{ answered: 100, refused: 0 }, 100]);
    expect(seen.connections).toBeWithin(expected(100, 4), expected(100, 4) + 5);
  });

  test("callers stop when their time is over", async () => {
    const { port, seen } = startAnswering(manner);
    const { answered, refused } = await trigger({ port, callers: 2, forMs: 100 });
    expect([answered > 2, refused]).toEqual([true, 0]);
    expect(seen.requests - answered).toBeWithin(0, 3);
  });

  test("a steady caller sends every message when it is due", async () => {
    const { port, seen } = startAnswering(manner);
    const request = { kind: "plain", channel: "room" } as const;
    const sentAtMs = await triggerSteadily({ port, request, perSecond: 200, messages: 40 });
    expect([sentAtMs.length, seen.requests]).toEqual([40, 40]);
    expect((sentAtMs.at(-1) ?? 0) - (sentAtMs[0] ?? 0)).toBeGreaterThan(180);
  });
});

test("a connection that breaks counts as a refusal", async () => {
  const { port } = startAnswering("breaks");
  expect(await trigger({ port, callers: 3, forMs: 200 })).toEqual({ answered: 0, refused: 3 });
});
