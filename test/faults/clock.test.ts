/** The system's clock jumps by an hour, both ways: only the window of signatures notices. */

import { expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { connectPusher, signedFetch } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { startBareProcess } from "./process.ts";

const HOUR_S = 3_600;

const clock = fakeClock();

test("nobody is asked, closed or taken off the list, and only stale signatures are refused (scenario 9)", async () => {
  const server = await startBareProcess({
    config: { apps: [APP], activityTimeoutS: 60, pongTimeoutS: 60 },
    env: clock.env,
  });
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
    clock.set(seconds);
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
