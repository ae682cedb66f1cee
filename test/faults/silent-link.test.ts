/** A link that goes down without a word: no end of the connection, no reset, no answer, and still its clients have to go. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { external } from "../support/external.ts";
import { spawnCli } from "../support/process.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";

setDefaultTimeout(180_000);

const CLIENT = join(import.meta.dir, "programs", "client.ts");
/** The activity timeout, the pong timeout, and five seconds. */
const BOUND_MS = 7_000;
const COUNT = 10;
const CHANNEL = "presence-room";

/** Another machine, as far as the network goes: a namespace at the other end of a cable. */
function otherMachine() {
  const name = `fanfare${process.pid}`;
  const [here, there] = [`fh${process.pid}`, `ft${process.pid}`];
  // Of the range for tests between networks (RFC 2544), a net of its own for each run.
  const net = `198.18.${process.pid % 256}`;
  ip("netns", "add", name);
  atEnd(() => ip("netns", "del", name));
  ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", name);
  ip("addr", "add", `${net}.1/30`, "dev", here);
  ip("link", "set", here, "up");
  ip("-n", name, "addr", "add", `${net}.2/30`, "dev", there);
  ip("-n", name, "link", "set", there, "up");
  return {
    program: [external("ip"), "netns", "exec", name, process.execPath] as const,
    address: `${net}.1`,
    /** Nothing goes over the cable any more, and nobody is told. */
    cut: () => ip("link", "set", here, "down"),
  };
}

function ip(...args: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync([external("ip"), ...args]);
  if (exitCode !== 0) throw new Error(`ip ${args.join(" ")}: ${stderr}`);
}

/** Takes webhooks, and says which events of the channel they told. */
function receiver() {
  const told: string[] = [];
  const hooks = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { events } = (await request.json()) as { events: { name: string; user_id?: string }[] };
      told.push(...events.map(({ name, user_id }) => `${name} ${user_id ?? ""}`));
      return new Response();
    },
  });
  atEnd(() => hooks.stop(true));
  return { url: `http://127.0.0.1:${hooks.port}/`, told };
}

test("clients behind a link that went silent are removed in time, and each is told of once (scenario 34)", async () => {
  const machine = otherMachine();
  const { url: hook, told } = receiver();
  const server = await startServer(
    {
      host: "0.0.0.0",
      activityTimeoutS: 1,
      pongTimeoutS: 1,
      database: { url: "sqlite::memory:" },
      webhooks: { allowPrivate: true, leaveDelayS: 0 },
      apps: [{ ...APP, webhooks: [{ url: hook, events: ["member_removed"] }] }],
    },
    {},
  );
  const closed: (string | undefined)[] = [];
  server.on("close", (_, { why }) => closed.push(why));
  const witness = await connectPusher(`http://127.0.0.1:${server.port}`);
  await witness.subscribe(CHANNEL, { data: { user_id: "witness" } });
  const [program, ...before] = machine.program;
  const args = [
    ...before,
    CLIENT,
    `http://${machine.address}:${server.port}`,
    APP.key,
    APP.secret,
    String(COUNT),
    CHANNEL,
  ];
  const clients = spawnCli(args, { program: [program] });
  await clients.prints(/^ready$/m, 30_000);
  expect(await server.members(CHANNEL)).toHaveLength(COUNT + 1);

  machine.cut();
  await eventually(async () => expect(await server.members(CHANNEL)).toHaveLength(1), { withinMs: BOUND_MS });
  await eventually(() => expect(closed).toHaveLength(COUNT), { withinMs: 30_000 });
  await eventually(() => expect(told).toHaveLength(COUNT), { withinMs: 30_000 });
  await witness.ping();
  const left = witness.socket.frames.filter(({ event }) => event === "pusher_internal:member_removed");
  expect(new Set(left.map(({ data }) => JSON.stringify(data))).size).toBe(COUNT);
  expect(left).toHaveLength(COUNT);
  await Bun.sleep(1_500);
  expect(new Set(told).size).toBe(COUNT);
  expect(told).toHaveLength(COUNT);
  expect(clients.stdout).not.toContain("closed");
});
