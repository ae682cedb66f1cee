/** What back ends call while a server stops: answered where it was asked on an open connection, else refused by the system. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { connect } from "node:net";
import { join } from "node:path";
import { atEnd } from "../support/at-end.ts";
import { engineSettings, startNode } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative } from "../support/native-client.ts";
import { connectPusher, sign } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { scaled } from "../support/soak.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { startReceiver } from "./hooks.ts";
import { startBareProcess } from "./process.ts";

setDefaultTimeout(120_000);

const STOPS = scaled(20, 4);
const CALLERS = 16;

interface Calls {
  readonly answers: Map<string, number>;
  /** What the last answered publications were. */
  readonly accepted: string[];
  readonly done: Promise<unknown>;
}

function call(port: number, data: string): string {
  const body = JSON.stringify({ name: "e", channel: "room", data });
  const md5 = createHash("md5").update(body).digest("hex");
  const query = `auth_key=${APP.key}&auth_timestamp=${Math.floor(Date.now() / 1000)}&auth_version=1.0&body_md5=${md5}`;
  const path = `/apps/${APP.id}/events`;
  const signature = sign(APP.secret, `POST\n${path}\n${query}`);
  const head = `POST ${path}?${query}&auth_signature=${signature} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n`;
  return `${head}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

/** One call on an open connection, or on a new one. Resolves with the status, or with what became of it. */
class Caller {
  readonly #port: number;
  #socket: ReturnType<typeof connect> | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  async call(data: string): Promise<string> {
    const socket = this.#socket ?? connect(this.#port, "127.0.0.1");
    this.#socket = undefined;
    const { promise, resolve } = Promise.withResolvers<string>();
    let text = "";
    const take = (chunk: Buffer) => {
      text += chunk;
      const length = /content-length: (\d+)/i.exec(text)?.[1];
      const end = text.indexOf("\r\n\r\n");
      if (end >= 0 && text.length >= end + 4 + Number(length)) resolve(text.slice(9, 12));
    };
    const over = (what: string) => () => resolve(text === "" ? what : `${what} within an answer`);
    const failed = (error: Error & { code?: string }) => resolve(error.code ?? error.message);
    const [ended, closed] = [over("hung up"), over("closed")];
    socket.on("data", take).on("error", failed).on("end", ended).on("close", closed);
    socket.write(call(this.#port, data));
    const outcome = await promise;
    socket.off("data", take).off("error", failed).off("end", ended).off("close", closed);
    socket.on("error", () => {});
    if (/^\d+$/.test(outcome) && !/connection: close/i.test(text) && !socket.destroyed) {
      this.#socket = socket;
      socket.once("close", () => {
        if (this.#socket === socket) this.#socket = undefined;
      });
    } else socket.destroy();
    return outcome;
  }
}

/** Until they are refused. Every second caller opens a connection for each call. */
function keepCalling(port: number): Calls {
  const answers = new Map<string, number>();
  const accepted: string[] = [];
  const one = async (n: number) => {
    let caller = new Caller(port);
    for (let time = 0; ; time++) {
      if (n % 2 === 0) caller = new Caller(port);
      const data = `${n}-${time}`;
      const outcome = await caller.call(data);
      answers.set(outcome, (answers.get(outcome) ?? 0) + 1);
      if (outcome === "200") accepted.push(data);
      if (outcome === "ECONNREFUSED") return;
      await Bun.sleep(Math.random() * 4);
    }
  };
  return { answers, accepted, done: Promise.all(Array.from({ length: CALLERS }, (_, n) => one(n))) };
}

test("a call on an open connection is answered and none is reset, however often a busy server is stopped (scenario 38)", async () => {
  const all = new Map<string, number>();
  for (let stop = 0; stop < STOPS; stop++) {
    const server = await startBareProcess({ config: { drainTimeoutS: 4, log: { level: "silent" } } });
    const calls = keepCalling(server.port);
    await eventually(() => expect(calls.accepted.length).toBeGreaterThan(100));
    expect((await server.stop("SIGTERM", 20_000)).code).toBe(0);
    await calls.done;
    for (const [outcome, count] of calls.answers) all.set(outcome, (all.get(outcome) ?? 0) + count);
  }
  expect([...all.keys()].sort()).toEqual(["200", "ECONNREFUSED"]);
  expect(all.get("ECONNREFUSED")).toBe(STOPS * CALLERS);
});

test("what is published on an open connection while clients leave reaches those who are still there, and each connection is told to be the last (scenario 38)", async () => {
  const config = { drainTimeoutS: 20, drainSpreadS: 4, log: { level: "silent" as const } };
  const server = await startBareProcess({ config: { ...config, apps: [{ ...APP, anonymous: true }] } });
  const clients = await Promise.all(Array.from({ length: 60 }, () => connectNative(server.url)));
  for (const client of clients) await client.subscribe("room");
  const open = Array.from({ length: 6 }, () => new Caller(server.port));
  expect(await Promise.all(open.map((caller, n) => caller.call(`before-${n}`)))).toEqual(open.map(() => "200"));
  const ending = server.stop("SIGTERM", 30_000);
  const hasLeft = (client: (typeof clients)[number]) => client.socket.frames.some(({ event }) => event === "closing");
  await eventually(() => expect(clients.some(hasLeft)).toBe(true));
  const said: string[] = [];
  for (const [n, caller] of open.entries()) {
    expect(await caller.call(`during-${n}`)).toBe("200");
    said.push(`during-${n}`);
  }
  const last = clients.filter((client) => !hasLeft(client));
  expect(last.length).toBeGreaterThan(0);
  // The same connection is not to be had again, and another is refused.
  expect(await Promise.all(open.map((caller) => caller.call("late")))).toEqual(open.map(() => "ECONNREFUSED"));
  expect((await ending).code).toBe(0);
  for (const client of last) {
    await client.socket.closed;
    const heard = client.socket.frames.map(({ data }) => data);
    expect(heard).toEqual(expect.arrayContaining(said));
  }
});

const PRESENCE = "presence-room";

/** Names and users of all that was sent, sorted. */
async function toldAfterStop(database: string | undefined, processes: readonly string[], leaveDelayS: number) {
  const told: string[] = [];
  const http = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request): Promise<Response> => {
      const { events } = (await request.json()) as { events: { name: string; user_id?: string }[] };
      told.push(...events.map(({ name, user_id = "" }) => `${name} ${user_id}`.trim()));
      return new Response("ok");
    },
  });
  atEnd(() => http.stop(true));
  const server = await startBareProcess({
    args: processes,
    config: {
      ...{ drainTimeoutS: 3, log: { level: "warn" as const } },
      ...(database !== undefined && { database: { url: database } }),
      webhooks: { allowPrivate: true, leaveDelayS },
      apps: [{ ...APP, webhooks: [{ url: http.url.href }] }],
    },
  });
  const users = ["1", "2", "3", "4"];
  for (const user_id of users) {
    const client = await connectPusher(server.url);
    await client.subscribe(PRESENCE, { data: { user_id } });
  }
  await eventually(() => expect(told.filter((one) => one.startsWith("member_added"))).toHaveLength(users.length));
  told.length = 0;
  expect((await server.stop("SIGTERM", 20_000)).code).toBe(0);
  expect(server.output).not.toContain("are lost");
  return told.sort();
}

test.each([
  ["without a database", (): string | undefined => undefined, []],
  ["with a database", () => `sqlite:${join(temporaryFolder(), "own.db")}`, []],
  ["with workers and a database", () => `sqlite:${join(temporaryFolder(), "own.db")}`, ["--workers", "2"]],
] as const)(
  "the last server sends the webhooks of its own drain before it ends, however long departures are held back: %s",
  async (_, database, processes) => {
    const left = ["member_removed 1", "member_removed 2", "member_removed 3", "member_removed 4"];
    expect(await toldAfterStop(database(), processes, 60)).toEqual(["channel_vacated", ...left]);
  },
);

test("a node of a cluster leaves departures to the others, which hold them back as long as ever", async () => {
  const where = await engineSettings("redis");
  const { told, options } = startReceiver();
  const config = {
    ...where,
    database: { url: `sqlite:${join(temporaryFolder(), "shared.db")}` },
    webhooks: { allowPrivate: true, leaveDelayS: 2 },
  };
  const [one, two] = await Promise.all([startNode({}, { ...options, config }), startNode({}, { ...options, config })]);
  const client = await connectPusher(one.url);
  await client.subscribe(PRESENCE, { data: { user_id: "moves" } });
  const stays = await connectPusher(one.url);
  await stays.subscribe(PRESENCE, { data: { user_id: "goes" } });
  await eventually(() => expect(told("member_added")).toHaveLength(2));
  expect((await one.process.stop("SIGTERM", 20_000)).code).toBe(0);
  const back = await connectPusher(two.url);
  await back.subscribe(PRESENCE, { data: { user_id: "moves" } });
  await eventually(() => expect(told("member_removed")).toEqual([`member_removed ${PRESENCE} goes`]));
  expect(told("member_added")).toHaveLength(2);
  // It is the last one now.
  expect((await two.process.stop("SIGTERM", 20_000)).code).toBe(0);
  expect(told("member_removed", "channel_vacated")).toEqual([
    `channel_vacated ${PRESENCE}`,
    `member_removed ${PRESENCE} goes`,
    `member_removed ${PRESENCE} moves`,
  ]);
});
