/** What clients and back ends say reaches everybody as it was written, token by token, on every engine and in both protocols. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { startReceiver } from "../faults/hooks.ts";
import { anyComposite, settings } from "../properties/arbitraries.ts";
import { EVERY_ENGINE, startPair } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative, makeToken, type NativeTestClient } from "../support/native-client.ts";
import { type PusherTestClient, signedFetch } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { scaled } from "../support/soak.ts";
import type { TestSocket } from "../support/socket.ts";

setDefaultTimeout(180_000);

/** What writing it again would change, and what would be two frames for whoever reads line by line. */
const WRITTEN = `{"id" : 1234567890123456789, "price":1.0,\r\n"twice":1, "twice":2.50, "\\u0061":"\\/\\ud800", "e":1E+2 }`;
const ONE_LINE = WRITTEN.replace("\r\n", "  ");
const FORGED = '[1,\n{"event":"closing"}\n]';
const CHANNEL = "presence-kept";

/** The frames that came since last asked, as they came. */
function reader(socket: TestSocket) {
  let seen = socket.raw.length;
  return async (isWanted: (frame: string) => boolean): Promise<string> => {
    const found = await eventually(() => {
      const at = socket.raw.findIndex((frame, index) => index >= seen && isWanted(String(frame)));
      expect(at).toBeGreaterThan(-1);
      return at;
    });
    seen = found + 1;
    return String(socket.raw[found]);
  };
}

const named = (event: string) => (frame: string) => (JSON.parse(frame) as { event: string }).event === event;
const dataOf = (frame: string) => (JSON.parse(frame) as { data: string }).data;
const memberIn = (frame: string) => (JSON.parse(dataOf(frame)) as { user_id: string }).user_id;
const spelled = (text: string) => text.replaceAll(/[\r\n]/g, " ");

function sendClientEvent(client: PusherTestClient, event: string, data: string): void {
  client.socket.send(`{"event":"${event}","channel":"${CHANNEL}","data":\n${data}}`);
}

function sendNative(client: NativeTestClient, event: string, data: string): void {
  client.socket.send(`{"event":"publish","data":{"channel":"${CHANNEL}","event":"${event}","d\\u0061ta":${data} }}`);
}

async function post(url: string, path: string, body: string): Promise<void> {
  const answer = await signedFetch(url, APP, "POST", path, { body });
  if (answer.status !== 200) throw new Error(`POST ${path}: ${answer.status} ${await answer.text()}`);
}

