/** What a back end does with connections wherever they are, by HTTP calls to one node: each is told how many it reached, on every engine. */

import { describe, expect, test } from "bun:test";
import { EVERY_ENGINE, startPair } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { makeToken, type NativeTestClient } from "../support/native-client.ts";
import { signedFetch, trigger } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { scaled, soaking } from "../support/soak.ts";

const PATIENCE = { withinMs: 60_000, everyMs: 50 };

interface Answer {
  readonly status: number;
  readonly connections?: number;
  readonly nodes_missing?: number;
  readonly code?: string;
  readonly items?: readonly { readonly id: string; readonly user: string | null; readonly channels: string[] }[];
  readonly next?: string | null;
}

async function post(url: string, path: string, body: object = {}): Promise<Answer> {
  const response = await signedFetch(url, APP, "POST", path, { body });
  return { status: response.status, ...((await response.json()) as object) };
}

async function list(url: string, query: Record<string, string>): Promise<Answer> {
  const response = await signedFetch(url, APP, "GET", "/connections", { query });
  return { status: response.status, ...((await response.json()) as object) };
}

const reached = (connections: number) => ({ status: 200, connections, nodes_missing: 0 });

describe.each(EVERY_ENGINE)("on %s", async (engine) => {
  const [a, b] = await startPair(engine);
  /** `welcome` comes before the engine has been asked; the ping is answered after. */
  const signedIn = async (node: typeof a, sub: string) => {
    const client = await node.native({ token: await makeToken({ sub, channels: ["private-*", "presence-*"] }) });
    await client.ping();
    return client;
  };

  test("a user is kicked from a channel everywhere, hears why, hears nothing more of it, and may come back", async () => {
    const clients = [await signedIn(a, "ada"), await signedIn(b, "ada")];
    const [other, pusher] = [await signedIn(b, "bob"), await b.pusher()];
    for (const client of [...clients, other]) await client.subscribe("private-room");
    await pusher.subscribe("private-room");
    const body = { user_id: "ada", message: "Be kind." };
    expect(await post(a.url, "/channels/private-room/kick", body)).toEqual(reached(2));
    for (const client of clients) {
      const told = { channel: "private-room", by: "server", code: "kicked", message: "Be kind." };
      expect(await client.next("unsubscribed")).toEqual({ event: "unsubscribed", ...told });
    }
    expect(await post(b.url, "/channels/private-room/kick", body)).toEqual(reached(0));
    await trigger(a.url, APP, { name: "after", data: "1", channel: "private-room" });
    expect(await other.next("after")).toMatchObject({ data: 1 });
    for (const client of clients) {
      expect(await client.unread()).toEqual([]);
      await client.subscribe("private-room");
    }
    await pusher.next("after");
    expect(await post(a.url, "/channels/private-room/kick", { all: true })).toEqual(reached(4));
    const refused = await pusher.next("pusher:subscription_error");
    expect(JSON.parse(String(refused.data))).toMatchObject({ status: 403, code: "kicked" });
    expect(await post(a.url, "/channels/private-room/kick", { connection: other.id })).toEqual(reached(0));
    for (const client of [...clients, other, pusher]) await client.close();
  });

  test("a banned user is kept out on every node, from that channel only, until the ban is lifted or over", async () => {
    const [client, late] = [await signedIn(b, "eve"), await signedIn(b, "eve")];
    const member = await a.native();
    await client.subscribe("private-room");
    await member.subscribe("presence-room", member.permission("presence-room", { user_id: "eve" }));
    expect(await post(a.url, "/channels/private-room/kick", { user_id: "eve", ban_s: 3600 })).toEqual(reached(1));
    expect(await post(b.url, "/channels/presence-room/kick", { user_id: "eve", ban_s: 3600 })).toEqual(reached(1));
    for (const node of [a, b]) {
      const next = await signedIn(node, "eve");
      expect(await next.ask("subscribe", { channel: "private-room" })).toMatchObject({ code: "unauthorized" });
      await next.subscribe("private-other");
      await next.close();
    }
    const again = member.permission("presence-room", { user_id: "eve" });
    expect(await member.ask("subscribe", { channel: "presence-room", ...again })).toMatchObject({
      code: "unauthorized",
    });
    const bob = await signedIn(a, "bob");
    await bob.subscribe("private-room");
    expect((await post(b.url, "/channels/private-room/unban", { user_id: "eve" })).status).toBe(200);
    for (const one of [client, late]) await one.subscribe("private-room");
    await post(a.url, "/channels/private-room/kick", { user_id: "eve", ban_s: 0.2 });
    await eventually(() => client.subscribe("private-room"), PATIENCE);
    for (const one of [client, late, member, bob]) await one.close();
  });

  test("one connection, or a user's, is asked to connect again, or to leave, or is ended, wherever it is", async () => {
    const [here, there] = [await signedIn(a, "cyd"), await signedIn(b, "cyd")];
    await there.subscribe("private-room");
    expect(await post(a.url, `/connections/${there.id}/unsubscribe`, { channel: "private-room" })).toEqual(reached(1));
    expect(await there.next("unsubscribed")).toMatchObject({ code: "unsubscribed", by: "server" });
    expect(await post(a.url, `/connections/${there.id}/disconnect`, { message: "Bye." })).toEqual(reached(1));
    expect(await there.next("closing")).toMatchObject({ code: "terminated", message: "Bye.", reconnect: "never" });
    expect(await post(a.url, `/connections/${there.id}/disconnect`)).toEqual(reached(0));
    const more = await signedIn(b, "cyd");
    expect(await post(a.url, "/users/cyd/reconnect", { spread_ms: 2000 })).toEqual(reached(2));
    for (const client of [here, more]) {
      const closing = await client.next("closing");
      expect(closing).toMatchObject({ code: "reconnect", reconnect: "now" });
      expect(Number(closing.afterMs)).toBeLessThan(2000);
      expect((await client.socket.closed).code).toBe(4200);
    }
    const back = await signedIn(b, "cyd");
    await back.subscribe("private-room");
    expect(await post(a.url, "/channels/private-room/reconnect")).toEqual(reached(1));
    expect((await back.socket.closed).code).toBe(4200);
  });

  test("a subscription with an end is over at it on whichever node, in later connections too, and a later call moves it", async () => {
    const first = await signedIn(b, "gil");
    const put = (more: object) => post(a.url, "/users/gil/subscribe", { channel: "presence-brief", ...more });
    const inSeconds = (seconds: number) => Date.now() / 1000 + seconds;
    expect(await put({ expires_at: inSeconds(600), sticky_s: 600 })).toEqual(reached(1));
    expect(await first.next("subscribed")).toMatchObject({ channel: "presence-brief", by: "server" });
    expect(await put({ expires_at: inSeconds(3), sticky_s: 600 })).toEqual(reached(1));
    const later = await signedIn(a, "gil");
    expect(await later.next("subscribed")).toMatchObject({ channel: "presence-brief", by: "server" });
    const own = await signedIn(b, "gil");
    await own.next("subscribed");
    await own.ask("unsubscribe", { channel: "presence-brief" });
    await own.subscribe("presence-brief");
    for (const client of [first, later]) {
      const told = { channel: "presence-brief", by: "server", code: "permission_gone" };
      expect(await client.next("unsubscribed", 20_000)).toMatchObject(told);
    }
    const after = await signedIn(a, "gil");
    expect(await after.unread()).toEqual([]);
    // What the client asked for itself has no end.
    expect(await put({ expires_at: inSeconds(0.5) })).toEqual(reached(4));
    for (const client of [first, later, after]) expect(await client.next("subscribed")).toMatchObject({ by: "server" });
    for (const client of [first, later, after]) await client.next("unsubscribed", 20_000);
    expect(await own.unread()).toEqual([]);
    expect(await put({ expires_at: inSeconds(-1) })).toMatchObject({ status: 400, code: "data_invalid" });
    for (const client of [first, later, own, after]) await client.close();
  });

  test("terminating a user ends those, too, that never signed in and are the user in a presence channel", async () => {
    const members: NativeTestClient[] = [];
    for (const node of [a, b]) {
      const member = await node.native();
      await member.subscribe("presence-hall", member.permission("presence-hall", { user_id: "dan" }));
      members.push(member);
    }
    const signed = await signedIn(b, "dan");
    expect(await post(a.url, "/users/dan/terminate_connections")).toEqual(reached(3));
    for (const client of [...members, signed])
      expect(await client.next("closing")).toMatchObject({ code: "terminated" });
  });

  test("the connections of all nodes are listed page by page, by user and by channel", async () => {
    const clients: NativeTestClient[] = [];
    for (const node of [a, b, a, b, b]) clients.push(await signedIn(node, "fay"));
    const [first] = clients;
    await first?.subscribe("private-list");
    await clients[1]?.subscribe("presence-list");
    const found: string[] = [];
    let cursor: string | null | undefined;
    do {
      const page = await list(a.url, { user_id: "fay", limit: "2", ...(cursor && { cursor }) });
      expect(page).toMatchObject({ status: 200, nodes_missing: 0 });
      expect(page.items?.length).toBeLessThanOrEqual(2);
      for (const { id, user } of page.items ?? []) {
        expect(user).toBe("fay");
        found.push(id);
      }
      cursor = page.next;
    } while (cursor);
    expect(found).toEqual(clients.map(({ id }) => id).sort());
    const { items } = await list(b.url, { channel: "private-list" });
    expect(items).toMatchObject([{ id: first?.id, channels: ["private-list"], protocol: "native" }]);
    expect((await list(b.url, { channel: "nobody-is-here" })).items).toEqual([]);
    const counted = await signedFetch(a.url, APP, "GET", "/connections");
    expect(await counted.json()).toEqual({ connections: expect.any(Number) });
    for (const client of clients) await client.close();
  });

  test("a user is put into channels on every node without asking, and those that come later, too, until it is taken back", async () => {
    const [here, there, other] = [await signedIn(a, "gus"), await signedIn(b, "gus"), await signedIn(b, "hal")];
    const pusher = await b.pusher();
    await pusher.signin({ id: "gus" });
    await other.subscribe("presence-team");
    const body = { channel: "presence-team", info: { role: "lead" }, sticky_s: 600 };
    expect(await post(a.url, "/users/gus/subscribe", body)).toEqual(reached(3));
    expect(await other.next("member_added")).toMatchObject({ data: { user: { id: "gus", info: { role: "lead" } } } });
    for (const client of [here, there]) {
      const told = await client.next("subscribed");
      expect(told).toMatchObject({ channel: "presence-team", by: "server" });
      expect(told.id).toBeUndefined();
    }
    await pusher.next("pusher_internal:subscription_succeeded");
    // Again: it is there already.
    expect(await post(b.url, "/users/gus/subscribe", body)).toEqual(reached(3));
    await trigger(a.url, APP, { name: "said", data: "1", channel: "presence-team" });
    for (const client of [here, there, pusher]) await client.next("said");
    const late = [await signedIn(a, "gus"), await signedIn(b, "gus")];
    for (const client of late) expect(await client.next("subscribed")).toMatchObject({ by: "server" });
    expect(await post(a.url, "/users/gus/unsubscribe", { channel: "presence-team" })).toEqual(reached(5));
    for (const client of [here, ...late]) await client.next("unsubscribed");
    const last = await signedIn(b, "gus");
    expect(await last.unread()).toEqual([]);
    expect(await post(b.url, `/connections/${last.id}/subscribe`, { channel: "private-one" })).toEqual(reached(1));
    expect(await last.next("subscribed")).toMatchObject({ channel: "private-one" });
    const guest = await a.native();
    const asGuest = { channel: "presence-team", user_id: "guest" };
    expect(await post(b.url, `/connections/${guest.id}/subscribe`, { channel: "presence-team" })).toEqual(reached(0));
    expect(await post(b.url, `/connections/${guest.id}/subscribe`, asGuest)).toEqual(reached(1));
    await guest.next("subscribed");
    expect(await post(b.url, "/channels/presence-team/kick", { user_id: "gus", ban_s: 600 })).toMatchObject({
      status: 200,
    });
    expect(await post(b.url, "/users/gus/subscribe", { channel: "presence-team" })).toEqual(reached(0));
    await post(b.url, "/channels/presence-team/unban", { user_id: "gus" });
    for (const client of [here, there, other, pusher, last, guest, ...late]) await client.close();
  });

  test("everybody in a channel is out of it within a second, on every node", async () => {
    const clients = await Promise.all(
      Array.from({ length: scaled(400, 40) }, (_, at) => signedIn(at % 2 === 0 ? a : b, `crowd-${at}`)),
    );
    await Promise.all(clients.map((client) => client.subscribe("private-crowd")));
    const sinceMs = performance.now();
    const call = post(a.url, "/channels/private-crowd/kick", { all: true });
    await Promise.all(clients.map((client) => client.next("unsubscribed")));
    const tookMs = performance.now() - sinceMs;
    expect(await call).toEqual(reached(clients.length));
    if (soaking) expect(tookMs).toBeLessThan(1_000);
    console.log(`${engine}: ${clients.length} clients were out of the channel after ${tookMs.toFixed(0)} ms`);
    await Promise.all(clients.map((client) => client.close()));
  });

  test("what is asked wrongly is refused, and reaches nobody", async () => {
    for (const [path, body] of [
      ["/channels/private-room/kick", {}],
      ["/channels/private-room/kick", { user_id: "a", all: true }],
      ["/channels/private-room/kick", { all: true, ban_s: 1 }],
      ["/channels/private-room/kick", { user_id: "a", ban_s: -1 }],
      ["/channels/private-room/kick", { user: "a" }],
      ["/channels/private-room/kick", { user_id: "a", message: "x".repeat(121) }],
      ["/users/ada/reconnect", { spread_ms: 1.5 }],
      ["/users/ada/unsubscribe", {}],
      ["/users/ada/subscribe", {}],
      ["/users/ada/subscribe", { channel: "c", user_id: "x" }],
      ["/users/ada/subscribe", { channel: "c", sticky_s: 86_401 }],
      ["/connections/1.2/subscribe", { channel: "c", sticky_s: 1 }],
    ] as const) {
      expect(await post(a.url, path, body)).toMatchObject({ status: 400, code: "data_invalid" });
    }
    expect(await post(a.url, "/channels/no space/kick", { all: true })).toMatchObject({ code: "channel_invalid" });
    for (const limit of ["0", "1001", "x"]) expect(await list(a.url, { limit })).toMatchObject({ status: 400 });
    const unsigned = await fetch(`${a.url}/apps/${APP.id}/channels/private-room/kick`, { method: "POST", body: "{}" });
    expect(unsigned.status).toBe(401);
  });
});
