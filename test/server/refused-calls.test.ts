/** A call of the HTTP API that is refused is visible to the operator: in the log, the dashboard's console and the metrics. */

import { describe, expect, test } from "bun:test";
import { SIGNED, signedIn } from "../admin/visitor.ts";
import { startBareProcess } from "../faults/process.ts";
import { eventually } from "../support/eventually.ts";
import { connectPusher, signedFetch, signedUrl } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";

const WRONG = { ...APP, secret: "of another environment" };
const UNKNOWN = { ...APP, id: "nobody" };
const EVENT = { name: "x", channel: "private-orders", data: "{}" };
const LIMITS = { limits: { httpBodyBytes: 1_000 } };
const LARGE = { ...EVENT, data: "x".repeat(2_000) };

const REFUSALS = [
  ["a wrong secret", WRONG, EVENT, 401, "signature_invalid", "auth_signature is not"],
  ["an unknown app", UNKNOWN, EVENT, 404, "app_unknown", "no app with this id"],
  ["a body too large", APP, LARGE, 413, "data_too_large", "larger than 1000 bytes"],
  ["a channel that is none", APP, { ...EVENT, channel: "no channel" }, 400, "channel_invalid", "A channel name"],
] as const;

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly reason?: string;
}

function linesOf(text: string, msg: string): Line[] {
  const all = text.split("\n").flatMap((line) => (line.startsWith("{") ? [JSON.parse(line) as Line] : []));
  return all.filter((line) => line.msg.startsWith(msg));
}

test("each is one line of the log with its reason, however often it comes", async () => {
  const process = await startBareProcess({ config: { ...LIMITS, apps: [APP], log: { format: "json" } } });
  for (const [, app, body, status] of REFUSALS) {
    for (let times = 0; times < 20; times++) {
      expect((await signedFetch(process.url, app, "POST", "/events", { body })).status).toBe(status);
    }
  }
  const lines = await eventually(() => {
    const found = linesOf(process.stderr, "a call of the HTTP API was refused");
    expect(found.length).toBeGreaterThanOrEqual(REFUSALS.length);
    return found;
  });
  for (const [, app, , status, why, reason] of REFUSALS) {
    const ours = lines.filter((line) => "why" in line && line.why === why);
    // A machine that is very slow gets a second one, with how many were left out.
    expect(ours.length).toBeLessThan(10);
    const known = app === UNKNOWN ? {} : { app: APP.id };
    const call = { method: "POST", path: `/apps/${app.id}/events`, address: "127.0.0.1" };
    expect(ours[0]).toMatchObject({ level: 40, status, ...known, ...call, reason: expect.stringContaining(reason) });
  }
  expect(process.stderr).not.toContain("auth_signature=");
  await process.stop();
});

