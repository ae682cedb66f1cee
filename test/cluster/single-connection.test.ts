/** A user has one connection in the whole cluster: the one that came last, or the one that came first (`singleConnection`). */

import { describe, expect, test } from "bun:test";
import { CLUSTER_APP, EVERY_ENGINE, startPair } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { dialNative, makeToken } from "../support/native-client.ts";
import { scaled } from "../support/soak.ts";

const PATIENCE = { withinMs: 60_000, everyMs: 20 };

/** Keeps the first; the cluster's own app keeps the last. */
const OTHER = { id: "other", key: "other-key", secret: "another secret", singleConnection: "refuse" } as const;

describe.each(EVERY_ENGINE)("on %s", async (engine) => {
  const [a, b] = await startPair(engine, {
    config: { apps: [{ ...CLUSTER_APP, singleConnection: "replace" }, OTHER] },
  });

  test("the one that came last stays, also where many come at once", async () => {
    const first = await a.native({ token: await makeToken({ sub: "ada" }) });
    await first.ping();
    const second = await b.native({ token: await makeToken({ sub: "ada" }) });
    expect(await first.next("closing")).toMatchObject({ code: "replaced", reconnect: "never" });
    expect((await first.socket.closed).code).toBe(4009);
    await second.ping();
    for (let round = 0; round < scaled(200, 3); round++) {
      const token = await makeToken({ sub: `racer-${round}` });
      const sockets = await Promise.all([a, b, a, b, b].map(({ url }) => dialNative(url, { token })));
      const codes: number[] = [];
      for (const socket of sockets) void socket.closed.then(({ code }) => codes.push(code));
      await eventually(() => expect(codes).toEqual([4009, 4009, 4009, 4009]), PATIENCE);
      for (const socket of sockets) void socket.close();
    }
  });

  test("the one that came first stays, and its place is free when it is gone", async () => {
    const app = OTHER.key;
    const token = await makeToken({ sub: "ada" }, OTHER.secret);
    const first = await a.native({ app, token });
    await first.ping();
    const refused = await dialNative(b.url, { app, token });
    expect(await refused.next("closing")).toMatchObject({ code: "quota_exceeded", reconnect: "never" });
    await first.ping();
    const other = await b.native({ app, token: await makeToken({ sub: "bob" }, OTHER.secret) });
    await other.ping();
    await first.close();
    await eventually(async () => {
      const next = await b.native({ app, token });
      expect(await next.unread()).toEqual([]);
      await next.close();
    }, PATIENCE);
  });
});
