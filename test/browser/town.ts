/** A small town of three apps on three nodes, for the pictures in the docs: people who work, back ends that publish, and what goes wrong. */

import { expect, mock } from "bun:test";
import * as os from "node:os";
import type { Page } from "playwright-core";
import type { ConfigInput, Server } from "../../packages/server/src/index.ts";
import { PASSWORDS, Visitor } from "../admin/visitor.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative, makeToken, type NativeTestClient } from "../support/native-client.ts";
import {
  channelAuth,
  connectPusher,
  dialPusher,
  type PusherTestClient,
  signedFetch,
} from "../support/pusher-client.ts";
import { startRedis } from "../support/redis.ts";
import { APP, type AppKeys, startServer } from "../support/server.ts";
import { sqliteFile } from "../support/sqlite.ts";

const SHOP = { ...APP, id: "shop", name: "Shop" };
const DRIVERS = { id: "drivers", key: "drivers-key", secret: "drivers-secret", name: "Driver app", clientEvents: true };
const SUPPORT = {
  id: "support",
  key: "support-key",
  secret: "support-secret",
  name: "Support desk",
  clientEvents: true,
};

const NAMES = [
  "Mara Lindqvist,Jonas Weber,Aiko Tanaka,Priya Nair,Tomás Herrera,Lena Fischer,Omar Haddad,Chloé Martin,Diego Santos",
  "Yuki Mori,Nina Kowalska,Sam Okafor,Emil Novak,Ines Duarte,Noor Rahman,Theo Laurent,Ana Costa,Björn Lind",
]
  .join()
  .split(",");
const ROLES = ["dispatcher", "driver", "agent"];
const PEOPLE = NAMES.map((name, at) => ({ id: String(42 + at * 31), name, role: ROLES[at % ROLES.length] ?? "" }));
type Person = (typeof PEOPLE)[number];

const BROWSERS = [
  "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
  "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1",
  "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
];
const LIBRARY = "protocol=7&client=js&version=8.4.0";

export interface Town {
  readonly server: Server;
  /** At the dashboard's sign-in. */
  signIn(page: Page): Promise<void>;
  /** Somebody is let into another channel than the one that was signed. */
  signWrongly(): Promise<void>;
}

export async function startTown(): Promise<Town> {
  const nodes = await startNodes();
  const [server] = nodes;
  if (!server) throw new Error("There is no node.");
  const town = new Inhabitants(nodes);
  await town.moveIn();
  atEnd(() => town.stop());
  await changeThings(server);
  return { server, signIn, signWrongly: () => town.signWrongly() };
}

async function signIn(page: Page): Promise<void> {
  await page.getByLabel("Name").fill("Lena");
  await page.getByLabel("Password").fill(PASSWORDS.anna);
  await page.getByRole("button", { name: "Sign in" }).click();
}

async function startNodes(): Promise<readonly Server[]> {
  const redis = await startRedis();
  const receiver = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: ({ url }) => new Response(null, { status: url.endsWith("/support") ? 503 : 200 }),
  });
  atEnd(() => receiver.stop(true));
  const at = (path: string) => `http://127.0.0.1:${receiver.port}/${path}`;
  const [joins, comings] = [["member_added"] as const, ["channel_occupied"] as const];
  const config: ConfigInput = {
    engine: "redis",
    redis: { port: redis.port },
    database: { url: sqliteFile() },
    trustedProxies: ["127.0.0.1"],
    webhooks: { allowPrivate: true, retryForS: 20 },
    statistics: { intervalS: 1 },
    dashboard: { users: [{ name: "Lena", password: Bun.password.hashSync(PASSWORDS.anna), role: "admin" }] },
    apps: [
      { ...SHOP, webhooks: [{ url: at("shop"), events: [...comings] }], channels: historyOf("orders", 1_000, 86_400) },
      {
        ...DRIVERS,
        webhooks: [{ url: at("fleet"), events: [...joins] }],
        channels: historyOf("presence-dispatch", 250, 3_600),
        limits: { clientEventsPerSecond: 20 },
      },
      {
        ...SUPPORT,
        webhooks: [{ url: at("support"), events: [...joins] }],
        channels: [{ match: "presence-ticket.*", maxSubscribers: 4, history: { size: 100, ttlS: 604_800 } }],
      },
    ],
  };
  const nodes: Server[] = [];
  for (const name of ["fra-1", "fra-2", "fra-3"]) {
    // They are on three machines, as far as one reads.
    await mock.module("node:os", () => ({ ...os, hostname: () => name }));
    nodes.push(await startServer(config));
  }
  return nodes;
}

