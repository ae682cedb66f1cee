/** A line that breaks over and over costs nothing: pusher-js never gives up, with WebSockets alone and whatever breaks at random. */

import { expect, setDefaultTimeout, test } from "bun:test";
import type { Channel } from "pusher-js";
import { eventually } from "../support/eventually.ts";
import { startServer } from "../support/server.ts";
import { scaled, soaking } from "../support/soak.ts";
import { startProxy, type TcpProxy } from "../support/tcp-proxy.ts";
import { type Client, connect, dataOf, type Heard, recoveringPusher, VERSIONS } from "./pusher-js.ts";

setDefaultTimeout(soaking ? 90 * 60_000 : 120_000);

const server = await startServer(
  {},
  {
    channels: [
      { match: "few-*", history: { size: 8 } },
      { match: "*", history: { size: 10_000 } },
    ],
  },
);

async function publish(channel: string, data: number): Promise<void> {
  await server.toChannel(channel).push({ event: "number", data });
}

interface Listener extends Client {
  readonly heard: Heard[];
  readonly joined: Channel;
}

async function listeners(proxy: TcpProxy, channel: string, sets: readonly object[]): Promise<Listener[]> {
  const all = VERSIONS.flatMap((version) =>
    sets.map((options) => {
      const client = connect(recoveringPusher({ retry: { minMs: 50, maxMs: 400 } }, version), proxy.port, options);
      const { heard, channel: joined } = client.listen(channel);
      return { ...client, heard, joined };
    }),
  );
  await eventually(() => expect(all.every(({ joined }) => joined.subscribed)).toBe(true));
  return all;
}

const TRANSPORTS = [
  { enabledTransports: ["ws", "wss"] },
  { enabledTransports: undefined, httpHost: "sockjs.pusher.com" },
];

test("after ten unclean closes within four minutes nobody has failed, and nothing is lost", async () => {
  const proxy = await startProxy(server.port);
  const all = await listeners(proxy, "ten", TRANSPORTS);
  for (let cut = 1; cut <= 10; cut++) {
    proxy.cut();
    await publish("ten", cut);
    proxy.mend();
    const expected = Array.from({ length: cut }, (_, index) => index + 1);
    await eventually(() => expect(all.map(({ heard }) => dataOf(heard))).toEqual(all.map(() => expected)));
  }
  for (const { states } of all) {
    expect(states.filter((it) => it === "connected").length).toBeGreaterThanOrEqual(10);
    expect(states).not.toContain("failed");
  }
});

/** Why what was heard cannot be right: each event once and in order, and none is missing but where a gap was told. */
function faultsIn(heard: readonly Heard[]): string[] {
  let last: number | undefined;
  let hasGap = false;
  return heard.flatMap(([event, data]) => {
    if (event === "fanfare:gap") hasGap = true;
    if (event !== "number" || typeof data !== "number") return [];
    const before = last;
    const isRight = before === undefined || data === before + 1 || (hasGap && data > before);
    [last, hasGap] = [data, false];
    return isRight ? [] : [`${data} after ${before}`];
  });
}

/** Repeatable chance. */
function dice(seed: number): (most: number) => number {
  let state = seed * 2_654_435_761 + 1;
  return (most) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * most);
  };
}

/** As many at a time as one machine runs well. */
const AT_ONCE = 3;
const ROUNDS = Array.from({ length: scaled(60, 1) }, (_, index) => index * AT_ONCE + 1);

test.each(ROUNDS)(
  "random cuts from seed %d on: each event is heard once and in order, or a gap is told",
  async (first) => {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => cutAtRandom(first + index)));
  },
);

async function cutAtRandom(seed: number): Promise<void> {
  const roll = dice(seed);
  const proxy = await startProxy(server.port);
  const channels = [`many-${seed}`, `few-${seed}`];
  const groups = await Promise.all(channels.map((channel) => listeners(proxy, channel, [{}])));
  let sent = 0;
  for (let step = 0; step < 12; step++) {
    const burst = 1 + roll(30);
    for (let at = 0; at < burst; at++) {
      sent++;
      for (const channel of channels) await publish(channel, sent);
      if (at === Math.floor(burst / 2)) proxy.cut();
      if (roll(4) === 0) await Bun.sleep(roll(40));
    }
    await Bun.sleep(roll(300));
    proxy.mend();
    await Bun.sleep(roll(2_500));
  }
  const all = groups.flat();
  await eventually(() => expect(all.every(({ joined }) => joined.subscribed)).toBe(true));
  // For a second after a cut pusher-js calls a channel subscribed: what comes then may be more than is kept, and the next one is heard.
  await eventually(async () => {
    sent++;
    for (const channel of channels) await publish(channel, sent);
    const last = () => expect(all.map(({ heard }) => dataOf(heard).at(-1))).toEqual(all.map(() => sent));
    await eventually(last, { withinMs: 1_000 });
  });
  const [many = [], few = []] = groups;
  for (const { heard } of many) expect(dataOf(heard)).toEqual(Array.from({ length: sent }, (_, index) => index + 1));
  expect(few.flatMap(({ heard }) => faultsIn(heard))).toEqual([]);
  // The model means something: what was too much to be kept is missing where it is missing, and is told.
  expect(few.some(({ heard }) => dataOf(heard).length < sent)).toBe(true);
}
