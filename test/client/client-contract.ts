/** What applications may rely on, whatever carries the frames and whatever engine is behind: run over every transport and every engine. */

import { describe, expect, test } from "bun:test";
import { type Client, type ClientOptions, createClient, createLive } from "@fanfare/client";
import { createPublisher, type Publisher } from "@fanfare/publisher";
import { atEnd } from "../support/at-end.ts";
import { chance } from "../support/chance.ts";
import { eventually } from "../support/eventually.ts";
import { makeToken } from "../support/native-client.ts";
import { APP, socketUrl } from "../support/server.ts";
import { scaled } from "../support/soak.ts";
import { startProxy, type TcpProxy } from "../support/tcp-proxy.ts";

const TEST_MS = 180_000;
const PATIENCE = { withinMs: 60_000, everyMs: 20 };
const SEEDS = scaled(250, 16);
const SEEDS_AT_ONCE = 8;
const MESSAGES = 40;

export interface ClientContract {
  readonly name: string;
  /** Two nodes of one cluster, or one node twice. Channels named `kept…` and `presence-kept…` have history. */
  readonly urls: readonly [string, string];
  /** How clients are made: their transports, say. */
  readonly options?: Partial<ClientOptions>;
}

/** Call it at the top level of a file, after its servers have started. */
export function clientContract({ name, urls, options = {} }: ClientContract): void {
  const [here, there] = [portOf(urls[0]), portOf(urls[1])];
  const open = async (port: number, user: string) => openClient(port, { ...(await signedIn(user)), ...options });

  describe(`a client over ${name}`, () => {
    test(
      "hears what is said on the other node, and who comes and goes",
      async () => {
        const [ada, bob] = [await open(here, "ada"), await open(there, "bob")];
        const [hers, his] = [ada.channel("presence-kept-talk"), bob.channel("presence-kept-talk")];
        const [heard, left] = [listen(hers), [] as string[]];
        hers.onLeave(({ id }) => left.push(id));
        await eventually(() => expect(hers.snapshot.state).toBe("attached"), PATIENCE);
        // Before he publishes: a channel that nobody holds is left again soon after, which would be a departure more.
        const end = his.hold();
        const { position } = await his.publish("message", 1);
        expect(position?.offset).toBeGreaterThan(0);
        await eventually(() => expect(heard).toEqual([1]), PATIENCE);
        await eventually(() => expect(hers.members.map(({ id }) => id)).toEqual(["ada", "bob"]), PATIENCE);
        end();
        await eventually(() => expect([hers.members.map(({ id }) => id), left]).toEqual([["ada"], ["bob"]]), PATIENCE);
      },
      TEST_MS,
    );

    test(
      "says so where the channel keeps nothing and its line was cut",
      async () => {
        const proxy = await startProxy(here);
        const room = (await open(proxy.port, "ada")).channel("brief");
        const gaps: string[] = [];
        room.onGap(({ reason }) => gaps.push(reason));
        room.hold();
        await eventually(() => expect(room.snapshot.state).toBe("attached"), PATIENCE);
        proxy.cut();
        await eventually(() => expect(room.snapshot.state).toBe("attaching"), PATIENCE);
        proxy.mend();
        await eventually(() => expect([room.snapshot.state, gaps]).toEqual(["attached", ["no-history"]]), PATIENCE);
      },
      TEST_MS,
    );

    test(
      "loses nothing, says nothing twice and keeps the order, however the lines are cut",
      async () => {
        const lanes = Array.from({ length: SEEDS_AT_ONCE }, async (_, lane) => {
          for (let seed = lane + 1; seed <= SEEDS; seed += SEEDS_AT_ONCE) await runModel(seed, [here, there], open);
        });
        await Promise.all(lanes);
      },
      SEEDS * 20_000 + TEST_MS,
    );

    test(
      "has the state that the back end has, whatever was cut while it was loaded and changed",
      async () => {
        const proxy = await startProxy(here);
        const publisher = openPublisher(there);
        const [database, channel, random] = [new Map<string, number>(), "kept-orders", chance(1)];
        const live = createLive((await open(proxy.port, "ada")).channel(channel), {
          load: async () => {
            const position = await publisher.position(channel);
            await Bun.sleep(random() * 50);
            return { state: new Map(database), ...(position && { position }) };
          },
          apply: (state: Map<string, number>, { data }) => {
            const [id, n] = data as [string, number];
            return new Map(state).set(id, n);
          },
        });
        live.subscribe(() => {});
        for (let n = 0; n < 60; n++) {
          const id = `order-${n % 7}`;
          database.set(id, n);
          await publisher.publish(channel, "changed", [id, n]);
          if (n % 15 === 7) proxy.cut();
          if (n % 15 === 12) proxy.mend();
        }
        await eventually(
          () => expect([live.snapshot.status, live.snapshot.value]).toEqual(["live", database]),
          PATIENCE,
        );
      },
      TEST_MS,
    );
  });
}

