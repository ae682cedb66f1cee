/** Nodes behind a proxy, and workers, that are swapped under load: who is told to come back is back soon and has missed nothing. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import Pusher from "pusher-js";
import type { ConfigInput } from "../../packages/server/src/index.ts";
import { startBalancer } from "../deploy/balancer.ts";
import { atEnd } from "../support/at-end.ts";
import { CLUSTER_APP, configOf, engineSettings, startNode, usersOf } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";
import { spawnCli } from "../support/process.ts";
import { channelAuth, trigger } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { scaled, soaking } from "../support/soak.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { workerPids } from "../support/workers.ts";
import { type Crowd, Press, startCrowd } from "./crowd.ts";
import { startReceiver } from "./hooks.ts";
import { expectInOrder } from "./listener.ts";
import { SERVER, startBareProcess } from "./process.ts";

setDefaultTimeout(300_000);

const PRESENCE = "presence-room";
const PATIENCE = { withinMs: 60_000, everyMs: 100 };

/** The proxy, both nodes, their engine and all clients share two processors. */
const CLIENTS = scaled(5_000, 60);
const REAL = scaled(100, 10);
const PER_SECOND = scaled(1_000, 50);
const CHANNELS = Array.from({ length: scaled(500, 4) }, (_, n) => `kept-${n}`);
/** Between one swap and the next. */
const SETTLE_MS = scaled(5_000, 1_000);
/** As the client sees it; the server's three seconds begin a little earlier. */
const SOON_MS = 1_500;
const BACK_MS = scaled(5_000, 15_000);
const DRAIN = scaled(
  { drainDelayS: 1, drainTimeoutS: 10 },
  { drainDelayS: 1, drainTimeoutS: 4, drainSpreadS: 1.5 },
) satisfies ConfigInput;

function realClients(url: string, count: number, channel: string) {
  return Array.from({ length: count }, (_, n) => {
    const heard: string[] = [];
    const pusher = new Pusher(APP.key, {
      cluster: "",
      wsHost: "127.0.0.1",
      wsPort: Number(new URL(url).port),
      forceTLS: false,
      enabledTransports: ["ws"],
      enableStats: false,
      channelAuthorization: {
        endpoint: "",
        transport: "ajax",
        customHandler: ({ socketId, channelName }, done) => {
          const channel_data = JSON.stringify({ user_id: `user-${n}` });
          done(null, { auth: channelAuth(APP, socketId, channelName, channel_data), channel_data });
        },
      },
    });
    atEnd(() => pusher.disconnect());
    const awayMs: number[] = [];
    let leftMs = performance.now();
    pusher.connection.bind("state_change", ({ previous }: { previous: string }) => {
      if (previous === "connected") leftMs = performance.now();
    });
    pusher.subscribe(PRESENCE).bind("pusher:subscription_succeeded", () => awayMs.push(performance.now() - leftMs));
    pusher.subscribe(channel).bind("e", (data: string) => heard.push(data));
    return { pusher, heard, user: `user-${n}`, awayMs };
  });
}

/** All that was accepted was heard by every native client in one order, and missed by the others only while they were away. */
async function expectHeard(crowd: Crowd, press: Press): Promise<void> {
  expect(press.refused).toEqual([]);
  await eventually(async () => {
    const { heard, heardOtherwise, holed } = await crowd.report();
    for (const channel of CHANNELS)
      expect(heard[channel]?.toSorted()).toEqual((press.accepted.get(channel) ?? []).toSorted());
    expect([heardOtherwise, holed]).toEqual([0, 0]);
  }, PATIENCE);
  const { awayMs, ...told } = await crowd.report();
  expect(told).toMatchObject({ disordered: [], gaps: 0, unrecovered: 0 });
  expect(Math.max(0, ...awayMs)).toBeLessThan(BACK_MS);
}

