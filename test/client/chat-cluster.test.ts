/** What Sentixtech's ChatClusterClient promised, kept by `@fanfare/client` on a real cluster: docs/from/sentixtech.md has the names. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  type Client,
  type ClientOptions,
  createClient,
  type NodeStrategy,
  nodes,
} from "../../packages/client/src/index.ts";
import type { Server } from "../../packages/server/src/index.ts";
import { startNode } from "../cluster/cluster.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { freePorts } from "../support/ports.ts";
import { startRedis } from "../support/redis.ts";

setDefaultTimeout(60_000);

const WITHIN = { withinMs: 20_000 };

async function startChat(): Promise<{ servers: readonly Server[]; list: string }> {
  const redis = await startRedis();
  const ports = await freePorts(3);
  const servers = await Promise.all(
    ports.map((port) =>
      startNode(
        redis,
        { port, nodeUrl: `ws://127.0.0.1:${port}` },
        { anonymous: true, channels: [{ match: "chat", clientPublish: "any", history: { size: 100, ttlS: 60 } }] },
      ),
    ),
  );
  for (const server of servers)
    server.setAuthenticator(({ username, token }) => token === "good" && { id: String(username) });
  const list = `${servers[0]?.url}/nodes`;
  await eventually(async () => {
    const { nodes: all } = (await (await fetch(list)).json()) as { nodes: unknown[] };
    expect(all).toHaveLength(3);
  }, WITHIN);
  return { servers, list };
}

const { servers, list } = await startChat();

function clientOf(url: ClientOptions["url"]): Client {
  const client = createClient({ url, backoff: { minMs: 50, maxMs: 200 } });
  atEnd(() => client.close());
  return client;
}

function addressOf({ url }: Server): string {
  return url.replace("http", "ws");
}

/** The node that a client is with. */
function takenBy({ snapshot }: Client): string {
  return String(snapshot.url).replace(/\/$/, "");
}

/** `connect()`, `authenticate([...])` and `subscribeToChannel()`; what it hears is added to the list. */
async function joined(url: ClientOptions["url"], username: string) {
  const client = clientOf(url);
  const heard: unknown[] = [];
  client.channel("chat").on("message", (text, { user }) => heard.push([user, text]));
  await client.authenticate({ username, token: "good" });
  await eventually(() => expect(client.channel("chat").snapshot.state).toBe("attached"), WITHIN);
  return { client, heard, send: (text: string) => client.channel("chat").publish("message", text) };
}

describe("a client of a cluster", () => {
  test("signs in, subscribes, and sends to the clients of other nodes (S12, S22, S23, S25)", async () => {
    const [ada, bob] = await Promise.all([
      joined(String(servers[0]?.url), "ada"),
      joined(String(servers[1]?.url), "bob"),
    ]);
    await ada.send("hi");
    await eventually(() => expect(bob.heard).toEqual([["ada", "hi"]]), WITHIN);
    await expect(ada.client.authenticate({ username: "eve", token: "bad" })).rejects.toMatchObject({
      code: "unauthorized",
    });
  });

  test.each(["round_robin", "random", "least_connections"] as const)(
    "takes a node of the cluster by the strategy %s (S20, S24)",
    async (strategy) => {
      const client = clientOf(nodes(list, { strategy }));
      client.connect();
      await client.connected();
      expect(servers.map(addressOf)).toContain(takenBy(client));
    },
  );

  test("takes the nodes in turn: nine clients are three on each (S20)", async () => {
    const clients = Array.from({ length: 9 }, () => clientOf(nodes(list)));
    for (const client of clients) {
      client.connect();
      await client.connected();
    }
    const taken = clients.map(takenBy);
    for (const server of servers) expect(taken.filter((url) => url === addressOf(server))).toHaveLength(3);
  });

  test("refuses another strategy in the words that were promised (S24)", () => {
    expect(() => nodes(list, { strategy: "fastest" as NodeStrategy })).toThrow(/^Invalid load balancing strategy/);
  });

  test("goes to another node when its own stops, and misses nothing of what was sent meanwhile (S23, S26)", async () => {
    const [first, second, third] = servers;
    if (!first || !second || !third) throw new Error("Three nodes were asked for.");
    const urls = [third.url, second.url];
    const [reader, writer] = [await joined(urls, "reader"), await joined(first.url, "writer")];
    await writer.send("1");
    await eventually(() => expect(reader.heard).toHaveLength(1), WITHIN);
    const stopped = third.stop();
    await writer.send("2");
    await stopped;
    await writer.send("3");
    await eventually(() => expect(reader.heard).toEqual(["1", "2", "3"].map((text) => ["writer", text])), WITHIN);
    expect(takenBy(reader.client)).toBe(addressOf(second));
  });
});
