/** What nodes tell each other of receivers: how long they took, in few numbers. */

import { expect, test } from "bun:test";
import { Receivers } from "../../packages/server/src/admin/receivers.ts";
import { durationClass, longestOf } from "../../packages/server/src/domain/receiver-report.ts";
import { ReceiverReports } from "../../packages/server/src/observers/webhooks/receiver-reports.ts";
import { bench, fakeApp } from "../support/fakes.ts";

test("a report of two hundred attempts is small, and says within a tenth how long they took", async () => {
  const reports = new ReceiverReports(() => 1_000_000);
  const app = { ...fakeApp(), id: "shop", webhooks: [{ url: "http://x/", events: [] }] };
  const took = Array.from({ length: 200 }, (_, at) => 40 + ((at * 37) % 200));
  for (const tookMs of took) reports.attempted({ app: app.id, target: "http://x/", tookMs, isTaken: true });
  // A third of it are the bars of the last hour.
  expect(JSON.stringify(reports.read()).length).toBeLessThan(500);
  const { hub } = await bench();
  const receivers = new Receivers(hub, () => reports.read());
  receivers.start();
  const { receivers: known } = await receivers.list([app], []);
  receivers.stop();
  const exact = took.toSorted((one, other) => one - other)[189] ?? 0;
  const p95Ms = known[0]?.p95Ms ?? 0;
  expect(p95Ms).toBeGreaterThanOrEqual(exact);
  expect(p95Ms).toBeLessThanOrEqual(exact * 1.1);
});

test.each([0, 1, 7, 20, 21, 100, 5_000, 60_000])("%p ms are in a class that ends there or soon after", (ms) => {
  const longest = longestOf(durationClass(ms));
  expect(longest).toBeGreaterThanOrEqual(ms);
  expect(longest).toBeLessThanOrEqual(Math.ceil(ms * 1.1));
});