test.each([
  ["redis", "HAProxy"],
  ["redis", "nginx"],
  ["nats", "HAProxy"],
] as const)(
  "two nodes on %s behind %s are swapped one after the other under load: everybody is back within 5 s, and nothing that can be recovered is lost (scenario 39)",
  async (engine, proxy) => {
    const { told, options } = startReceiver();
    // The nodes share the database of their webhooks, as nodes on several machines have to.
    const database = { url: `sqlite:${join(temporaryFolder(), "shared.db")}` };
    const where = { ...(await engineSettings(engine)), ...DRAIN };
    const config = { ...where, database, webhooks: { allowPrivate: true, leaveDelayS: 3 } };
    const start = (port: number) => startNode({}, { ...options, config }, port);
    const ports = [await freePort(), await freePort()] as const;
    const nodes = [await start(ports[0]), await start(ports[1])];
    const url = await startBalancer(proxy, ports);
    const crowd = await startCrowd({ count: CLIENTS, channels: CHANNELS, pusherShare: 0.4, first: url, later: url });
    const real = realClients(url, REAL, CHANNELS[0] ?? "");
    await eventually(
      () => expect(real.every(({ pusher }) => pusher.allChannels().every(({ subscribed }) => subscribed))).toBe(true),
      PATIENCE,
    );
    const beganMs = performance.now();
    const press = new Press(url, CHANNELS, PER_SECOND);
    await Bun.sleep(SETTLE_MS);
    for (const [n, port] of ports.entries()) {
      expect((await nodes[n]?.process.stop("SIGTERM", 30_000))?.code).toBe(0);
      nodes[n] = await start(port);
      await Bun.sleep(SETTLE_MS);
    }
    const perSecond = (1_000 * press.count) / (performance.now() - beganMs);
    await press.stop();
    const users = real.map((_, n) => `user-${n}`);
    await eventually(async () => expect(await usersOf(url, PRESENCE)).toEqual(users.toSorted()), PATIENCE);
    await expectHeard(crowd, press);
    expect(await crowd.report()).toMatchObject({ codes: [4200], neverAway: 0 });
    for (const { pusher, heard } of real) {
      expect(pusher.connection.state).toBe("connected");
      expectInOrder(heard);
    }
    if (soaking) expect(perSecond).toBeGreaterThan(0.9 * PER_SECOND);
    // Whoever was back within three seconds had not left, as far as receivers are told.
    await Bun.sleep(3_500);
    // On NATS the node that somebody left may write so after the one that was come to has told it: then a coming is told twice.
    const changesTold = (...names: string[]) => (engine === "nats" ? [...new Set(told(...names))] : told(...names));
    expect(changesTold("channel_occupied", "channel_vacated")).toEqual(
      [...CHANNELS, PRESENCE].map((channel) => `channel_occupied ${channel}`).toSorted(),
    );
    const quick = real.filter(({ awayMs }) => Math.max(...awayMs.slice(1)) < SOON_MS).map(({ user }) => user);
    const changes = changesTold("member_added", "member_removed").filter((line) =>
      quick.includes(line.split(" ")[2] ?? ""),
    );
    expect(changes).toEqual(quick.map((user) => `member_added ${PRESENCE} ${user}`).toSorted());
    if (soaking) expect(quick.length).toBeGreaterThan(0.9 * REAL);
  },
);

test("a server with workers reads another configuration under load, and swaps its workers: nobody notices the one, everybody is back from the other within 5 s, and nothing that can be recovered is lost (scenario 39)", async () => {
  const cwd = temporaryFolder();
  const config = { ...configOf(), ...DRAIN, drainDelayS: 0 };
  const server = await startBareProcess({ cwd, config, args: ["--workers", "2"] });
  const reload = async (...args: string[]) => {
    const child = spawnCli(["reload", ...args], { cwd, program: SERVER });
    const { code } = await child.ended(60_000);
    return { code, stdout: child.stdout, stderr: child.stderr };
  };
  const pids = workerPids(server.pid);
  const { url } = server;
  const crowd = await startCrowd({ count: CLIENTS, channels: CHANNELS, pusherShare: 0.4, first: url, later: url });
  const press = new Press(url, CHANNELS, PER_SECOND);
  await Bun.sleep(1_000);
  const fresh = { id: "fresh", key: "fresh-key", secret: "fresh-secret" };
  const limits = { ...CLUSTER_APP.limits, channelsPerConnection: 7 };
  const changed = { ...config, apps: [{ ...CLUSTER_APP, limits }, fresh], log: { level: "warn", format: "json" } };
  writeFileSync(join(cwd, "fanfare.config.json"), JSON.stringify(changed));
  const answer = await reload();
  expect([answer.code, answer.stdout]).toEqual([0, expect.stringContaining("apps added          fresh")]);
  await trigger(url, fresh, { name: "e", channel: "room", data: "x" });
  await Bun.sleep(1_000);
  expect(await crowd.report()).toMatchObject({ neverAway: CLIENTS, gaps: 0 });
  expect(await reload("--workers")).toMatchObject({ code: 0, stderr: "" });
  await crowd.back(1, PATIENCE.withinMs);
  await Bun.sleep(1_000);
  await press.stop();
  expect(workerPids(server.pid).filter((pid) => pids.includes(pid))).toEqual([]);
  await expectHeard(crowd, press);
  expect(await crowd.report()).toMatchObject({ codes: [4200], neverAway: 0 });
});