describe("with a dashboard", () => {
  test.each(REFUSALS)("%s is a row of the console, and counted", async (_, app, body, status, why, reason) => {
    const server = await startServer({ ...SIGNED, ...LIMITS });
    const live = await (await signedIn(server.url, "vera")).watch();
    await live.subscribe({ type: "feed" });
    const wanted = expect.stringMatching(new RegExp(`^POST /apps/${app.id}/events: ${status} .*${reason}`));
    const batch = await eventually(
      async () => {
        await signedFetch(server.url, app, "POST", "/events", { body });
        return live.next("feed", ({ entries }) => entries.some(({ type }) => type === "refused"));
      },
      { withinMs: 15_000 },
    );
    const entry = batch.entries.find(({ type }) => type === "refused");
    expect(entry).toMatchObject({ why: wanted, address: "127.0.0.1", ...(app !== UNKNOWN && { app: APP.id }) });
    const numbers = await (await fetch(`${server.url}/metrics`)).text();
    const label = app === UNKNOWN ? "" : APP.id;
    expect(numbers).toMatch(new RegExp(`^fanfare_api_refused_total\\{app="${label}",why="${why}"\\} \\d`, "m"));
    expect(numbers).toMatch(new RegExp(`^fanfare_api_requests_total\\{status="${status}"\\} \\d`, "m"));
  });

  test("what was signed wrong comes along for the signature explainer, without secrets", async () => {
    const server = await startServer(SIGNED);
    const live = await (await signedIn(server.url, "vera")).watch();
    await live.subscribe({ type: "feed" });
    const signed = async (act: () => Promise<unknown>, type: string) =>
      eventually(
        async () => {
          await act();
          const isIt = (entry: { signed?: { type: string } }) => entry.signed?.type === type;
          const { entries } = await live.next("feed", (batch) => batch.entries.some(isIt));
          return entries.find(isIt)?.signed;
        },
        { withinMs: 15_000 },
      );
    const spaced = '{"name": "x", "channel": "a", "data": "{}"}';
    const call = () => signedFetch(server.url, WRONG, "POST", "/events", { body: spaced });
    expect(await signed(call, "request")).toEqual({
      type: "request",
      method: "POST",
      path: expect.stringMatching(/^\/apps\/app\/events\?.*auth_signature=[0-9a-f]{64}/),
      body: spaced,
    });
    const client = await connectPusher(server.url);
    const auth = `${APP.key}:${"0".repeat(64)}`;
    const subscribe = async (channel: string, data: string) => {
      client.sendSubscribe(channel, { auth, data });
      await client.ping();
    };
    const member = '{"user_id": "7"}';
    expect(await signed(() => subscribe("presence-a", member), "channel")).toEqual({
      ...{ type: "channel", socketId: client.socketId, channel: "presence-a", auth, channelData: member },
    });
    const hidden = await connectPusher(server.url);
    hidden.sendSubscribe("presence-a", { auth, data: '{"user_id":"8","user_info":{"token":"hidden-word"}}' });
    await hidden.ping();
    const isHidden = (entry: { connection?: string; signed?: unknown }) =>
      entry.connection === hidden.socketId && entry.signed !== undefined;
    const { entries } = await live.next("feed", (batch) => batch.entries.some(isHidden));
    expect(JSON.stringify(entries)).not.toContain("hidden-word");
    expect(entries.find(isHidden)).toMatchObject({ channel: "presence-a", signed: { type: "channel" } });
    // A signature that is right is not told, whatever else is wrong with the call.
    const right = signedUrl(server.url, APP, "POST", "/events", { body: { ...EVENT, channel: "no channel" } });
    await fetch(right, { method: "POST", body: JSON.stringify({ ...EVENT, channel: "no channel" }) });
    const isBad = (entry: { why?: string }) => entry.why?.includes(" 400 ") === true;
    const told = await live.next("feed", (batch) => batch.entries.some(isBad));
    expect(told.entries.find(isBad)).not.toHaveProperty("signed");
  });
});

test("at debug every frame is seen, what comes and what goes, and a channel's once for all its readers", async () => {
  const process = await startBareProcess({ config: { apps: [APP], log: { format: "json", level: "debug" } } });
  const [one, other] = [await connectPusher(process.url), await connectPusher(process.url)];
  for (const client of [one, other]) await client.subscribe("private-room");
  await signedFetch(process.url, APP, "POST", "/events", { body: { ...EVENT, channel: "private-room" } });
  for (const client of [one, other]) await client.next("x");
  one.socket.send("no frame at all");
  await eventually(() => expect(process.stderr).toContain("no frame at all"));
  const framesOf = (msg: string) => linesOf(process.stderr, msg) as (Line & { frame: string; connection?: string })[];
  const events = (msg: string, id: string) =>
    framesOf(msg).flatMap(({ connection, frame }) => (connection === id ? [/"event":"([^"]+)"/.exec(frame)?.[1]] : []));
  expect(events("received", one.socketId)).toEqual(["pusher:subscribe", undefined]);
  expect(events("sent", one.socketId).slice(0, 2)).toEqual([
    "pusher:connection_established",
    "pusher_internal:subscription_succeeded",
  ]);
  const toAll = framesOf("sent").filter(({ frame }) => frame.includes('"event":"x"'));
  expect(toAll).toMatchObject([{ channel: "private-room", readers: 2, protocol: "pusher" }]);
  await process.stop();
});