function historyOf(match: string, size: number, ttlS: number) {
  return [{ match, history: { size, ttlS } }];
}

/** What the audit log has of the day. */
async function changeThings(server: Server): Promise<void> {
  const lena = new Visitor(`${server.url}/dashboard`);
  await eventually(async () => expect((await lena.signIn("Lena", PASSWORDS.anna)).status).toBe(200));
  // The three share a file, which another of them may be writing to.
  const { app } = await eventually(async () => {
    const made = await lena.post<{ app: { id: string } }>("api/apps", { name: "Warehouse" });
    expect(made.status).toBe(200);
    return made.body;
  });
  await lena.post(`api/apps/${app.id}/rotate`, { forget: false });
  const event = { channel: "orders", event: "order.paid", data: '{"id":38841,"total":19.9}' };
  await lena.post("api/apps/shop/events", event);
}

/** Everybody who is connected, and what they do by the tenth of a second. */
class Inhabitants {
  readonly #nodes: readonly Server[];
  readonly #drivers: NativeTestClient[] = [];
  readonly #agents: { readonly person: Person; readonly client: PusherTestClient }[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;
  #turn = 0;

  constructor(nodes: readonly Server[]) {
    this.#nodes = nodes;
  }

  async moveIn(): Promise<void> {
    for (const [at, person] of PEOPLE.entries()) {
      await this.#shop(at, person);
      if (person.role !== "agent") await this.#drive(at, person);
      else await this.#help(at, person);
    }
    this.#timer = setInterval(() => void this.#live().catch(() => {}), 100);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async signWrongly(): Promise<void> {
    const mara = PEOPLE[0];
    if (!mara) return;
    const client = await connectPusher(this.#url(0), { app: SHOP, query: LIBRARY, headers: headersOf(0) });
    await client.signin({ id: mara.id, user_info: { name: mara.name } });
    const auth = channelAuth(SHOP, client.socketId, "private-orders.8814");
    for (let times = 0; times < 3; times++) client.sendSubscribe("private-orders.8841", { auth });
    await client.ping();
    await client.close();
  }

  #url(at: number): string {
    return this.#nodes[at % this.#nodes.length]?.url ?? "";
  }

  async #shop(at: number, { id, name, role }: Person): Promise<void> {
    const token = await makeToken({ sub: id, info: { name, role }, channels: ["private-*"] }, SHOP.secret);
    const client = await connectNative(this.#url(at), { token, app: SHOP.key, headers: headersOf(at) });
    const own = [`private-user.${id}`, `private-orders.${8_800 + at}`];
    for (const channel of ["cache-prices", ...(at % 3 === 0 ? [] : ["orders"]), ...own])
      await client.subscribe(channel);
  }

  async #drive(at: number, { id, name, role }: Person): Promise<void> {
    const token = await makeToken({ sub: id, info: { name, role }, channels: ["presence-*"] }, DRIVERS.secret);
    const client = await connectNative(this.#url(at + 1), { token, app: DRIVERS.key, headers: headersOf(at) });
    for (const channel of ["presence-dispatch", `deliveries.${at % 2 ? "berlin" : "hamburg"}`])
      await client.subscribe(channel);
    this.#drivers.push(client);
  }

  async #help(at: number, person: Person): Promise<void> {
    const options = { app: SUPPORT, query: LIBRARY, headers: headersOf(at) };
    const client = await connectPusher(this.#url(at + 2), options);
    const data = { user_id: person.id, user_info: { name: person.name, role: person.role } };
    await client.signin({ id: person.id, user_info: { name: person.name } });
    await client.subscribe(`presence-ticket.${2_200 + at}`, { data });
    for (let chat = 0; chat < 4; chat++) await client.subscribe(`private-chat.${700 + at * 4 + chat}`);
    await client.subscribe(`private-encrypted-vault.${at % 4}`);
    this.#agents.push({ person, client });
  }

