/** What the tools of `fanfare mcp` find out: why a client did not get an event, what happens live, signatures, documentation. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { Docs } from "../../packages/mcp/src/docs.ts";
import { bounded, LONGEST_ANSWER } from "../../packages/mcp/src/tool.ts";
import { readDocFiles } from "../../packages/server/src/cli/doc-files.ts";
import type { ConfigInput } from "../../packages/server/src/index.ts";
import { SIGNED } from "../admin/visitor.ts";
import { eventually } from "../support/eventually.ts";
import { connectAs, connectNative } from "../support/native-client.ts";
import { channelAuth, connectPusher, signedFetch } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";
import { startWorkers } from "../support/workers.ts";
import { type Agent, agentOf, startAgent } from "./mcp-agent.ts";

setDefaultTimeout(30_000);

const publish = (url: string, channel: string, name: string, data = "{}") =>
  signedFetch(url, APP, "POST", "/events", { body: { name, channel, data } });

interface Finding {
  readonly check: string;
  readonly level: string;
  readonly says: string;
  readonly change?: string;
}

async function explain({ ask }: Agent, input: Readonly<Record<string, unknown>>) {
  const { value, isError, text } = await ask("explain_delivery", input);
  if (isError) throw new Error(text);
  const { findings, conclusion } = value as { findings: readonly Finding[]; conclusion: string | readonly string[] };
  const has = (level: string, part: string) => findings.some((one) => one.level === level && one.says.includes(part));
  return { has, conclusion, findings };
}

describe("why a client did not get it", () => {
  const withChannels = (channels: object[], more: object = {}): ConfigInput => {
    return { ...SIGNED, apps: [{ ...APP, anonymous: true, channels, ...more }] } as ConfigInput;
  };

  test("nobody is in the channel, because the name is another: the names there are come along", async () => {
    const { url } = await startServer(SIGNED);
    const pusher = await connectPusher(url);
    await pusher.subscribe("private-orders.7");
    const agent = await agentOf("vera", url);
    const { has, conclusion } = await explain(agent, { channel: "orders.7", connection: pusher.socketId });
    expect(has("problem", "nobody is subscribed to orders.7")).toBe(true);
    expect(conclusion).toContainEqual(expect.stringContaining("private-orders.7"));
    expect(
      has("problem", `${pusher.socketId} is connected, but not subscribed to orders.7; its channels: private-orders.7`),
    ).toBe(true);
  });

  test("nothing keeps it: the client is subscribed, and the event among those that are kept", async () => {
    const { url } = await startServer(withChannels([{ match: "news", history: { size: 10, ttlS: 60 } }]));
    const reader = await connectNative(url);
    await reader.subscribe("news");
    await publish(url, "news", "headline");
    const agent = await agentOf("vera", url);
    const input = { channel: "news", connection: reader.id };
    const { has, conclusion } = await explain(agent, { ...input, event: "headline" });
    expect(conclusion).toStartWith("The server has nothing that keeps an event from this client");
    expect(has("ok", `${reader.id} is subscribed to news`)).toBe(true);
    expect(has("ok", "keeps the last 10 events for 60 s")).toBe(true);
    expect(has("ok", "headline was published here: 1 of the 1 latest events")).toBe(true);
    expect((await explain(agent, { ...input, event: "Headline" })).has("warning", "Headline is not among")).toBe(true);
  });

  test("it was away, and the channel keeps nothing", async () => {
    const { url } = await startServer(SIGNED);
    const reader = await connectNative(url);
    await reader.subscribe("news");
    await reader.close();
    const agent = await agentOf("vera", url);
    await eventually(async () => {
      const { has } = await explain(agent, { channel: "news", connection: reader.id });
      expect(has("problem", `no node has connection ${reader.id}`)).toBe(true);
      expect(has("warning", "the channel keeps nothing")).toBe(true);
    });
  });

  test("the recovery window of the app is named, and a rule that takes a channel out of it counts", async () => {
    const recovery = { enabled: true, size: 50, ttlS: 120 };
    const { url } = await startServer(withChannels([{ match: "live.*", recovery: false }], { recovery }));
    const agent = await agentOf("vera", url);
    expect((await explain(agent, { channel: "news" })).has("ok", "keeps the last 50 events for 120 s")).toBe(true);
    expect((await explain(agent, { channel: "live.1" })).has("warning", "keeps nothing")).toBe(true);
    expect((await explain(agent, { channel: "cache-x" })).has("ok", "a cache channel keeps its last event")).toBe(true);
  });

  test("a user is found by the id, and told apart from others", async () => {
    const { url } = await startServer(SIGNED);
    const [ann, bob] = [await connectAs(url, "ann"), await connectAs(url, "annabel")];
    await bob.subscribe("news");
    const agent = await agentOf("vera", url);
    const { findings } = await explain(agent, { channel: "news", user: "ann" });
    const client = findings.filter(({ check }) => check === "client");
    expect(client.map(({ level, says }) => [level, says.includes(ann.id)])).toEqual([["problem", true]]);
    expect((await explain(agent, { channel: "news", user: "cid" })).has("problem", "no node has user cid")).toBe(true);
    const own = await explain(agent, { channel: "#server-to-user-bob", connection: ann.id });
    expect(own.has("problem", `${ann.id} is signed in as ann`)).toBe(true);
  });

  test("client events are refused where the app has them off, and in public channels", async () => {
    const { url } = await startServer({ ...SIGNED, apps: [{ ...APP, anonymous: true, clientEvents: false }] });
    const agent = await agentOf("vera", url);
    const event = "client-typing";
    expect((await explain(agent, { channel: "private-x", event })).has("problem", "client events are refused")).toBe(
      true,
    );
    expect((await explain(agent, { channel: "x", event })).has("problem", "private and presence channels only")).toBe(
      true,
    );
  });

  test("a name that no client can subscribe to, and a disabled app", async () => {
    const { url } = await startServer({ ...SIGNED, apps: [{ ...APP, enabled: false }] });
    const agent = await agentOf("vera", url);
    expect((await agent.ask("health")).value.concerns).toContain("App app is disabled: its clients are refused.");
    const { has } = await explain(agent, { channel: "no spaces" });
    expect(has("problem", "no client can subscribe to this name")).toBe(true);
    expect(has("problem", "app app is disabled")).toBe(true);
  });

  test("a refused signature is seen while the client tries again, and counted", async () => {
    const { url } = await startServer(SIGNED);
    const agent = await agentOf("otto", url);
    const pusher = await connectPusher(url);
    const explained = explain(agent, { channel: "private-orders", connection: pusher.socketId, watchSeconds: 3 });
    const wrong = { auth: channelAuth({ ...APP, secret: "another" }, pusher.socketId, "private-orders") };
    const again = setInterval(() => pusher.send("pusher:subscribe", { channel: "private-orders", ...wrong }), 300);
    const { findings, has } = await explained.finally(() => clearInterval(again));
    const refused = findings.filter(({ says }) => says.startsWith("refused "));
    expect(refused).toMatchObject([{ level: "problem", change: expect.stringContaining("explain_signature") }]);
    expect(refused[0]?.says).toMatch(/^refused \d+ times, the last at 20/);
    expect(has("warning", "refused subscription")).toBe(true);
  });

  test("a refusal of before is known as well, and counts no more when the client came in after all", async () => {
    const { url } = await startServer(SIGNED);
    const pusher = await connectPusher(url);
    const channel = "private-orders";
    const auth = channelAuth({ ...APP, secret: "another" }, pusher.socketId, channel);
    pusher.send("pusher:subscribe", { channel, auth });
    await pusher.next("pusher:subscription_error");
    const agent = await agentOf("vera", url);
    const input = { channel, connection: pusher.socketId };
    expect((await explain(agent, input)).has("problem", `${pusher.socketId}: subscribe:`)).toBe(true);
    await pusher.subscribe(channel);
    await publish(url, channel, "paid");
    const { has, conclusion } = await explain(agent, input);
    expect(has("warning", `${pusher.socketId}: subscribe:`)).toBe(true);
    expect(has("ok", `published to ${channel}, api_message at`)).toBe(true);
    expect(conclusion).toStartWith("The server has nothing that keeps");
    const { value } = await agent.ask("tail_events", { types: ["refused"], seconds: 1 });
    expect(value).toMatchObject({ events: [], earlier: [{ type: "refused", channel, code: expect.any(String) }] });
  });
});

describe("the live tail", () => {
  test("ends with so many events, oldest first, with secrets masked and payloads cut", async () => {
    const { url } = await startServer(SIGNED);
    const { ask } = await agentOf("vera", url);
    const tail = ask("tail_events", { channel: "orders*", types: ["api_message"], limit: 3, seconds: 30 });
    const data = JSON.stringify({ password: "hush", text: "x".repeat(2_000) });
    let sent = 0;
    const again = setInterval(() => {
      void publish(url, "orders.1", `e${++sent}`, data);
      void publish(url, "other", "not this");
    }, 150);
    const { value } = await tail.finally(() => clearInterval(again));
    expect(value.events).toHaveLength(3);
    expect(value.watchedS).toBeLessThan(15);
    for (const { channel, type, payload } of value.events) {
      expect([channel, type, payload.length <= 501]).toEqual(["orders.1", "api_message", true]);
      expect(payload).not.toContain("hush");
    }
    const times = value.events.map(({ at }: { at: string }) => at);
    expect(times).toEqual(times.toSorted());
  });

  test("ends after so many seconds where nothing happens", async () => {
    const { url } = await startServer(SIGNED);
    const { ask } = await agentOf("vera", url);
    const { value } = await ask("tail_events", { seconds: 1 });
    expect(value).toMatchObject({ events: [], leftOut: 0 });
    expect(value.watchedS).toBeWithin(1, 5);
  });

  test("shows why a handshake was turned away", async () => {
    const { url } = await startServer(SIGNED);
    const { ask } = await agentOf("vera", url);
    const tail = ask("tail_events", { types: ["turned_away", "refused"], limit: 1, seconds: 20 });
    const again = setInterval(() => void fetch(`${url}/apps/app/events`, { method: "POST", body: "{}" }), 200);
    const { value } = await tail.finally(() => clearInterval(again));
    expect(value.events).toMatchObject([{ type: "refused", why: expect.stringContaining("/apps/app/events: 401") }]);
  });
});

describe("several nodes", () => {
  test("are looked through for connections, wherever they are", async () => {
    const { url } = await startWorkers({ ...SIGNED, database: {} });
    const clients = await Promise.all(Array.from({ length: 8 }, (_, number) => connectAs(url, `user-${number}`)));
    const agent = await agentOf("vera", url);
    const { value } = await agent.ask("list_connections", { search: "user-" });
    expect(value.total).toBe(8);
    expect(new Set(value.connections.map(({ node }: { node: string }) => node)).size).toBe(2);
    const first = new Map<string, string>();
    for (const { node, id } of value.connections) first.set(node, id);
    for (const [node, connection] of first) {
      expect((await agent.ask("show_connection", { connection })).value).toMatchObject({ id: connection, node });
    }
    const gone = await agent.ask("show_connection", { connection: "1.1" });
    expect([gone.isError, gone.text]).toEqual([true, expect.stringContaining("No node has the connection 1.1")]);
    expect(clients).toHaveLength(8);
  });
});

describe("a signature", () => {
  test("is explained with the code that checks it, without the right one", async () => {
    const { url } = await startServer(SIGNED);
    const { ask } = await agentOf("otto", url);
    const channel = "private-orders";
    const auth = channelAuth(APP, "1.2", channel);
    const asked = { type: "channel", socketId: "1.2", channel };
    expect((await ask("explain_signature", { ...asked, auth })).value.verdict).toMatchObject({ accepted: true });
    const wrong = channelAuth(APP, "1.2", "orders");
    const { value, text } = await ask("explain_signature", { ...asked, auth: wrong });
    expect(value.verdict).toMatchObject({ accepted: false, findings: [{ part: "channel" }] });
    expect(text).not.toContain(auth.split(":")[1] ?? "");
    const request = {
      type: "request",
      method: "POST",
      path: "/apps/app/events?auth_key=x&auth_signature=y",
      body: "{}",
    };
    expect((await ask("explain_signature", request)).value.verdict).toMatchObject({ accepted: false });
    const missing = await ask("explain_signature", { type: "user", socketId: "1.2" });
    expect([missing.isError, missing.text]).toEqual([true, "This type of signature needs userData as well."]);
    const foreign = await ask("explain_signature", { ...asked, body: "x" });
    expect(foreign.text).toBe("This type of signature has no body.");
  });
});

describe("what is not valid", () => {
  test("is refused in words, and goes no further", async () => {
    const { url } = await startServer({ ...SIGNED, apps: [{ ...APP }, { id: "other", key: "k2", secret: "s2" }] });
    const { ask, client } = await agentOf("otto", url);
    for (const [tool, input, why] of [
      ["list_channels", {}, "Name the app with `app`: there are app, other"],
      ["list_channels", { app: "no such" }, 'There is no app "no such": there are app, other'],
      ["list_channels", { app: "app", limit: 100_000 }, "limit"],
      ["tail_events", { seconds: 3_600 }, "seconds"],
      ["tail_events", { types: ["nonsense"] }, "types"],
      ["show_channel", { app: "app" }, "channel"],
      ["show_channel", { app: "app", channel: "x" }, "Nobody is in this channel."],
      ["show_channel", { app: "app", channel: "x".repeat(301) }, "channel"],
      ["publish", { app: "app", channel: "no spaces", event: "e", data: "1" }, "letters, digits"],
      ["publish", { app: "app", channel: "x", event: "pusher:secret", data: "1" }, "reserved"],
      ["terminate_user", { app: "app", user: ".." }, "are no ids"],
      ["explain_delivery", { app: "app", channel: "x", user: "1", connection: "2" }, "not both"],
      ["doctor", {}, "elsewhere"],
      ["read_docs", { page: "../package.json" }, "There is no such page"],
      ["read_docs", { page: "mcp.md", heading: "No such" }, "has no section"],
      ["search_docs", { query: "xyzzyplugh" }, "has none of these words"],
    ] as const) {
      const { isError, text } = await ask(tool, input);
      expect([tool, isError, text]).toEqual([tool, true, expect.stringContaining(why)]);
    }
    await expect(client.callTool({ name: "no_such_tool", arguments: {} })).rejects.toThrow("no_such_tool");
  });

  test("an answer that is too long is cut, and says so", () => {
    expect(bounded("short")).toBe("short");
    const cut = bounded("x".repeat(LONGEST_ANSWER + 1));
    expect(cut).toContain("cut here");
    expect(cut.length).toBeLessThan(LONGEST_ANSWER + 300);
  });
});

describe("the documentation", () => {
  test("is searched by words, the section that is about them first", async () => {
    const docs = new Docs(await readDocFiles());
    expect(docs.pages.size).toBeGreaterThan(20);
    for (const [query, page] of [
      ["fanfare doctor", "cli.md"],
      ["presence", "protocol/pusher.md"],
      ["recovery window", "configuration.md"],
      ["coming from soketi", "from/soketi.md"],
      ["presence member_added native protocol", "protocol/native.md"],
      ["mcp coding agent configuration", "mcp.md"],
    ] as const) {
      const found = docs.search(query, 5).map((match) => match.page);
      expect([query, found]).toEqual([query, expect.arrayContaining([page])]);
    }
    for (const { excerpt } of docs.search("connection", 20)) expect(excerpt.length).toBeLessThan(720);
    expect(docs.search("", 5)).toEqual([]);
    expect(docs.search(".*+?( \\", 5)).toEqual([]);
  });

  test("is read as a tool's answer, in parts, and as resources", async () => {
    const { client, ask } = await startAgent();
    const { resources } = await client.listResources();
    const uri = "fanfare://docs/configuration.md";
    expect(resources.find((one) => one.uri === uri)).toMatchObject({
      mimeType: "text/markdown",
      title: "Configuration",
    });
    const { contents } = await client.readResource({ uri });
    const [{ text = "" } = {}] = contents as { text?: string }[];
    expect(text).toBe(await Bun.file(`${import.meta.dir}/../../docs/configuration.md`).text());
    let whole = "";
    for (let offset: number | undefined = 0; offset !== undefined; ) {
      const part: string = (await ask("read_docs", { page: "configuration.md", offset })).text;
      const [left, next] = /\n\n\[\d+ characters are left: go on with offset (\d+)\]$/.exec(part) ?? [];
      whole += left === undefined ? part : part.slice(0, -left.length);
      offset = next === undefined ? undefined : Number(next);
    }
    expect(whole).toBe(text);
    const section = (await ask("read_docs", { page: "fanfare://docs/cli.md", heading: "Running > fanfare stop" })).text;
    expect(section).toStartWith("## Running > fanfare stop\n\n```console\n$ fanfare stop");
    expect(section).not.toContain("fanfare reload --json");
    await expect(client.readResource({ uri: "fanfare://docs/../package.json" })).rejects.toThrow();
  });
});
