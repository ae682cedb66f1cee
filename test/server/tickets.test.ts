/** What stands for a token where a page cannot send a header: tickets and cookies; and apps that take no token in an address. */

import { expect, test } from "bun:test";
import type { App } from "../../packages/server/src/domain/app.ts";
import { ConfigError, createServer, Disconnect, type Guard, type Server } from "../../packages/server/src/index.ts";
import { Tickets } from "../../packages/server/src/server/streams/tickets.ts";
import { atEnd } from "../support/at-end.ts";
import { startPair } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { LineStream } from "../support/line-stream.ts";
import { connectNative, dialNative, makeToken } from "../support/native-client.ts";
import { APP, type AppInput, startServer } from "../support/server.ts";
import { soaking } from "../support/soak.ts";

const ORIGIN = "https://shop.example";
const KEPT = { channels: [{ match: "private-kept", history: { size: 100, ttlS: 60 } }] } as const;
const server = await startServer({ http: { sessionTimeoutS: 0.3 } }, KEPT);
const SUBSCRIBED = "event: fanfare:subscribed";

type At = Pick<Server, "url">;

async function getTicket(to: At = server, headers: Record<string, string> = {}): Promise<string> {
  const token = await makeToken({ sub: "ada", channels: ["private-*"] });
  const asked = { method: "POST", headers: { Authorization: `Bearer ${token}`, ...headers } };
  const response = await fetch(`${to.url}/rt/ticket`, asked);
  expect([response.status, response.headers.get("cache-control")]).toEqual([200, "no-store"]);
  const { ticket, expiresInS } = (await response.json()) as { ticket: string; expiresInS: number };
  expect(expiresInS).toBe(30);
  return ticket;
}

function read(path: string, headers: Record<string, string> = {}, to: At = server): Promise<LineStream> {
  return LineStream.open(`${to.url}/rt/${path}`, { method: "GET", headers });
}

const statusOf = async (path: string, headers: Record<string, string> = {}, to: At = server) => {
  const stream = await read(path, headers, to);
  stream.abort();
  return stream.response.status;
};
const lastIdOf = async (stream: LineStream) => (await stream.find((line) => line.startsWith("id: "))).slice(4);

test("a ticket lets in once, and again for its own stream", async () => {
  const ticket = await getTicket();
  const path = `events?channels=private-kept&ticket=${ticket}`;
  const stream = await read(path);
  // Before anything is told: a browser comes back by it.
  const early = await lastIdOf(stream);
  await stream.find((line) => line === SUBSCRIBED);
  const id = await lastIdOf(stream);
  stream.abort();
  await server.toChannel("private-kept").push({ event: "e", data: "missed" });

  expect(await statusOf(path)).toBe(401);
  const again = await read(path, { "Last-Event-ID": id });
  expect(await again.find((line) => line.startsWith("data: "))).toContain('"recovered":true');
  await again.find((line) => line.includes("missed"));
  const fresh = await read(path, { "Last-Event-ID": early });
  await fresh.find((line) => line === SUBSCRIBED);

  const other = await read(`events?channels=private-kept&ticket=${await getTicket()}`);
  await other.find((line) => line === SUBSCRIBED);
  const foreign = await lastIdOf(other);
  expect(await statusOf(path, { "Last-Event-ID": foreign })).toBe(401);
  expect(await statusOf(path, { "Last-Event-ID": `t.${"0".repeat(32)}` })).toBe(401);
});

test("a stream of both ways is opened by a ticket, and once more where its session is gone", async () => {
  const path = `stream?ticket=${await getTicket()}`;
  const stream = await read(path);
  const id = await lastIdOf(stream);
  expect(await stream.find((line) => line.startsWith("data: "))).toContain('"user":{"id":"ada"}');
  stream.abort();
  await eventually(() => expect(server.connections.count()).toBe(0));
  expect(await statusOf(path)).toBe(401);
  const again = await read(path, { "Last-Event-ID": id });
  expect(await again.find((line) => line.startsWith("data: "))).toContain('"user":{"id":"ada"}');
  // Without its mark, as one who only found the address in a log would come.
  expect(await statusOf(path, { "Last-Event-ID": id.replace(/:[0-9a-f]{32}:/, ":") })).toBe(401);
});