  /** Busier and calmer by the minute. */
  async #live(): Promise<void> {
    const turn = this.#turn++;
    const ease = 0.6 + 0.4 * Math.sin(turn / 190) + 0.25 * Math.sin(turn / 31);
    const isAbout = (part: number) => Math.random() < part * ease;
    if (isAbout(0.9)) void this.#api(SHOP, "10.0.4.12", "orders", "order.paid", orderOf(turn));
    if (turn % 12 === 0) void this.#api(SHOP, "10.0.4.12", "cache-prices", "price.changed", priceOf(turn));
    if (isAbout(0.3)) void this.#api(SHOP, "10.0.4.12", ...noteFor(one(PEOPLE, turn)));
    if (isAbout(0.25)) void this.#api(SHOP, "10.0.4.12", ...statusOf(turn));
    if (isAbout(0.6)) void this.#api(DRIVERS, "10.0.4.31", ...placeOf(turn));
    if (isAbout(0.5)) one(this.#drivers, turn)?.send("publish", cursorOf(turn));
    if (isAbout(0.4)) this.#say(turn);
    if (turn % 23 === 0) await this.#visit(turn);
    if (turn % 310 === 40) await this.signWrongly();
    if (turn % 260 === 90) await this.#wrongSecret();
    if (turn % 420 === 130) this.#shout();
    if (turn % 600 === 200)
      await dialPusher(this.#url(1), { app: { ...SHOP, key: "5f0c2a9b-old" }, headers: headersOf(9) });
  }

  #api(app: AppKeys, address: string, channel: string, name: string, data: object): Promise<Response> {
    const headers = { "X-Forwarded-For": address, "User-Agent": "pusher-http-php/7.2.7" };
    return signedFetch(this.#url(this.#turn), app, "POST", "/events", {
      body: { name, channel, data: JSON.stringify(data) },
      headers,
    });
  }

  async #wrongSecret(): Promise<void> {
    for (let times = 0; times < 2; times++)
      await this.#api({ ...SHOP, secret: "of-staging" }, "10.0.4.12", "orders", "order.paid", orderOf(times));
  }

  #say(turn: number): void {
    const said = one(this.#agents, turn);
    if (!said) return;
    const at = PEOPLE.indexOf(said.person);
    const text = ["Thanks, that works", "Refund is on its way", "One moment", "Can you send a picture?"][turn % 4];
    said.client.send("client-message", { text }, `private-chat.${700 + at * 4 + (turn % 4)}`);
  }

  /** More than a client may. */
  #shout(): void {
    for (let times = 0; times < 40; times++) this.#drivers[1]?.send("publish", cursorOf(times));
  }

  /** Somebody comes to a ticket, and leaves. */
  async #visit(turn: number): Promise<void> {
    const person = one(PEOPLE, turn * 7);
    if (!person) return;
    const options = { app: SUPPORT, query: LIBRARY, headers: headersOf(turn) };
    const client = await connectPusher(this.#url(turn), options);
    const data = { user_id: person.id, user_info: { name: person.name, role: "customer" } };
    client.sendSubscribe(`presence-ticket.${2_200 + 2 + (turn % 5) * 3}`, { data });
    setTimeout(() => void client.close(), 4_000 + Math.random() * 9_000);
  }
}

function headersOf(at: number): Readonly<Record<string, string>> {
  return {
    "User-Agent": BROWSERS[at % BROWSERS.length] ?? "",
    Origin: "https://shop.example",
    "X-Forwarded-For": `84.17.${50 + (at % 9)}.${9 + ((at * 37) % 200)}`,
    "X-Forwarded-Proto": "https",
  };
}

function one<T>(all: readonly T[], turn: number): T | undefined {
  return all[turn % all.length];
}

type Published = [channel: string, event: string, data: object];

function orderOf(turn: number): object {
  return { id: 38_800 + (turn % 900), total: Math.round(2_000 + Math.random() * 40_000) / 100, currency: "EUR" };
}

function priceOf(turn: number): object {
  return { sku: ["RUG-17", "CHR-88", "LMP-02"][turn % 3], price: 49 + (turn % 20), stock: turn % 40 };
}

function noteFor(person: Person | undefined): Published {
  const title = ["Your parcel is on its way", "Refund issued", "Back in stock"][Math.floor(Math.random() * 3)];
  return [`private-user.${person?.id}`, "notification", { title }];
}

function statusOf(turn: number): Published {
  const status = ["packed", "shipped", "delivered"][turn % 3];
  return [`private-orders.${8_800 + (turn % PEOPLE.length)}`, "order.status", { status, at: "hub-2" }];
}

function placeOf(turn: number): Published {
  const [lat, lng] = [52.4967 + Math.random() / 10, 13.39 + Math.random() / 10];
  const data = { driver: turn % 50, lat: Number(lat.toFixed(5)), lng: Number(lng.toFixed(5)) };
  return [`deliveries.${turn % 3 ? "berlin" : "hamburg"}`, "driver.moved", data];
}

function cursorOf(turn: number): object {
  const data = { x: (turn * 37) % 1_200, y: (turn * 23) % 640, tool: ["lasso", "pin"][turn % 2] };
  return { channel: "presence-dispatch", event: "client-cursor", data };
}
