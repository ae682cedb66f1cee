/** State that is loaded once and kept up to date by events, against the real server. */

import { describe, expect, test } from "bun:test";
import { createLive, type Live, type LoadRequest, type Position } from "../../packages/client/src/index.ts";
import { sleep } from "../../packages/server/testing/eventually.ts";
import { eventually } from "../support/eventually.ts";
import { FakeWorld, settled } from "./fake-world.ts";
import { startWorld } from "./server-world.ts";

const world = await startWorld();

/** A table whose changes are published, as a back end has it. */
class Table {
  readonly rows = new Map<number, number>();
  readonly #channel: string;
  readonly #loads: string[] = [];
  /** Where the channel stands, as the back end reads it before the rows. */
  readonly #position: (() => Position | undefined) | undefined;

  constructor(channel: string, position?: () => Position | undefined) {
    this.#channel = channel;
    this.#position = position;
  }

  get loads(): readonly string[] {
    return this.#loads;
  }

  async change(row: number, value: number): Promise<void> {
    this.rows.set(row, value);
    await world.publish(this.#channel, "changed", { row, value });
  }

  options() {
    type Rows = ReadonlyMap<number, number>;
    return {
      load: async ({ reason }: LoadRequest): Promise<{ state: Rows; position?: Position | undefined }> => {
        this.#loads.push(reason);
        const position = this.#position?.();
        await sleep(20);
        const state = new Map(this.rows);
        await sleep(20);
        return { state, position };
      },
      apply: (rows: Rows, { data }: { data: { row: number; value: number } }): Rows =>
        new Map(rows).set(data.row, data.value),
    };
  }
}

/** Knows where the channel stands. */
async function backEnd(channel: string): Promise<() => Position | undefined> {
  const observer = world.directClient().channel(channel);
  observer.hold();
  await eventually(() => expect(observer.snapshot.state).toBe("attached"));
  return () => observer.position;
}

function shows<T>(live: Live<T>, value: T) {
  return eventually(() => expect(live.snapshot).toEqual({ value, status: "live" }));
}

describe("live state", () => {
  test("is equal to the table, however much changes while it loads and while the line is cut", async () => {
    const table = new Table("kept-live", await backEnd("kept-live"));
    for (let n = 0; n < 20; n++) await table.change(n % 7, n);
    const live = createLive(world.client().channel("kept-live"), table.options());
    live.subscribe(() => {});
    expect(live.snapshot).toEqual({ value: undefined, status: "loading" });
    for (let n = 20; n < 160; n++) {
      await table.change(n % 7, n);
      if (n === 80 || n === 120) world.cut();
    }
    await shows(live, table.rows);
    expect(table.loads).toEqual(["first"]);
  });

  test("is loaded again when more was missed than is kept", async () => {
    const table = new Table("short-live", await backEnd("short-live"));
    const live = createLive(world.client().channel("short-live"), table.options());
    live.subscribe(() => {});
    await shows(live, table.rows);
    world.proxy.cut();
    for (let n = 0; n < 30; n++) await table.change(n % 7, n);
    world.proxy.mend();
    await eventually(() => expect(table.loads).toEqual(["first", "gap"]));
    await table.change(3, 99);
    await shows(live, table.rows);
    live.reload();
    await eventually(() => expect(table.loads).toEqual(["first", "gap", "reload"]));
    await shows(live, table.rows);
  });

  test("works without positions: the channel comes first, and events wait while it loads", async () => {
    const table = new Table("plain-live");
    const live = createLive(world.client().channel("plain-live"), table.options());
    const stop = live.subscribe(() => {});
    for (let n = 0; n < 40; n++) await table.change(n % 7, n);
    await shows(live, table.rows);
    world.cut();
    await table.change(1, 1_000);
    await shows(live, table.rows);
    stop();
  });
});

describe("a loader that fails", () => {
  test("is tried again after 1, 2 and 4 s, and then by hand", async () => {
    const fake = new FakeWorld();
    let loads = 0;
    const load = () => {
      loads++;
      throw new Error("the back end is down");
    };
    const live = createLive(fake.client().channel("room"), { load, apply: (state: number) => state });
    live.subscribe(() => {});
    await fake.pass(0);
    expect(loads).toBe(1);
    await fake.pass(7_000);
    expect(loads).toBe(4);
    expect(live.snapshot).toEqual({ value: undefined, status: "error", error: new Error("the back end is down") });
    live.reload();
    await settled();
    expect(loads).toBe(5);
  });

  test("and a page that goes leave nothing behind", async () => {
    const fake = new FakeWorld();
    const signals: AbortSignal[] = [];
    const client = fake.client();
    const load = ({ signal }: LoadRequest) => {
      signals.push(signal);
      return new Promise<{ state: number }>(() => {});
    };
    const live = createLive(client.channel("room"), { load, apply: (state: number) => state });
    // StrictMode.
    live.subscribe(() => {})();
    const stop = live.subscribe(() => {});
    await settled();
    expect(signals).toHaveLength(1);
    stop();
    await fake.pass(500);
    expect(signals[0]?.aborted).toBe(true);
    client.close();
    expect(fake.timers).toBe(0);
  });
});
