/** The pictures of people, of one user and connection, and of webhooks in the docs. Not a test: it makes files of this repository. */

import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import type { PersonDetail } from "../../packages/server/src/admin/api-types.ts";
import type { Server } from "../../packages/server/src/index.ts";
import { connectNative, makeToken } from "../support/native-client.ts";
import { channelAuth, connectPusher } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { goTo, look, startWithDashboard } from "./dashboard.ts";

const AGENTS = {
  mac: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36",
  phone: "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile Safari/604.1",
};
const JS = { query: "protocol=7&client=js&version=8.4.0" };
const SUPPORT = {
  id: "support",
  name: "Support desk",
  key: "support-key",
  secret: "support-secret",
  clientEvents: true,
};
const FLEET = { id: "fleet", name: "Driver app", key: "fleet-key", secret: "fleet-secret", clientEvents: true };

const USERS = [
  ["Mara Lindqvist", "42"],
  ["Jonas Weber", "117"],
  ["Aiko Tanaka", "208"],
  ["Priya Nair", "311"],
  ["Tomás Herrera", "87"],
  ["Lena Fischer", "512"],
  ["Omar Haddad", "64"],
  ["Chloé Martin", "730"],
  ["Diego Santos", "95"],
  ["Nina Kowalska", "441"],
  ["Sam Okafor", "260"],
  ["Yuki Mori", "19"],
] as const;

export async function takePeoplePictures(browser: Browser): Promise<void> {
  const receiver = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: answerOf });
  const server = await startWithDashboard({
    apps: [{ ...APP, name: "Shop", clientEvents: true, webhooks: receiversAt(receiver.port) }, SUPPORT, FLEET],
    webhooks: { allowPrivate: true, retryForS: 1 },
  });
  const socketId = await mara(server);
  for (const [at, [name, id]] of USERS.entries()) if (id !== "42") await person(server, name, id, at);
  for (let times = 0; times < 3; times++) await connectPusher(server.url, JS);
  const busy = setInterval(() => void traffic(server), 400);
  const places = [
    ["people", "people"],
    ["people-user", "user?app=app&id=42"],
    ["people-connection", `connection?app=app&id=${socketId}`],
    ["webhooks", "webhooks"],
  ] as const;
  try {
    for (const [name, place] of places) {
      for (const [suffix, size, colors] of LOOKS) {
        const { page } = await look(browser, server, { place: "settings?tab=appearance", colors, ...size });
        if (name === "people-user") await page.route("**/users/42", (route) => stretched(route));
        await goTo(page, place);
        await page
          .locator(name === "people-connection" ? ".frames li" : "main table")
          .first()
          .waitFor();
        await page.waitForTimeout(name === "people-connection" ? 4_500 : 1_500);
        await page.screenshot({ path: join(PICTURES, `dashboard-${name}${suffix}.png`) });
        await page.close();
      }
    }
  } finally {
    clearInterval(busy);
    await receiver.stop(true);
  }
}

const PICTURES = join(import.meta.dir, "..", "..", "docs", "images");
const LOOKS = [
  ["", { width: 1440, height: 900 }, "light"],
  ["-dark", { width: 1440, height: 900 }, "dark"],
  ["-phone", { width: 390, height: 844 }, "light"],
  ["-phone-dark", { width: 390, height: 844 }, "dark"],
] as const;

const sleep = (ms: number) => Bun.sleep(ms);