test("a ticket is its page's and its app's, and none is given for a token that is refused", async () => {
  const ticket = await getTicket(server, { Origin: ORIGIN });
  const path = `events?channels=private-kept&ticket=${ticket}`;
  expect(await statusOf(path, { Origin: "https://evil.example" })).toBe(401);
  expect(await statusOf(path, { Origin: ORIGIN })).toBe(200);
  // A browser does not name the server's own origin.
  expect(await statusOf(`events?channels=private-kept&ticket=${await getTicket(server, { Origin: ORIGIN })}`)).toBe(
    200,
  );
  expect(await statusOf("events?channels=private-kept&ticket=nonsense")).toBe(401);
  const two = await startServer({ apps: [APP, { ...APP, id: "two", key: "two" }] });
  const foreign = `channels=private-kept&ticket=${await getTicket(two)}`;
  expect(await statusOf(`events?app=two&${foreign}`, {}, two)).toBe(401);
  expect(await statusOf(`events?${foreign}`, {}, two)).toBe(200);

  const ask = async (headers: Record<string, string>, query = "") => {
    const response = await fetch(`${server.url}/rt/ticket${query}`, { method: "POST", headers });
    return [response.status, ((await response.json()) as { code: string }).code];
  };
  expect(await ask({})).toEqual([401, "unauthorized"]);
  expect(await ask({ Authorization: "Bearer forged" })).toEqual([401, "unauthorized"]);
  expect(await ask({ Authorization: "Bearer x" }, "?app=nobody")).toEqual([404, "app_unknown"]);
  expect((await fetch(`${server.url}/rt/ticket`)).status).toBe(405);
});

test("who is let in later comes again by the same ticket", async () => {
  const full = await startServer({}, { limits: { connections: 1 } });
  const token = await makeToken({ sub: "bob", channels: ["private-*"] });
  const client = await connectNative(full.url, { token });
  const path = `events?channels=private-a&ticket=${await getTicket(full)}`;
  const stream = await read(path, {}, full);
  expect(stream.response.status).toBe(200);
  const id = await lastIdOf(stream);
  expect(await stream.next()).toBe("event: fanfare:closing");
  client.close();
  await eventually(async () => {
    const again = await read(path, { "Last-Event-ID": id }, full);
    await again.find((line) => line === SUBSCRIBED);
  });
});

test("an EventSource of both ways is told what passes in a stream, and comes again by its ticket", async () => {
  let isOpen = false;
  const guard: Guard = {
    connect() {
      if (!isOpen) throw new Disconnect("internal", "Not now.");
      return undefined;
    },
  };
  const moody = createServer({ host: "127.0.0.1", port: 0, log: { level: "silent" }, apps: [APP], guards: [guard] });
  atEnd(() => moody.stop());
  await moody.start();
  const path = `stream?ticket=${await getTicket(moody)}`;
  const stream = await read(path, {}, moody);
  expect([stream.response.status, await stream.next()]).toEqual([200, expect.stringMatching(/^retry: \d+$/)]);
  const id = await lastIdOf(stream);
  expect(await stream.next()).toBe(
    'data: {"event":"closing","code":"internal","message":"Not now.","reconnect":"later"}',
  );
  isOpen = true;
  const again = await read(path, { "Last-Event-ID": id }, moody);
  expect(await again.find((line) => line.startsWith("data: "))).toContain('"user":{"id":"ada"}');
});

