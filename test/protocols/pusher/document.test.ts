/** docs/protocol/pusher.md says what the code does: each table and example in it is held against the source or a running server. */

import { expect, test } from "bun:test";
import { join } from "node:path";
import { parseConfig } from "../../../packages/server/src/config/load.ts";
import { traitsOf } from "../../../packages/server/src/domain/channel.ts";
import { DISCONNECTS, type DisconnectCode } from "../../../packages/server/src/domain/error.ts";
import { COMMAND_STATUS } from "../../../packages/server/src/http/error-response.ts";
import { CLOSE_CODES } from "../../../packages/server/src/protocols/close-codes.ts";
import commands from "../../fixtures/frames/pusher/commands.json";
import pushes from "../../fixtures/frames/pusher/pushes.json";
import recoveryClosings from "../../fixtures/frames/pusher-recover/closings.json";
import recoveryCommands from "../../fixtures/frames/pusher-recover/commands.json";
import recoveryPushes from "../../fixtures/frames/pusher-recover/pushes.json";
import { connectPusher, signedFetch } from "../../support/pusher-client.ts";
import { APP, startServer } from "../../support/server.ts";
import { connect } from "../../support/socket.ts";

const text = await Bun.file(join(import.meta.dir, "../../../docs/protocol/pusher.md")).text();
const server = await startServer();

