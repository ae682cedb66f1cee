/** What the overview makes of the refusals that came. */

import { expect, test } from "bun:test";
import { grouped } from "../../packages/dashboard/src/client/refusals.ts";
import type { FeedEntry } from "../../packages/server/src/admin/api-types.ts";

let made = 0;
const entry = (more: Partial<FeedEntry>): FeedEntry => ({ id: `n-${++made}`, type: "refused", atMs: made, ...more });

test("the same thing at the same place is told once, by its newest, and how often", () => {
  const wrong = { app: "app", channel: "private-a", code: "signature_invalid", why: "subscribe: signature: no." };
  const [older, newer] = [entry(wrong), entry(wrong)];
  const elsewhere = entry({ ...wrong, channel: "private-b" });
  const otherApp = entry({ ...wrong, app: "other" });
  const told = grouped([newer, older, elsewhere, otherApp], 10);
  expect(told.map(({ latest, count }) => [latest.id, count])).toEqual([
    [otherApp.id, 1],
    [elsewhere.id, 1],
    [newer.id, 2],
  ]);
  expect(told[2]).toMatchObject({ title: "Wrong signature", place: "private-a" });
  expect(grouped([newer, elsewhere, otherApp], 2).map(({ latest }) => latest.id)).toEqual([otherApp.id, elsewhere.id]);
});

test.each<[Partial<FeedEntry>, string, string]>([
  [{ code: "unauthorized", channel: "private-a", user: "ada" }, "No permission", "private-a · ada"],
  [
    { code: "signature_invalid", why: "POST /apps/1/events: 401 Invalid signature.", address: "10.0.0.1" },
    "API call: wrong signature (401)",
    "POST /apps/1/events · from 10.0.0.1",
  ],
  [{ type: "turned_away", code: "app_unknown", address: "10.0.0.2" }, "Unknown app key", "10.0.0.2"],
  [{ code: "some_new_code", channel: "a" }, "Some new code", "a"],
  [{ channel: "a" }, "Refused", "a"],
  [{ type: "gap", channel: "a" }, "Events may be missing", "a"],
  [
    { type: "error", why: "reading the outbox: no such table", address: "10.0.0.3" },
    "reading the outbox: no such table",
    "",
  ],
])("%j is told as %p at %p", (given, title, place) => {
  expect(grouped([entry(given)], 1)).toMatchObject([{ title, place, count: 1 }]);
});