test("a ticket is good for half a minute, and for its stream until the token ends", async () => {
  const spent = new Set<string>();
  let wallMs = 1_000_000;
  const app = { id: "app", secrets: ["s"] } as unknown as App;
  const tickets = new Tickets({
    ledger: { setIfAbsent: (key) => spent.size < spent.add(key).size },
    clock: { wallMs: () => wallMs },
    endOfToken: () => 1_000_000 + 60_000,
  });
  const issue = () => tickets.issue(app, null, "token");
  const redeem = (ticket: string, mark?: string) => {
    const url = new URL(`http://x/rt/events?ticket=${ticket}&channels=a`);
    return tickets.redeem(app, new Request(url), url, mark);
  };
  const late = await issue();
  const used = await issue();
  const redeemed = await redeem(used);
  expect(redeemed?.request.headers.get("authorization")).toBe("Bearer token");
  expect(redeemed?.url.search).toBe("?channels=a");
  await expect(redeem(used)).rejects.toThrow("used before");
  wallMs += 36_000;
  await expect(redeem(late)).rejects.toThrow("older than 30 seconds");
  expect((await redeem(used, redeemed?.mark))?.mark).toBe(redeemed?.mark as string);
  wallMs += 30_000;
  await expect(redeem(used, redeemed?.mark)).rejects.toThrow("has ended");
});

const ENGINES = soaking ? (["redis", "nats", "workers"] as const) : (["redis"] as const);
test.each(ENGINES)(
  "a ticket of one node lets in at another, and once in all: %s",
  async (engine) => {
    const [one, other] = await startPair(engine);
    for (let n = 0; n < 5; n++) {
      const path = `events?channels=private-a&ticket=${await getTicket(one)}`;
      const statuses = await Promise.all([one, other, one, other].map((node) => statusOf(path, {}, node)));
      expect(statuses.toSorted()).toEqual([200, 401, 401, 401]);
    }
  },
  60_000,
);

test("an app that takes no token in an address says so, and takes it in every other place", async () => {
  const strict = await startServer({}, { token: { inUrl: false } });
  const token = await makeToken({ sub: "ada", channels: ["private-*"] });
  const dialled = await dialNative(strict.url, { token });
  expect(JSON.stringify(await dialled.closed)).toContain("4009");
  const told = await fetch(`${strict.url}/rt/events?channels=private-a&token=${token}`);
  expect([told.status, ((await told.json()) as { error: string }).error]).toEqual([
    401,
    expect.stringContaining("token.inUrl"),
  ]);
  const headers = { Authorization: `Bearer ${token}` };
  expect((await connectNative(strict.url, { headers })).welcome.user).toEqual({ id: "ada" });
  expect(await statusOf(`events?channels=private-a&ticket=${await getTicket(strict)}`, {}, strict)).toBe(200);
});

test("a token in a cookie counts from the app's own pages, which may send it", async () => {
  const listed: Partial<AppInput> = { allowedOrigins: [ORIGIN], token: { cookie: "fanfare" } };
  const baked = await startServer({}, listed);
  const token = await makeToken({ sub: "ada", channels: ["private-*"] });
  const Cookie = `a=b; fanfare=${token}`;
  const path = "events?channels=private-a";
  const stream = await read(path, { Cookie, Origin: ORIGIN }, baked);
  expect(stream.response.status).toBe(200);
  expect(stream.response.headers.get("access-control-allow-origin")).toBe(ORIGIN);
  expect(stream.response.headers.get("access-control-allow-credentials")).toBe("true");
  expect(await statusOf(path, { Cookie, "Sec-Fetch-Site": "same-origin" }, baked)).toBe(200);
  // A page of another site can have a browser ask, without an origin even.
  expect(await statusOf(path, { Cookie, Origin: "https://evil.example" }, baked)).toBe(403);
  expect(await statusOf(path, { Cookie, "Sec-Fetch-Site": "cross-site" }, baked)).toBe(401);
  expect(await statusOf(path, { Cookie }, baked)).toBe(401);
  expect(await statusOf(path, { Cookie: "fanfare=forged", Origin: ORIGIN }, baked)).toBe(401);
  const client = await connectNative(baked.url, { headers: { Cookie, Origin: ORIGIN } });
  expect(client.welcome.user).toEqual({ id: "ada" });

  for (const allowedOrigins of [[], ["*"]]) {
    const open = { ...APP, allowedOrigins, token: { cookie: "fanfare" } };
    expect(() => createServer({ apps: [open] })).toThrow(ConfigError);
  }
});
