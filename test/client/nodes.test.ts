/** Several nodes: which one a client goes to, and where when one is gone. */

import { describe, expect, test } from "bun:test";
import { createClient, nodes } from "../../packages/client/src/index.ts";
import { atEnd } from "../support/at-end.ts";
import { startCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { socketUrl, startServer } from "../support/server.ts";

function listServer(answer: () => Response | Promise<Response>) {
  const asked: string[] = [];
  const server = Bun.serve({
    port: 0,
    fetch: (request) => {
      asked.push(new URL(request.url).search);
      return answer();
    },
  });
  atEnd(() => server.stop(true));
  return { url: `http://127.0.0.1:${server.port}/nodes`, own: `http://127.0.0.1:${server.port}`, asked };
}

const signal = new AbortController().signal;
const listOf = (...urls: string[]) => Response.json({ nodes: urls.map((url) => ({ url })) });

describe("nodes()", () => {
  test.each(["round_robin", "random", "least_connections"] as const)("asks with the strategy %s", async (strategy) => {
    const { url, asked } = listServer(() => listOf("wss://a", "wss://b"));
    expect(await nodes(url, { strategy, app: "k&" })(signal)).toEqual(["wss://a", "wss://b"]);
    expect(asked).toEqual([`?strategy=${strategy}&app=k%26`]);
  });

  test("refuses any other strategy by name", () => {
    expect(() => nodes("http://a/nodes", { strategy: "best" as never })).toThrow(
      'Invalid load balancing strategy "best": there are round_robin, random, least_connections.',
    );
  });

  test("falls back to the last list, and to the address itself if there never was one", async () => {
    let answer = () => new Response("no", { status: 503 });
    const { url, own } = listServer(() => answer());
    const ask = nodes(url);
    expect(await ask(signal)).toEqual([own]);
    answer = () => listOf("wss://a");
    expect(await ask(signal)).toEqual(["wss://a"]);
    for (const bad of [() => new Response("{"), () => Response.json({}), () => listOf()]) {
      answer = bad;
      expect(await ask(signal)).toEqual(["wss://a"]);
    }
  });

  test("reads what a server says of itself", async () => {
    const server = await startServer({ nodeUrl: "ws://node-1.example.com" });
    expect(await nodes(`${server.url}/nodes`)(signal)).toEqual(["ws://node-1.example.com"]);
  });
});

test("a client of two nodes on a Redis survives the death of its node, and misses nothing", async () => {
  const [one, other] = await startCluster("redis");
  if (!one || !other) throw new Error("there are not two nodes");
  const { url } = listServer(() => listOf(socketUrl(one.url), socketUrl(other.url)));
  const options = { url: nodes(url), backoff: { minMs: 50, maxMs: 500 } };
  const [reader, writer] = [createClient(options), createClient({ ...options, url: other.url })];
  for (const client of [reader, writer]) atEnd(() => client.close());
  const heard: number[] = [];
  reader.channel("kept-failover").on("n", (n: number) => heard.push(n));
  const room = writer.channel("kept-failover");
  room.hold();
  await eventually(() => {
    expect(reader.channel("kept-failover").snapshot.state).toBe("attached");
    expect(room.snapshot.state).toBe("attached");
  });
  expect(reader.snapshot.url).toBe(socketUrl(one.url));
  for (let n = 0; n < 10; n++) await room.publish("n", n);
  await one.kill();
  for (let n = 10; n < 20; n++) await room.publish("n", n);
  await eventually(() => expect(heard).toEqual(Array.from({ length: 20 }, (_, n) => n)));
  expect(reader.snapshot.url).toBe(socketUrl(other.url));
}, 120_000);
