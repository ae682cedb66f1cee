/** Run in a folder outside the tree: apps of the program's own, a statistics sink, a guard, an observer and a protocol. */

import { afterAll, afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  type AppProvider,
  type AppStatistics,
  CommandError,
  createServer,
  type HubEvent,
  type Protocol,
  type StatisticsSink,
} from "fanfare";
import { appProviderContract, protocolContract } from "fanfare/testing";

interface Row {
  id: string;
  key: string;
  secret: string;
  enabled: boolean;
  anonymous: boolean;
}

/** The program's database. */
const rows: Row[] = [{ id: "shop", key: "shop-key", secret: "shop-secret", enabled: true, anonymous: true }];
const asked: string[] = [];
let isAway = false;

const apps: AppProvider = {
  cacheS: 60,
  async byKey(key) {
    return find(`key ${key}`, (row) => row.key === key);
  },
  async byId(id) {
    return find(`id ${id}`, (row) => row.id === id);
  },
};

function find(question: string, fits: (row: Row) => boolean): Row | undefined {
  asked.push(question);
  if (isAway) throw new Error("the database is away");
  const row = rows.find(fits);
  return row && { ...row };
}

const written: ReadonlyMap<string, AppStatistics>[] = [];
const sink: StatisticsSink = {
  async add(statistics) {
    written.push(new Map(statistics));
  },
};

/** Lines of text: `JOIN room`, `SAY room word`. */
const lines: Protocol = {
  name: "lines",
  joinsUserChannel: false,
  asksForUserChannel: false,
  acceptsTokens: false,
  decode(frame) {
    const [word, channel = "", ...rest] = String(frame).split(" ");
    if (word === "JOIN" && channel !== "") return { type: "subscribe", channel };
    if (word === "SAY" && channel !== "")
      return { type: "publish", channel, event: "client-said", data: rest.join(" ") };
    throw new CommandError("malformed", "JOIN CHANNEL or SAY CHANNEL TEXT");
  },
  encode(push) {
    if (push.type === "subscribed") return `IN ${push.channel}`;
    if (push.type === "event") return `${push.channel}: ${push.data}`;
    return push.type === "refused" ? `NO ${push.error.message}` : undefined;
  },
  encodeClose: ({ code }) => ({ code: 4000, reason: code }),
  reservesEvent: () => false,
};

const events: HubEvent["type"][] = [];
const server = createServer({
  host: "127.0.0.1",
  port: 0,
  log: { level: "silent" },
  drainTimeoutS: 1,
  statistics: { intervalS: 1 },
  defaults: { clientEvents: true },
  apps,
  observers: [(event) => events.push(event.type), sink],
  guards: [
    {
      command(_, command) {
        if (command.type === "subscribe" && command.channel === "forbidden-room")
          throw new CommandError("unauthorized", "Not this channel.");
        return undefined;
      },
    },
  ],
  protocols: [lines],
});
await server.start();
afterAll(() => server.stop());

const runner = { afterEach, beforeEach, describe, expect, test };
appProviderContract(runner, "own", () => ({ provider: apps, known: { id: "shop", key: "shop-key" } }));
protocolContract(runner, "lines", () => lines);

interface Client {
  readonly socket: WebSocket;
  readonly heard: string[];
  readonly closed: Promise<number>;
}

async function open(path: string): Promise<Client> {
  const socket = new WebSocket(server.url.replace("http", "ws") + path);
  const heard: string[] = [];
  const closed = Promise.withResolvers<number>();
  socket.onmessage = ({ data }) => void heard.push(String(data));
  socket.onclose = ({ code }) => closed.resolve(code);
  const opened = Promise.withResolvers<void>();
  socket.onopen = () => opened.resolve();
  await Promise.race([opened.promise, closed.promise]);
  return { socket, heard, closed: closed.promise };
}

async function until(isTrue: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!isTrue()) {
    if (performance.now() > deadline) throw new Error("it did not become true");
    await Bun.sleep(5);
  }
}

test("an app is looked up once for many clients, and in no database of the server", async () => {
  asked.length = 0;
  await server.appChanged("shop");
  const clients = [await open("/app/shop-key"), await open("/app/shop-key"), await open("/?app=shop-key")];
  await until(() => clients.every(({ heard }) => heard.length > 0));
  expect(asked).toEqual(["id shop"]);
  expect(server.apps.map(({ id }) => id)).toEqual(["shop"]);
  expect(server.app("shop").app.key).toBe("shop-key");
  for (const { socket } of clients) socket.close();
});

test("a key that no app has is looked up, and the client is told so", async () => {
  const stranger = await open("/app/nobody");
  expect(await stranger.closed).toBe(4001);
});

test("an app that has changed is looked up at once, and one that is disabled loses its clients", async () => {
  const client = await open("/app/shop-key");
  await until(() => client.heard.length > 0);
  if (rows[0]) rows[0].enabled = false;
  await server.appChanged("shop");
  expect(await client.closed).toBe(4003);
  expect(await (await open("/app/shop-key")).closed).toBe(4003);
  if (rows[0]) rows[0].enabled = true;
  await server.appChanged("shop");
  const again = await open("/app/shop-key");
  await until(() => again.heard.some((frame) => frame.includes("connection_established")));
  again.socket.close();
});

test("an app that is new is there when the server has been told, and one that is gone loses its clients", async () => {
  expect(await (await open("/app/new-key")).closed).toBe(4001);
  rows.push({ id: "new", key: "new-key", secret: "new-secret", enabled: true, anonymous: true });
  await server.appChanged("new");
  const client = await open("/app/new-key");
  await until(() => client.heard.length > 0);
  rows.pop();
  await server.appChanged("new");
  expect(await client.closed).toBe(4001);
});

test("a database that is away keeps out no client of an app that is known", async () => {
  isAway = true;
  await server.appChanged("shop");
  const client = await open("/app/shop-key");
  await until(() => client.heard.length > 0);
  expect(await (await open("/app/other-key")).closed).toBeGreaterThanOrEqual(4100);
  isAway = false;
  client.socket.close();
});

test("clients of the program's protocol meet the others, and its guard is asked", async () => {
  const [one, other] = [await open("/lines?app=shop-key"), await open("/?app=shop-key")];
  for (const line of ["JOIN private-room", "JOIN room", "SAY room forbidden", "NONSENSE"]) one.socket.send(line);
  await until(() => one.heard.length === 4);
  expect(one.heard[1]).toBe("IN room");
  expect(one.heard.filter((line) => line.startsWith("NO "))).toHaveLength(3);
  expect(one.heard[3]).toBe("NO JOIN CHANNEL or SAY CHANNEL TEXT");
  await server.app("shop").toChannel("room").push({ event: "said", data: "hello" });
  await until(() => one.heard.length > 4);
  expect(one.heard[4]).toBe("room: hello");
  for (const { socket } of [one, other]) socket.close();
});

test("a command that the program's guard refuses is refused with its sentence", async () => {
  const client = await open("/lines?app=shop-key");
  client.socket.send("JOIN forbidden-room");
  await until(() => client.heard.length > 0);
  expect(client.heard).toEqual(["NO Not this channel."]);
  client.socket.close();
});

test("the statistics of each app come to the sink, and what happened to the observer", async () => {
  await until(() => written.some((statistics) => (statistics.get("shop")?.messagesIn ?? 0) > 0));
  expect(written.every((statistics) => [...statistics.keys()].every((app) => app === "shop" || app === "new"))).toBe(
    true,
  );
  expect(events).toContain("opened");
  expect(events).toContain("subscribed");
  expect(events).toContain("closed");
});
