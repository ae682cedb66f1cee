/** Two apps that share names, on two nodes: what the dashboard is asked of one never tells of the other, and no app's key opens it (scenario 57). */

import { describe, expect, test } from "bun:test";
import { ROUTES } from "../../packages/server/src/admin/routes.ts";
import { startNode } from "../cluster/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative, makeToken } from "../support/native-client.ts";
import { connectPusher, signedUrl, trigger } from "../support/pusher-client.ts";
import { startRedis } from "../support/redis.ts";
import { APP, startServer } from "../support/server.ts";
import { SIGNED, signedIn, USERS, Visitor } from "./visitor.ts";

const OTHER = { id: "other", key: "other-key", secret: "other-secret", clientEvents: true };
const CHANNELS = ["same", "presence-same", "cache-same"];

const redis = await startRedis();
const more = { channels: [{ match: "same", history: { size: 10, ttlS: 60 } }] };
const config = {
  apps: [
    { ...APP, ...more },
    { ...OTHER, ...more },
  ],
  dashboard: { users: USERS },
};
const [here, there] = [await startNode(redis, config), await startNode(redis, config)];

/** Of each app one client on each node, in channels and with a user of the same names; all that is an app's own says so. */
async function inhabit(app: typeof APP | typeof OTHER, mark: string) {
  const clients = [await connectPusher(here.url, { app }), await connectPusher(there.url, { app })];
  for (const client of clients) {
    await client.signin({ id: "same", user_info: mark });
    for (const channel of CHANNELS) await client.subscribe(channel, { data: { user_id: "same", user_info: mark } });
  }
  for (const channel of CHANNELS) await trigger(here.url, app, { name: mark, channel, data: mark });
  for (const client of clients) for (const _ of CHANNELS) await client.next(mark);
  return clients;
}

const mine = await inhabit(APP, "mine");
const theirs = await inhabit(OTHER, "theirs");
/** Whatever would be the other app's in an answer. */
const MARKS = ["theirs", ...theirs.map(({ socketId }) => socketId)];

function expectNothingOfTheirs(text: string): void {
  expect(MARKS.filter((mark) => text.includes(mark))).toEqual([]);
}

describe("the dashboard of a server with several apps (scenario 57)", () => {
  test("answers what is asked of one app with nothing of another's", async () => {
    const anna = await signedIn(here.url, "anna");
    const [own] = mine;
    const paths = [
      "",
      "/channels?search=same",
      ...CHANNELS.map((name) => `/channel?name=${name}`),
      "/connections",
      "/connections?search=same",
      `/connections/${own?.socketId}`,
    ];
    for (const path of paths) {
      const { status, text } = await anna.ask(`api/apps/app${path}`);
      expect([path, status]).toEqual([path, 200]);
      expectNothingOfTheirs(text);
    }
    const listed = await anna.ask<{ connections: { id: string }[] }>("api/apps/app/connections");
    expect(listed.text).toContain(own?.socketId ?? "none");
    const { body } = await anna.ask<{ channels: { name: string; subscribers: number; users?: number }[] }>(
      "api/apps/app/channels",
    );
    await eventually(() => expect(body.channels.map(({ name }) => name).toSorted()).toEqual(CHANNELS.toSorted()));
    expect(body.channels.map(({ subscribers }) => subscribers)).toEqual([2, 2, 2]);
    // The right id in the wrong app is nobody's.
    for (const { socketId } of theirs)
      expect((await anna.ask(`api/apps/app/connections/${socketId}`)).status).toBe(404);
    expect((await anna.ask(`api/apps/other/connections/${theirs[0]?.socketId}`)).status).toBe(200);
  });

  test("acts on the app that is named, on every node, and on no other", async () => {
    const anna = await signedIn(here.url, "anna");
    const event = { channel: "same", event: "acted", data: "by anna" };
    expect((await anna.post("api/apps/app/events", event)).status).toBe(200);
    for (const client of mine) await client.next("acted");
    for (const { socketId } of theirs) {
      const path = `api/apps/app/connections/${encodeURIComponent(socketId)}/disconnect`;
      expect((await anna.post(path)).body).toEqual({ outcome: "done", connections: 0, nodesMissing: 0 });
    }
    expect((await anna.post("api/apps/app/users/same/terminate")).status).toBe(200);
    for (const { socket } of mine) expect((await socket.closed).code).toBe(4009);
    for (const client of theirs) {
      await client.ping();
      expect(client.socket.isOpen).toBe(true);
      expect(client.socket.frames.filter((frame) => frame.event === "acted")).toEqual([]);
    }
  });

  test("shows live, of one app, what that one does, and no other's", async () => {
    const live = await (await signedIn(here.url, "vera")).watch();
    const spied = theirs[0]?.socketId ?? "";
    await live.subscribe({ type: "feed", app: "app" });
    await live.subscribe({ type: "connections", app: "app" });
    await live.subscribe({ type: "connection", app: "app", id: spied });
    await live.subscribe({ type: "seconds", app: "app" });
    await trigger(there.url, OTHER, { name: "theirs", channel: "same", data: "theirs" });
    const newcomer = await connectPusher(there.url, { app: OTHER });
    await newcomer.subscribe("same");
    theirs[0]?.send("client-theirs", { theirs: true }, "presence-same");
    await trigger(there.url, APP, { name: "seen", channel: "same", data: "seen" });
    await live.next("feed", ({ entries }) => entries.some((entry) => entry.event === "seen"));
    // What the other app did came before.
    const told = live.socket.frames.filter(({ event }) => event !== "subscribed");
    expect(told.length).toBeGreaterThan(0);
    expectNothingOfTheirs(JSON.stringify(told));
    expect(JSON.stringify(told)).not.toContain(newcomer.socketId);
  });
});

describe("an app's key, secret or token (scenario 57)", () => {
  test("is nothing to the dashboard: every call and the live connection want somebody who signed in", async () => {
    const { url } = await startServer({ ...SIGNED, database: { url: "sqlite::memory:" } });
    const token = await makeToken({ sub: "anna", role: "admin" });
    const visitor = new Visitor(`${url}/dashboard`);
    for (const [name, password] of [
      [APP.key, APP.secret],
      [APP.id, APP.secret],
      ["anna", APP.secret],
    ] as const) {
      expect((await visitor.signIn(name, password)).status).toBe(401);
    }
    expect((await visitor.post("api/session", { token })).status).toBeOneOf([400, 401]);
    for (const { method, path } of ROUTES) {
      const at = `api/${path.replace(":app", APP.id).replace(":id", "same")}`;
      const body = method === "GET" ? undefined : {};
      const headers = { Authorization: `Bearer ${token}` };
      expect([path, (await visitor.ask(at, { method, body, headers })).status]).toEqual([path, 401]);
      // Signed as a call of the HTTP API is.
      const signed = signedUrl(url, APP, method, "/channels", { body, tamper: { path: `/dashboard/${at}` } });
      const { status } = await visitor.ask(`${at}${new URL(signed).search}`, { method, body });
      expect([path, status]).toEqual([path, 401]);
    }
    expect((await visitor.post("api/ticket")).status).toBe(401);
    await expect(connectNative(url, { path: "/dashboard/api/live", token })).rejects.toThrow();
  });
});