/** A quarter of an hour of somebody who has trouble, in a few seconds. Resolves with the connection that has it. */
async function mara(server: Server): Promise<string> {
  const info = { name: "Mara Lindqvist", role: "agent", team: "returns", locale: "sv-SE" };
  const token = await makeToken({ sub: "42", info, channels: ["private-*", "presence-ticket.*"] });
  const phone = { token, headers: { "user-agent": AGENTS.phone } };
  await (await connectNative(server.url, phone)).close();
  await sleep(400);
  const desk = await connectPusher(server.url, { ...JS, headers: { "user-agent": AGENTS.mac } });
  await desk.signin({ id: "42", user_info: info });
  for (const channel of ["orders", "cache-prices", "private-user.42", "private-chat.704"]) {
    await desk.subscribe(channel);
    await sleep(250);
  }
  await desk.subscribe("presence-ticket.2204", { data: { user_id: "42", user_info: info } });
  const lost = await connectNative(server.url, phone);
  await sleep(700);
  lost.socket.terminate();
  await sleep(500);
  const mobile = await connectNative(server.url, phone);
  await mobile.subscribe("orders");
  await sleep(300);
  await mobile.subscribe("private-user.42");
  desk.send("client-typing", { typing: true }, "presence-ticket.2204");
  await sleep(500);
  const tab = await connectPusher(server.url, { ...JS, headers: { "user-agent": AGENTS.mac } });
  await tab.signin({ id: "42", user_info: info });
  await tab.subscribe("private-user.42");
  const auth = channelAuth(APP, desk.socketId, "private-orders.8814");
  for (let times = 0; times < 4; times++) {
    desk.socket.send({ event: "pusher:subscribe", data: { channel: "private-orders.8841", auth } });
    await sleep(120);
  }
  const event = { event: "notification", data: { title: "Your parcel is on its way", order: 38841 } };
  await server.toUser("42").push(event);
  return desk.socketId;
}

async function person(server: Server, name: string, id: string, at: number): Promise<void> {
  const app = [APP, SUPPORT, FLEET][at % 3] ?? APP;
  const client = await connectPusher(server.url, { ...JS, app, headers: { "user-agent": AGENTS.mac } });
  const member = { user_id: id, user_info: { name } };
  await client.signin({ id, user_info: { name } });
  await client.subscribe(at % 3 === 1 ? `presence-ticket.${2200 + at}` : "presence-dispatch", { data: member });
  for (const channel of ["orders", "cache-prices", `private-user.${id}`].slice(0, 1 + (at % 3)))
    await client.subscribe(channel);
  if (at % 4 === 1) client.send("client-typing", { typing: true }, `presence-ticket.${2200 + at}`);
  if (at !== 1) return;
  for (let times = 0; times < 3; times++) {
    client.socket.send({ event: "pusher:subscribe", data: { channel: "private-orders.8841", auth: "support-key:no" } });
  }
}

let turn = 0;

async function traffic(server: Server): Promise<void> {
  const id = 38_841 + turn;
  const paid = { event: "order.paid", data: { id, total: 92.71, currency: "EUR" } };
  const price = { event: "price.changed", data: { sku: "LMP-204", price: 89.9, stock: turn % 40 } };
  const parcel = { event: "notification", data: { title: "Your parcel is on its way", order: id } };
  const [channel, sent] = (
    [
      ["orders", paid],
      ["cache-prices", price],
      ["private-user.42", parcel],
    ] as const
  )[turn++ % 3] ?? ["orders", paid];
  await server.app(APP.id).toChannel(channel).push(sent);
}

/** An hour does not pass for a picture: the seconds in which it all happened are spread over it. Nothing else is changed. */
async function stretched(route: Parameters<Parameters<Page["route"]>[1]>[0]): Promise<void> {
  const response = await route.fetch();
  const person = (await response.json()) as PersonDetail;
  const nowMs = Date.now();
  const first = Math.min(
    ...person.ended.map(({ openedAtMs }) => openedAtMs),
    ...person.connections.map(({ openedAtMs }) => openedAtMs),
  );
  const factor = (52 * 60_000) / Math.max(1, nowMs - first);
  const at = (ms: number) => Math.round(nowMs - (nowMs - ms) * factor);
  const json: PersonDetail = {
    ...person,
    firstSeenMs: at(person.firstSeenMs ?? nowMs),
    connections: person.connections.map((one) => {
      return { ...one, openedAtMs: at(one.openedAtMs), ageMs: nowMs - at(one.openedAtMs) };
    }),
    ended: person.ended.map((one) => ({ ...one, openedAtMs: at(one.openedAtMs), endedAtMs: at(one.endedAtMs) })),
    events: person.events.map((one) => ({ ...one, atMs: at(one.atMs) })),
  };
  await route.fulfill({ response, json });
}

/** One of the receivers is broken. */
function answerOf({ url }: Request): Response {
  return new Response(null, { status: url.endsWith("/orders") ? 500 : 200 });
}

function receiversAt(port: number | undefined) {
  const at = (path: string, event: "channel_occupied" | "member_added" | "client_event") => {
    return { url: `http://127.0.0.1:${port}/${path}`, events: [event] };
  };
  return [at("orders", "channel_occupied"), at("presence", "member_added"), at("audit", "client_event")];
}
