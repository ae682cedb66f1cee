/** Places that the engine counts: taken and given back in whatever order answers come. */

import { describe, expect, test } from "bun:test";
import { CommandError, Disconnect } from "../../packages/server/src/domain/error.ts";
import type { Clock, Engine, Ledger } from "../../packages/server/src/domain/ports.ts";
import { memoryEngine } from "../../packages/server/src/engines/memory/engine.ts";
import { type BenchOptions, bench, fakeApp, settled } from "../support/fakes.ts";

const AWAY = new CommandError("engine_unavailable", "Away.");

/** A ledger that answers when it is told to. */
class SlowLedger {
  readonly calls: string[] = [];
  readonly #waiting: { resolve: (isTaken: boolean) => void; reject: (error: Error) => void }[] = [];

  engine = (clock: Clock): Engine => {
    const inner = memoryEngine(clock);
    const ledger: Ledger = {
      ...{
        takeToken: inner.ledger.takeToken.bind(inner.ledger),
        setIfAbsent: inner.ledger.setIfAbsent.bind(inner.ledger),
      },
      ...{ exists: inner.ledger.exists.bind(inner.ledger), delete: inner.ledger.delete.bind(inner.ledger) },
      ...{ setMax: inner.ledger.setMax.bind(inner.ledger), get: inner.ledger.get.bind(inner.ledger) },
      acquire: (place, holder, most) => {
        this.calls.push(`take ${place} ${holder} of ${most}`);
        return new Promise<boolean>((resolve, reject) => this.#waiting.push({ resolve, reject }));
      },
      release: async (place, holder) => void this.calls.push(`give back ${place} ${holder}`),
    };
    return {
      name: "slow",
      broker: inner.broker,
      registry: inner.registry,
      ledger,
      start: (host) => inner.start(host),
      health: () => inner.health(),
      nodes: () => inner.nodes(),
      close: () => inner.close(),
    };
  };

  async answer(isTaken: boolean): Promise<void> {
    this.#waiting.shift()?.resolve(isTaken);
    await settled();
  }

  async fail(): Promise<void> {
    this.#waiting.shift()?.reject(AWAY);
    await settled();
  }
}

const limited = () => fakeApp({ limits: { connections: 5 }, channels: [{ match: "few", maxSubscribers: 2 }] });

async function slow(options: BenchOptions = {}) {
  const ledger = new SlowLedger();
  return { ledger, ...(await bench({ app: limited(), engine: ledger.engine, ...options })) };
}

const SEAT = '["subscribers","app","few"]';

describe("a channel's place", () => {
  test("is given back by who vanishes before the engine has answered, and nobody is counted twice", async () => {
    const { ledger, open, hub, app } = await slow();
    const client = open();
    client.subscribe("few");
    await settled();
    client.vanish();
    await ledger.answer(true);
    expect(ledger.calls).toEqual([`take ${SEAT} 1.1 of 2`, `give back ${SEAT} 1.1`]);
    expect(hub.localHolderCount(app, "few")).toBe(0);
  });

  test("that the engine may have given without an answer is given back, and the client is told", async () => {
    const { ledger, open } = await slow();
    const client = open();
    client.subscribe("few");
    await settled();
    await ledger.fail();
    expect(client.seen).toMatchObject([{ type: "refused", error: "engine_unavailable" }]);
    expect(ledger.calls.at(-1)).toBe(`give back ${SEAT} 1.1`);
  });

  test("that there is none of is refused, and nothing is given back", async () => {
    const { ledger, open } = await slow();
    const client = open();
    client.subscribe("few");
    await settled();
    await ledger.answer(false);
    expect(client.seen).toMatchObject([{ type: "refused", error: "channel_full" }]);
    expect(ledger.calls).toHaveLength(1);
    client.subscribe("many");
    await settled();
    expect(client.types.at(-1)).toBe("subscribed");
    expect(ledger.calls).toHaveLength(1);
  });

  test("is given back by who leaves, once", async () => {
    const { ledger, open } = await slow();
    const client = open();
    client.subscribe("few");
    await settled();
    await ledger.answer(true);
    client.send({ type: "unsubscribe", channel: "few" });
    await settled();
    client.vanish();
    await settled();
    expect(ledger.calls.filter((call) => call.startsWith("give"))).toEqual([`give back ${SEAT} 1.1`]);
  });
});

describe("an app's place", () => {
  const PLACE = '["connections","app"]';

  test("is asked for only where there is a limit", async () => {
    const { ledger, hub, open } = await slow({ app: fakeApp({ limits: { connections: Number.POSITIVE_INFINITY } }) });
    expect(hub.quotas.acquireConnection(open().connection)).toBe(undefined);
    expect(ledger.calls).toEqual([]);
  });

  test("is refused with a farewell that says whether to come back", async () => {
    const { ledger, hub, open } = await slow();
    const [one, other] = [open().connection, open().connection];
    const asked = [one, other].map((connection) =>
      Promise.resolve(hub.quotas.acquireConnection(connection)).catch((why) => why),
    );
    await ledger.answer(false);
    await ledger.fail();
    const [full, away] = (await Promise.all(asked)) as unknown[];
    expect([full, away].map((why) => why instanceof Disconnect && [why.code, why.reconnect])).toEqual([
      ["quota_exceeded", "never"],
      ["engine_unavailable", "later"],
    ]);
    expect(ledger.calls.slice(2)).toEqual([`give back ${PLACE} 1.2`]);
  });

  test("is given back when the connection closes, once; and taken by those who are here when a limit is set", async () => {
    const { ledger, hub, open } = await slow({ app: fakeApp({ limits: { connections: Number.POSITIVE_INFINITY } }) });
    const client = open();
    hub.replaceApp(limited());
    hub.replaceApp(limited());
    await ledger.answer(true);
    client.vanish();
    hub.quotas.releaseConnection(client.connection);
    await settled();
    expect(ledger.calls).toEqual([`take ${PLACE} 1.1 of Infinity`, `give back ${PLACE} 1.1`]);
  });
});
