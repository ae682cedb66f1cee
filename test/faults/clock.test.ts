/** The system's clock jumps by an hour, both ways: only the window of signatures notices. */

import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { temporaryFolder } from "../support/process.ts";
import { connectPusher, signedFetch } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { startBareProcess } from "./process.ts";

const HOUR_S = 3_600;

const file = join(temporaryFolder(), "offset");
const jump = (seconds: number) => writeFileSync(file, `${seconds < 0 ? "" : "+"}${seconds}\n`);

async function startWithClock() {
  jump(0);
  const [library] = new Bun.Glob("/usr/lib/*/faketime/libfaketimeMT.so.1").scanSync({ cwd: "/", absolute: true });
  if (library === undefined) throw new Error("faketime is installed without its library");
  return startBareProcess({
    config: { apps: [APP], activityTimeoutS: 60, pongTimeoutS: 60 },
    env: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    },
  });
}

test("nobody is asked, closed or taken off the list, and only stale signatures are refused (scenario 9)", async () => {
  const server = await startWithClock();
  const members = await Promise.all(
    ["1", "2", "3"].map(async (user_id) => {
      const client = await connectPusher(server.url);
      await client.subscribe("presence-x", { data: { user_id } });
      return client;
    }),
  );
  const channels = (timestamp: number) =>
    signedFetch(server.url, APP, "GET", "/channels/presence-x", {
      query: { info: "user_count" },
      tamper: { timestamp },
    });
  for (const seconds of [HOUR_S, -HOUR_S, 0]) {
    jump(seconds);
    const ours = Math.floor(Date.now() / 1000);
    await eventually(async () => expect((await channels(ours + seconds)).status).toBe(200));
    if (seconds !== 0) expect((await channels(ours)).status).toBe(401);
    // Two sweeps.
    await Bun.sleep(2_100);
    expect(await (await channels(ours + seconds)).json()).toMatchObject({ occupied: true, user_count: 3 });
    for (const member of members) {
      expect(member.socket.isOpen).toBe(true);
      await member.ping();
      await member.silence(0, ({ event }) => /ping|removed|error/.test(event));
    }
  }
});