type Open = (port: number, user: string) => Promise<Client>;

/** One says, one listens, each behind a line that breaks, is silent, is slow or leads to the other node. */
async function runModel(seed: number, [here, there]: readonly [number, number], open: Open): Promise<void> {
  const random = chance(seed);
  const proxies = [await startProxy(here), await startProxy(there)] as const;
  const [speaker, listener] = [await open(proxies[0].port, "speaker"), await open(proxies[1].port, "listener")];
  const name = `kept-model-${seed}-${here}`;
  const [said, heard] = [speaker.channel(name), listener.channel(name)];
  const gaps: string[] = [];
  heard.onGap(({ reason }) => gaps.push(reason));
  const own = listen(said);
  const messages = listen(heard);
  await eventually(
    () => expect([said.snapshot.state, heard.snapshot.state]).toEqual(["attached", "attached"]),
    PATIENCE,
  );

  const published: Promise<unknown>[] = [];
  for (let n = 0; n < MESSAGES; n++) {
    published.push(said.publish("message", n));
    if (random() < 0.2) disturb(proxies[random() < 0.5 ? 0 : 1], random, [here, there]);
    await Bun.sleep(random() * 40);
  }
  for (const proxy of proxies) proxy.mend();
  await Promise.all(published);
  const all = Array.from({ length: MESSAGES }, (_, n) => n);
  await eventually(
    () => expect({ seed, messages, own, gaps }).toEqual({ seed, messages: all, own: [], gaps: [] }),
    PATIENCE,
  );
  speaker.close();
  listener.close();
}

function disturb(proxy: TcpProxy, random: () => number, ports: readonly [number, number]): void {
  const kind = random();
  if (kind < 0.4) {
    proxy.cut();
    setTimeout(() => proxy.mend(), random() * 300);
  } else if (kind < 0.6) {
    proxy.swallow(random() < 0.5 ? "all" : "answers");
    setTimeout(() => proxy.mend(), random() * 600);
  } else if (kind < 0.8) proxy.lead(ports[random() < 0.5 ? 0 : 1]);
  else proxy.slow(random() * 30);
}

interface Listenable {
  on(event: "message", listener: (data: unknown) => void): unknown;
}

/** What is heard of `message`. */
export function listen(channel: Listenable): unknown[] {
  const heard: unknown[] = [];
  channel.on("message", (data) => heard.push(data));
  return heard;
}

/** It notices a dead line fast and comes back fast. Closed with the test. */
export function openClient(ports: number | readonly number[], options: Partial<ClientOptions> = {}): Client {
  const client = createClient({
    url: [ports].flat().map((port) => socketUrl(`http://127.0.0.1:${port}`)),
    backoff: { minMs: 50, maxMs: 500 },
    timeouts: { pingMs: 300, pongMs: 700, connectMs: 3_000, replyMs: 5_000 },
    lingerMs: 50,
    ...options,
  });
  atEnd(() => client.close());
  return client;
}

export async function signedIn(user: string): Promise<Pick<ClientOptions, "token">> {
  return { token: await makeToken({ sub: user, channels: ["*"] }) };
}

export function openPublisher(port: number): Publisher {
  return createPublisher({ url: `http://127.0.0.1:${port}`, appId: APP.id, key: APP.key, secret: APP.secret });
}

export function portOf(url: string): number {
  return Number(new URL(url).port);
}