describe.each(EVERY_ENGINE)("on %s", (engine) => {
  test("payloads of clients and of the HTTP API, in what is delivered, kept and told to webhooks", async () => {
    const { hooks, options } = startReceiver();
    const [a, b] = await startPair(engine, options);
    const [says, near, native, far] = [await a.pusher(), await b.pusher(), await b.native(), await a.native()];
    await says.subscribe(CHANNEL, { data: { user_id: "1" } });
    await near.subscribe(CHANNEL, { data: { user_id: "2" } });
    await native.subscribe(CHANNEL, native.permission(CHANNEL, { user_id: "3" }));
    await far.subscribe(CHANNEL, far.permission(CHANNEL, { user_id: "4" }));
    const [nextNear, nextNative] = [reader(near.socket), reader(native.socket)];
    const expectBoth = async (event: string, text: string) => {
      expect(dataOf(await nextNear(named(event)))).toBe(text);
      expect(await nextNative(named(event))).toContain(`"data":${spelled(text)}`);
    };
    const whole = (event: string, data: string) => `{"name":"${event}","channel":"${CHANNEL}","data":${data}}`;
    const sayAll = async (data: string, nth: number) => {
      sendClientEvent(says, `client-p${nth}`, data);
      await expectBoth(`client-p${nth}`, spelled(data));
      sendNative(far, `client-n${nth}`, data);
      await expectBoth(`client-n${nth}`, spelled(data));
      await post(a.url, "/events", whole(`api${nth}`, data));
      await expectBoth(`api${nth}`, spelled(data));
      // Text is the same text for Pusher clients, and one line for native ones, who are handed the value.
      const batch = [whole(`text${nth}`, JSON.stringify(data)), whole(`batch${nth}`, data)];
      await post(b.url, "/batch_events", `{"batch":[ ${batch.join(" ,")} ]}`);
      await expectBoth(`text${nth}`, data);
      await expectBoth(`batch${nth}`, spelled(data));
    };
    let nth = 0;
    for (const data of [WRITTEN, FORGED, "1.0", "12345678901234567890", "null"]) await sayAll(data, ++nth);
    await fc.assert(
      fc.asyncProperty(anyComposite, (data) => sayAll(data, ++nth)),
      settings(scaled(15, 5)),
    );

    const query = { limit: "1000" };
    const answer = await signedFetch(b.url, APP, "GET", `/channels/${CHANNEL}/history`, { query });
    const { events } = (await answer.json()) as { events: { name: string; data: string }[] };
    const keptAs = (name: string) => events.find((event) => event.name === name)?.data;
    for (const name of ["client-p1", "client-n1", "api1", "batch1"]) expect(keptAs(name)).toBe(ONE_LINE);
    expect(keptAs("text1")).toBe(WRITTEN);
    const late = await b.native();
    await late.subscribe(CHANNEL, { ...late.permission(CHANNEL, { user_id: "5" }), recover: true });
    await eventually(() => expect(late.socket.raw.filter((frame) => named("api1")(String(frame)))).toHaveLength(1));
    expect(late.socket.raw.filter((frame) => String(frame).includes(ONE_LINE))).toHaveLength(5);

    await post(a.url, "/events", `{"name":"last","channel":"cache-x","data":${WRITTEN}}`);
    await near.subscribe("cache-x");
    expect(dataOf(await nextNear(named("last")))).toBe(ONE_LINE);

    await eventually(() => {
      const told = hooks.filter(({ name, event }) => name === "client_event" && event === "client-p1");
      expect(told.map(({ data }) => data)).toEqual([ONE_LINE]);
    });
    for (const { socket } of [near, native, late, says, far]) {
      for (const frame of socket.raw) expect(frame).not.toMatch(/[\r\n]/);
    }
  });

  test("what others see of a member: signed, signed in, or by token; in lists and arrivals", async () => {
    const [a, b] = await startPair(engine);
    const [pusher, native] = [await a.pusher(), await a.native()];
    await pusher.subscribe("presence-x", { data: { user_id: "watcher" } });
    await native.subscribe("presence-x", native.permission("presence-x", { user_id: "other" }));
    const [nextPusher, nextNative] = [reader(pusher.socket), reader(native.socket)];
    let nth = 0;
    const expectArrival = async (id: string, info: string) => {
      const added = await nextPusher((frame) => /member_added/.test(frame) && memberIn(frame) === id);
      expect(dataOf(added)).toBe(`{"user_id":"${id}","user_info":${spelled(info)}}`);
      const nativeAdded = await nextNative((frame) => named("member_added")(frame) && frame.includes(`{"id":"${id}",`));
      expect(nativeAdded).toContain(`{"id":"${id}","info":${spelled(info)}}`);
    };
    const comeIn = async (info: string) => {
      const ids = [++nth, ++nth, ++nth].map(String) as [string, string, string];
      const signed = await b.pusher();
      await signed.subscribe("presence-x", { data: `{"user_id":${ids[0]},"user_info":${info}}` });
      await expectArrival(ids[0], info);

      const signedIn = await b.pusher();
      const userData = `{"id":"${ids[1]}","user_info":${info}}`;
      const { data } = await signedIn.signin(userData);
      expect(JSON.parse(String(data))).toEqual({ user_data: userData });
      await signedIn.subscribe("presence-x");
      await expectArrival(ids[1], info);

      const withToken = await connectNative(b.url, {
        token: await tokenOf(`{"sub":${ids[2]},"channels":["*"],"info":${info}}`),
      });
      const user = `{"id":"${ids[2]}","info":${spelled(info)}}`;
      expect(withToken.socket.raw[0]).toContain(`"user":${user}`);
      await withToken.subscribe("presence-x");
      await expectArrival(ids[2], info);
      const listed = withToken.socket.raw.findLast((frame) => named("subscribed")(String(frame)));
      for (const id of ids) expect(listed).toContain(`{"id":"${id}","info":${spelled(info)}}`);
      const late = await a.pusher();
      await late.subscribe("presence-x", { data: { user_id: "late" } });
      const hash = dataOf(String(late.socket.raw.at(-1)));
      for (const id of ids) expect(hash).toContain(`"${id}":${spelled(info)}`);
      const sockets = [signed.socket, signedIn.socket, withToken.socket, late.socket, pusher.socket, native.socket];
      for (const frame of sockets.flatMap(({ raw }) => raw)) expect(frame).not.toMatch(/[\r\n]/);
      for (const socket of [signed.socket, signedIn.socket, withToken.socket, late.socket]) await socket.close();
      await nextPusher((frame) => /member_removed/.test(frame) && memberIn(frame) === "late");
    };
    await comeIn(WRITTEN);
    await comeIn(FORGED);
    await fc.assert(fc.asyncProperty(anyComposite, comeIn), settings(scaled(6, 2)));
  });

  test("users on a watchlist whose ids are numbers, also beyond 2^53", async () => {
    const [a, b] = await startPair(engine);
    const watcher = await a.pusher();
    await watcher.signin('{"id":"w","watchlist":[1234567890123456789, 1234567890123456788 ,7]}');
    const isWatch = ({ event }: { event: string }) => event === "pusher_internal:watchlist_events";
    const told = (await watcher.next(isWatch)).data;
    const all = ["1234567890123456789", "1234567890123456788", "7"];
    expect(JSON.parse(String(told))).toEqual({ events: [{ name: "offline", user_ids: all }] });
    const user = await b.pusher();
    await user.signin('{"id":1234567890123456788}');
    const online = { events: [{ name: "online", user_ids: ["1234567890123456788"] }] };
    expect(JSON.parse(String((await watcher.next(isWatch)).data))).toEqual(online);
  });
});

/** Its claims are signed as they are written. */
async function tokenOf(claims: string): Promise<string> {
  const [head = ""] = (await makeToken({})).split(".");
  const text = `${head}.${Buffer.from(claims).toString("base64url")}`;
  const key = await crypto.subtle.importKey("raw", Buffer.from(APP.secret), { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
  ]);
  return `${text}.${Buffer.from(await crypto.subtle.sign("HMAC", key, Buffer.from(text))).toString("base64url")}`;
}
