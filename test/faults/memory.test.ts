/** A process that the kernel gives only so much memory, under a storm of clients: it sheds newcomers before it is killed. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { external } from "../support/external.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { APP, socketUrl } from "../support/server.ts";
import { connect } from "../support/socket.ts";
import { residentBytes, SERVER, startBareProcess } from "./process.ts";

setDefaultTimeout(180_000);

const LIMIT_BYTES = 192 * 1_048_576;

/** A group of this process's own with that limit; undefined where the machine does not let us make one. */
function makeGroup(): { readonly procs: string; readonly kills: () => number } | undefined {
  const groups = readFileSync(`${external("proc")}/self/cgroup`, "utf8");
  const [, first] = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m.exec(groups) ?? [];
  const [, second] = /^0::(.*)$/m.exec(groups) ?? [];
  const [base, limit, events] =
    first === undefined
      ? [join("/sys/fs/cgroup", second ?? "/"), "memory.max", "memory.events"]
      : [join("/sys/fs/cgroup/memory", first), "memory.limit_in_bytes", "memory.oom_control"];
  const group = join(base, `fanfare-${process.pid}`);
  try {
    mkdirSync(group);
    atEnd(() => eventually(() => rmdirSync(group)));
    writeFileSync(join(group, limit), String(LIMIT_BYTES));
  } catch {
    return undefined;
  }
  const kills = () => Number(/oom_kill (\d+)/.exec(readFileSync(join(group, events), "utf8"))?.[1] ?? 0);
  return { procs: join(group, "cgroup.procs"), kills };
}

test("a process with a memory limit sheds newcomers (4100) before the kernel ends it, is not ready, and keeps those it has (scenario 6)", async () => {
  const group = makeGroup();
  // Where no group can be made, the mark is told: what happens above it is the same.
  const inGroup = `echo $$ > ${group?.procs} && exec "$0" "$@"`;
  const server = await startBareProcess({
    ...(group ? { program: ["sh", "-c", inGroup, ...SERVER] } : {}),
    config: {
      apps: [{ ...APP, limits: { subscribesPerSecond: 1000, channelsPerConnection: "unlimited" } }],
      limits: { ...(group ? {} : { memoryBytes: LIMIT_BYTES * 0.9 }), frameBytes: 1_048_576, waitingCommands: 100_000 },
      log: { level: "silent" },
    },
  });
  const early = await connectPusher(server.url);
  expect((await fetch(`${server.url}/ready`)).status).toBe(200);

  // Each client makes the server remember a thousand channels, until it will have no more.
  let refusal = 0;
  for (let clients = 0; clients < 2_000 && refusal === 0; clients++) {
    const client = await connect(socketUrl(server.url, `/app/${APP.key}?protocol=7`));
    const opening = await client.next();
    if (opening.event === "pusher:error") {
      refusal = (await client.closed).code;
      break;
    }
    for (let n = 0; n < 500; n++) {
      const channel = `${String(n).padEnd(120, "c")}-${clients}`;
      client.send({ event: "pusher:subscribe", data: { channel } });
    }
    await client.next(({ channel }) => channel?.startsWith("499") ?? false, 20_000);
  }
  expect(refusal).toBe(4100);
  const red = await fetch(`${server.url}/ready`);
  expect([red.status, await red.json()]).toMatchObject([503, { reasons: [{ code: "memory_full" }] }]);
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
  await early.ping();
  expect(residentBytes(server.pid)).toBeLessThan(LIMIT_BYTES);
  expect([server.hasEnded, group?.kills() ?? 0]).toEqual([false, 0]);
  expect((await server.stop()).code).toBe(0);
});
