/** An engine that dies with what was written and heard, before it answered who wrote it. */

import { expect, setDefaultTimeout, test } from "bun:test";
import type { ConfigInput } from "../../packages/server/src/index.ts";
import { startNode } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { startNats } from "../support/nats.ts";
import { trigger } from "../support/pusher-client.ts";
import { startRedis, startReplica } from "../support/redis.ts";
import { APP } from "../support/server.ts";
import { startProxy, type TcpProxy } from "../support/tcp-proxy.ts";
import { type Listener, startListeners } from "./listener.ts";

setDefaultTimeout(180_000);

const PATIENCE = { withinMs: 60_000, everyMs: 20 };
const CHANNEL = "kept-room";

interface Ground {
  readonly port: number;
  at(port: number): ConfigInput;
  /** From here on what is written is lost in the end. */
  part?(): Promise<unknown>;
  /** It dies; says where it is then. */
  die(): Promise<number>;
  /** Nothing that the publisher asks is answered any more. */
  hush(wire: TcpProxy): void;
}

const atRedis = (port: number) => ({ engine: "redis", redis: { port } }) as const;
const swallow = (wire: TcpProxy) => wire.swallow("answers");

async function emptyRedis(): Promise<Ground> {
  const server = await startRedis();
  return { port: server.port, at: atRedis, die: () => again(server), hush: swallow };
}

async function again(server: { readonly port: number; kill(): Promise<void>; start(): Promise<void> }) {
  await server.kill();
  await server.start();
  return server.port;
}

async function shortReplica(): Promise<Ground> {
  const master = await startRedis();
  const replica = await startReplica(master);
  const die = async () => {
    await master.kill();
    return replica.port;
  };
  return { port: master.port, at: atRedis, part: () => replica.cli("REPLICAOF", "NO", "ONE"), die, hush: swallow };
}

const GROUNDS: Readonly<Record<string, () => Promise<Ground>>> = {
  "a Redis that comes back empty": emptyRedis,
  "a replica that lacks the end": shortReplica,
  // It goes on listening, and hears itself.
  "a replica that lacks the end, whose publisher has heard it, too": async () => ({
    ...(await shortReplica()),
    hush: (wire) => wire.sift({ which: /evalsha/i, passes: () => "" }),
  }),
  "a NATS that comes back empty": async () => {
    const server = await startNats();
    const at = (port: number) => ({ engine: "nats", nats: { servers: [`127.0.0.1:${port}`] } }) as const;
    return { port: server.port, at, die: () => again(server), hush: swallow };
  },
};

async function both(url: string): Promise<readonly Listener[]> {
  const [native, pusher] = [
    startListeners(1, "native", CHANNEL, () => url),
    startListeners(1, "pusher", CHANNEL, () => url),
  ];
  return [...(await native), ...(await pusher)];
}

async function expectHeard(listeners: readonly Listener[], said: readonly string[]): Promise<void> {
  for (const { heard } of listeners) await eventually(() => expect(heard).toEqual([...said]), PATIENCE);
}

test.each(Object.entries(GROUNDS))(
  "%s: what is sent again because nobody answered is heard once, though its first place is lost",
  async (_, make) => {
    const { port, at, part, die, hush } = await make();
    const [wireA, wireB] = [await startProxy(port), await startProxy(port)];
    const config = { publishWaitS: 60 };
    const [a, b] = [await startNode(at(wireA.port), { config }), await startNode(at(wireB.port), { config })];
    const say = (url: string, data: string) => trigger(url, APP, { name: "e", channel: CHANNEL, data });
    const [ofA, ofB] = [await both(a.url), await both(b.url)];
    const all = [...ofA, ...ofB];
    await say(a.url, "x-0");
    await expectHeard(all, ["x-0"]);
    await part?.();
    hush(wireA);
    const unanswered = say(a.url, "x-1");
    await expectHeard(ofB, ["x-0", "x-1"]);
    const goesTo = await die();
    wireB.lead(goesTo);
    await eventually(() => expect(ofB[0]?.gaps).toBe(1), PATIENCE);
    // Who comes before it is sent again did not hear it the first time, and is told that something is missing.
    const between = await both(b.url);
    wireA.lead(goesTo);
    wireA.mend();
    await unanswered;
    await say(a.url, "x-2");
    await say(b.url, "x-3");
    await expectHeard(all, ["x-0", "x-1", "x-2", "x-3"]);
    await expectHeard(between, ["x-2", "x-3"]);
    expect(between[0]?.gaps).toBeGreaterThan(0);
    const late = await both(b.url);
    await say(a.url, "x-4");
    await expectHeard(all, ["x-0", "x-1", "x-2", "x-3", "x-4"]);
    await expectHeard(late, ["x-4"]);
    for (const { closes } of [...all, ...between, ...late]) expect(closes).toEqual([]);
  },
);