function section(number: number): string {
  const found = text.split(/^## /m).find((part) => part.startsWith(`${number}. `));
  if (!found) throw new Error(`There is no section ${number}.`);
  return found;
}

/** The cells of the section's rows, without backticks and headings, of tables with as many columns. */
function rows(number: number, part = (text: string) => text): string[][] {
  const lines = part(section(number)).split("\n");
  const body = lines.filter((line, at) => line.startsWith("| ") && !lines[at + 1]?.startsWith("|---"));
  return body.map((line) => {
    const cells = line.split("|").map((cell) => cell.trim().replaceAll("`", ""));
    return cells.slice(1, -1);
  });
}

test("it has every farewell with its number and its rule, and no other", () => {
  const told = rows(5).filter(([, , rule = ""]) => ["never", "later", "now"].includes(rule));
  const codes = Object.keys(DISCONNECTS) as DisconnectCode[];
  expect(told).toEqual(codes.map((code) => [code, String(CLOSE_CODES[code]), DISCONNECTS[code]]).toSorted(byNumber));
});

test("it has every error with its status, and no other", () => {
  const told = rows(5).filter(([, number = ""]) => number.length === 3);
  const known = Object.entries(COMMAND_STATUS).map(([code, status]) => [code, String(status)]);
  expect(told.map(([code = "", status = ""]) => [code, status])).toEqual(known);
});

test("its frames are those of the golden fixtures", () => {
  const blocks = Array.from(section(2).matchAll(/```json\n([\s\S]*?)```/g), ([, block = ""]) =>
    block.trim().split("\n"),
  );
  const [fromClient = [], fromServer = []] = blocks;
  const known = { client: commands.map(({ frame }) => frame), server: pushes.flatMap(({ frame }) => frame ?? []) };
  expect(fromClient.filter((frame) => !known.client.includes(frame))).toEqual([]);
  expect(fromServer.filter((frame) => !known.server.includes(frame))).toEqual([]);
  const eventsOf = (frames: readonly string[]) => new Set(frames.map((frame) => JSON.parse(frame).event));
  for (const event of eventsOf(known.server)) {
    if (String(event).startsWith("pusher")) expect(eventsOf(fromServer)).toContain(event);
  }
  expect(eventsOf(fromClient)).toEqual(eventsOf(known.client));
});

test("the frames of recovery are those of its golden fixtures", () => {
  const blocks = Array.from(section(8).matchAll(/```json\n([\s\S]*?)```/g), ([, block = ""]) =>
    block.trim().split("\n"),
  );
  const [fromClient = [], fromServer = []] = blocks;
  const fromClients = recoveryCommands.map(({ frame }) => frame);
  const fromServers = [...recoveryPushes, ...recoveryClosings].map(({ frame }) => frame);
  expect(fromClient.filter((frame) => !fromClients.includes(frame))).toEqual([]);
  expect(fromServer.filter((frame) => !fromServers.includes(frame))).toEqual([]);
  expect([fromClient.length, fromServer.length]).toEqual([2, 8]);
});

test("its limits have the names and the defaults of the configuration", () => {
  const { limits, defaults } = parseConfig({});
  const ofProcess = Object.entries(limits).map(([name, value]) => [`limits.${name}`, Number(value)] as const);
  const ofApp = Object.entries(defaults.limits).map(([name, value]) => [name, Number(value)] as const);
  const settings = new Map([...ofProcess, ...ofApp]);
  const told = rows(7).map(([, name = "", value = ""]) => [name, spelt(value)] as const);
  expect(told.length).toBe(21);
  for (const [name, value] of told) expect([name, value]).toEqual([name, settings.get(name) ?? Number.NaN]);
});

test("its routes are there, all of them signed", async () => {
  const statuses: unknown[] = [];
  // Those that act on connections have tables of their own.
  const told = rows(6, (text) => text.split("\n### ")[0] ?? "");
  for (const [route = ""] of told) {
    const [method = "", path = ""] = route
      .replace("NAME", "presence-c")
      .replace("ID", "ada")
      .replace("OFFSET", "1")
      .split(" ");
    const body = method === "POST" ? { body: { name: "e", data: "", channel: "c", batch: [] } } : {};
    const query =
      method !== "DELETE" && !path.endsWith("purge") ? { name: "e" } : path.endsWith("/1") ? { epoch: "e" } : {};
    const options = { ...body, query };
    const signed = await signedFetch(server.url, APP, method, path, options);
    const unsigned = await fetch(`${server.url}/apps/${APP.id}${path}`, { method });
    statuses.push([route, signed.status, unsigned.status]);
  }
  // An event of an epoch that never was is not there any more.
  const statusOf = (route = "", answer = "") => (route.includes("OFFSET") ? 410 : answer.startsWith("202") ? 202 : 200);
  const expected = told.map(([route, , answer]) => [route, statusOf(route, answer), 401]);
  expect(statuses).toEqual(expected);
  expect(statuses.length).toBeGreaterThan(12);
});

test("its routes that act on connections are there, all of them signed", async () => {
  const bodies: Record<string, object> = {
    "/channels/NAME/kick": { all: true },
    "/channels/NAME/unban": { user_id: "ada" },
    "/channels/NAME/reconnect": {},
    "/users/ID/reconnect": {},
    "/connections/ID/reconnect": {},
    "/users/ID/unsubscribe": { channel: "c" },
    "/connections/ID/unsubscribe": { channel: "c" },
    "/connections/ID/disconnect": {},
  };
  for (const [route, body] of Object.entries(bodies)) {
    expect(section(6)).toContain(`POST ${route}`);
    const path = route.replace("NAME", "c").replace("ID", "ada");
    expect((await signedFetch(server.url, APP, "POST", path, { body })).status).toBe(200);
    expect((await fetch(`${server.url}/apps/${APP.id}${path}`, { method: "POST", body: "{}" })).status).toBe(401);
  }
});

test("its table of channels says who may subscribe, who may publish and what is kept", async () => {
  const [stranger, client] = [await connectPusher(server.url), await connectPusher(server.url)];
  await client.signin({ id: "ID" });
  const told = rows(3);
  for (const [kind = "", needs = "", publish = "", keeps = ""] of told) {
    const name = kind === "any other name" ? "open" : kind.replace("…", "x");
    const admitted = await stranger.subscribe(name, { auth: "" }).catch(() => "refused");
    expect([kind, admitted === "refused"]).toEqual([kind, needs !== "nothing"]);
    // A presence channel takes the signed-in user where there is no channel_data.
    await client.subscribe(name);
    client.send("client-x", {}, name);
    await client.ping();
    const refusals = client.socket.unread.filter(({ event }) => event === "pusher:error").length;
    for (let n = 0; n < refusals; n++) await client.next("pusher:error");
    expect([kind, refusals]).toEqual([kind, publish === "no" ? 1 : 0]);
    expect([kind, traitsOf(name).cache]).toEqual([kind, keeps === "yes"]);
  }
  expect(told.length).toBe(9);
});

test("a frame that is no command is answered with the code null, and the connection goes on", async () => {
  const client = await connectPusher(server.url);
  const frames = [new TextEncoder().encode("{}"), "[]", '{"event":"pusher:signin","data":{}}'];
  for (const frame of frames) {
    client.socket.send(frame);
    expect((await client.next("pusher:error")).data).toMatchObject({ code: null });
  }
  await client.ping();
});

test("an address that is none of the protocol's is refused, and so are fallbacks that pusher-js has no more", async () => {
  expect(
    (
      await connect(`${server.url.replace("http", "ws")}/pusher/app/${APP.key}/123/abcdefgh/websocket`).then(
        ({ closed }) => closed,
      )
    ).code,
  ).toBe(4005);
  expect((await fetch(`${server.url}/pusher/app/${APP.key}/123/abcdefgh/jsonp`, { method: "POST" })).status).toBe(404);
});

/** "65 536 bytes", "unlimited". */
function spelt(value: string): number {
  if (value.startsWith("unlimited")) return Number.POSITIVE_INFINITY;
  return Number(/^[\d ]+/.exec(value)?.[0].replaceAll(" ", ""));
}

function byNumber([, a = ""]: string[], [, b = ""]: string[]): number {
  return Number(a) - Number(b);
}
