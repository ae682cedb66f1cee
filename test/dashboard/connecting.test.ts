/** How far somebody has come who connects an app, and why an attempt failed, in words. */

import { describe, expect, test } from "bun:test";
import { delivered, progressed, reached, reasonFor } from "../../packages/dashboard/src/client/connecting.ts";
import type { AppSummary, FeedEntry } from "../../packages/server/src/admin/api-types.ts";

const SHOP: AppSummary = { id: "shop", name: "Shop", key: "5f0c2a9be71d44c3", enabled: true, source: "config" };
const FLEET: AppSummary = { ...SHOP, id: "fleet", name: "Fleet", key: "fleet-key" };
const NOTHING = { failed: [] };

const entry = (it: Partial<FeedEntry> & Pick<FeedEntry, "type">): FeedEntry => ({
  id: "1",
  atMs: 0,
  app: "shop",
  ...it,
});
const unknownKey = (asked: string) => {
  const why = `app_unknown: Could not find app by key ${asked}.`;
  return reasonFor(entry({ type: "turned_away", code: "app_unknown", why }), SHOP, [SHOP, FLEET]);
};

describe("a key that no app has", () => {
  test.each([
    ["5f0c2a9be71d44c", "Characters are missing at the end: the key ends in 4c3."],
    ["0c2a9be71d44c3", "Characters are missing at the beginning: the key begins with 5f0c2a."],
    ["5F0C2A9BE71D44C3", "Capital and small letters differ."],
    ["%225f0c2a9be71d44c3%22", "There are spaces or quotes around it."],
    ["5f0c2a9be71d44c3%20", "There are spaces or quotes around it."],
    ["5f0c2a9xx71d44c3", "It differs from character 8 on: the key goes on with be71d4."],
    ["5f0c2a9be71d44c3/x", "There are more characters behind the key."],
    ["something-else", "This app's key is 5f0c2a9be71d44c3."],
    ["shop", "That is the app's id. Its key is 5f0c2a9be71d44c3."],
    ["fleet-key", "That is the key of another app now: Fleet."],
    [
      "undefined",
      "The client has no key: the variable is empty where the page is built. Set it, and build the page anew.",
    ],
    ["%E0%A4%A", "This app's key is 5f0c2a9be71d44c3."],
  ])("%s", (asked, advice) => {
    expect(unknownKey(asked)).toEqual({ title: `Unknown key ${asked}`, advice });
  });
});

test("of another app nothing counts, and of an unknown one every failure", () => {
  const types = ["connected", "subscribed", "api_message", "refused"] as const;
  const foreign = types.map((type) => entry({ type, app: "fleet" }));
  expect(progressed(NOTHING, foreign, "shop")).toEqual(NOTHING);
  const { app: _, ...nameless } = entry({ type: "turned_away", why: "app_unknown: Could not find app by key x." });
  expect(progressed(NOTHING, [nameless], "shop").failed).toEqual([nameless]);
});

test("the first connection stays, the last publication counts, and the same failure is there once", () => {
  const said = [
    entry({ type: "connected", id: "a" }),
    entry({ type: "connected", id: "b" }),
    entry({ type: "api_message", id: "c", channel: "one" }),
    entry({ type: "api_message", id: "d", channel: "two" }),
    entry({ type: "refused", id: "e", why: "same" }),
    entry({ type: "refused", id: "f", why: "same" }),
  ];
  const progress = progressed(NOTHING, said, "shop");
  expect([progress.connected?.id, progress.published?.id]).toEqual(["a", "d"]);
  expect(progress.failed.map(({ id }) => id)).toEqual(["f"]);
  expect(reached(progress)).toBe(2);
});

test("a connection of the board, which says later whose it is, is none", () => {
  const opened = (connection: string) => entry({ type: "connected", connection });
  const guest = entry({ type: "subscribed", connection: "1.1", user: "guest-0123abcd", channel: "presence-workshop" });
  const before = progressed(NOTHING, [opened("1.1")], "shop");
  expect(before.connected?.connection).toBe("1.1");
  expect(progressed(before, [guest], "shop").connected).toBeUndefined();
  const both = progressed(before, [opened("2.2"), guest], "shop");
  expect([both.connected?.connection, both.subscribed]).toEqual(["2.2", undefined]);
});

test("what was published has arrived if its channel had a subscriber in that second", () => {
  const published = entry({ type: "api_message", channel: "news", atMs: 10_000 });
  const progress = progressed(NOTHING, [published], "shop");
  const rate = { app: "shop", channel: "news", in: 1, out: 1 };
  expect(delivered(progress, [{ ...rate, out: 0 }], 10_000).received).toBeUndefined();
  expect(delivered(progress, [{ ...rate, channel: "other" }], 10_000).received).toBeUndefined();
  expect(delivered(progress, [rate], 60_000).received).toBeUndefined();
  expect(delivered(progress, [rate], 11_000).received).toEqual(published);
  expect(delivered(NOTHING, [], 11_000)).toEqual(NOTHING);
});

test("what was counted before the event itself came is of that event, if it is of the same moment", () => {
  const rate = { app: "shop", channel: "news", in: 1, out: 1 };
  const counted = delivered(NOTHING, [rate], 10_015);
  const published = entry({ type: "api_message", channel: "news", atMs: 10_000 });
  expect(progressed(counted, [published], "shop").received).toEqual(published);
  expect(progressed(counted, [{ ...published, atMs: 20_000 }], "shop").received).toBeUndefined();
  expect(progressed(counted, [{ ...published, channel: "other" }], "shop").received).toBeUndefined();
  expect(delivered(counted, [], 20_000).sent).toEqual([]);
});
