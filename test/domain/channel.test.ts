/** What a channel's name says, and what an app's rules say of it. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseConfig } from "../../packages/server/src/config/load.ts";
import type { App, ChannelRule } from "../../packages/server/src/domain/app.ts";
import {
  channelOf,
  isInternal,
  kindOf,
  matches,
  onlineChannel,
  traitsOf,
  userChannel,
  userOfChannel,
  userOfOnlineChannel,
} from "../../packages/server/src/domain/channel.ts";

const SEED = 20_261_121;

describe("a channel's traits", () => {
  /** Name, kind, then the first letters of private, presence, encrypted, cache. */
  const KINDS: readonly (readonly [string, string, string])[] = [
    ["chat.room.1", "public", ""],
    ["cache-news", "public", "c"],
    ["private-a", "private", "p"],
    ["private-cache-a", "private", "pc"],
    ["private-encrypted-a", "private", "pe"],
    ["private-encrypted-cache-a", "private", "pec"],
    ["presence-a", "presence", "pP"],
    ["presence-cache-a", "presence", "pPc"],
    ["private-", "private", "p"],
    ["presence-", "presence", "pP"],
    ["#server-to-user-ada", "public", ""],
    // Anchored: the same words elsewhere are only part of a name.
    ["x-private-y", "public", ""],
    ["my-presence-a", "public", ""],
    ["Private-a", "public", ""],
    ["privateer", "public", ""],
    ["private", "public", ""],
    ["presence", "public", ""],
    ["encrypted-a", "public", ""],
    ["news-cache-a", "public", ""],
    ["private-a-encrypted-b", "private", "p"],
    ["private-a-cache-b", "private", "p"],
    ["private-cache-encrypted-a", "private", "pc"],
    ["private-presence-a", "private", "p"],
    ["presence-private-a", "presence", "pP"],
    ["presence-encrypted-a", "presence", "pP"],
    ["cache-private-a", "public", "c"],
    ["cache-presence-a", "public", "c"],
  ];

  test.each(KINDS)("of %s make it %s (%s)", (name, kind, letters) => {
    const traits = traitsOf(name);
    expect(traits).toEqual({
      private: letters.includes("p"),
      presence: letters.includes("P"),
      encrypted: letters.includes("e"),
      cache: letters.includes("c"),
    });
    expect(kindOf(traits) as string).toBe(kind);
  });
});

test("a user's channels are found by the user, and the user by them", () => {
  for (const user of ["ada", "", "a-b", "#server-to-user-x"]) {
    expect(userOfChannel(userChannel(user))).toBe(user);
    expect(userOfOnlineChannel(onlineChannel(user))).toBe(user);
    expect(userOfChannel(onlineChannel(user))).toBeUndefined();
    expect(isInternal(userChannel(user)) && isInternal(onlineChannel(user))).toBe(true);
  }
  expect(userOfChannel("x#server-to-user-ada")).toBeUndefined();
  expect(isInternal("server-to-user-ada")).toBe(false);
});

describe("a channel's policy", () => {
  const DAY_S = 86_400;

  test("is its kind's where no rule matches", () => {
    const mayPublish = (name: string, on: boolean) => channelOf(app(on), name).policy.clientPublish;
    expect(mayPublish("chat", true)).toBe("none");
    expect(mayPublish("private-a", true)).toBe("client-events");
    expect(mayPublish("presence-a", true)).toBe("client-events");
    expect(mayPublish("private-encrypted-a", true)).toBe("none");
    expect(mayPublish("private-a", false)).toBe("none");
    const { cacheTtlS, maxSubscribers } = channelOf(app(true), "cache-a").policy;
    expect([cacheTtlS, maxSubscribers]).toEqual([1_800, Number.POSITIVE_INFINITY]);
  });

  test("is the first matching rule's, and its kind's where that rule says nothing", () => {
    const rules: ChannelRule[] = [
      { match: "private-log.*", clientPublish: "none" },
      { match: "private-*", cacheTtlS: DAY_S },
      { match: "*", clientPublish: "any", maxSubscribers: 3 },
    ];
    const policyOf = (name: string) => channelOf(app(true, rules), name).policy;
    expect(policyOf("private-log.1").clientPublish).toBe("none");
    expect(policyOf("private-log.1").cacheTtlS).toBe(1_800);
    expect(policyOf("private-x")).toEqual({
      clientPublish: "client-events",
      cacheTtlS: DAY_S,
      maxSubscribers: Number.POSITIVE_INFINITY,
      auth: false,
    });
    expect(policyOf("chat")).toEqual({ clientPublish: "any", cacheTtlS: 1_800, maxSubscribers: 3, auth: false });
  });

  test("can make a channel private or for signed-in users only, and never takes away what the name says", () => {
    const rules: ChannelRule[] = [
      { match: "vip.*", private: true, auth: true },
      { match: "private-*", private: false },
    ];
    const vip = channelOf(app(true, rules), "vip.1");
    expect(vip.traits).toEqual({ private: true, presence: false, encrypted: false, cache: false });
    expect(vip.policy).toMatchObject({ auth: true, clientPublish: "client-events" });
    expect(channelOf(app(true, rules), "private-a").traits.private).toBe(true);
    expect(channelOf(app(true, rules), "chat").traits.private).toBe(false);
  });

  function app(clientEvents: boolean, channels: readonly ChannelRule[] = []): App {
    const { apps } = parseConfig({ apps: [{ id: "a", key: "k", secret: "s", clientEvents, channels }] });
    const [first] = apps;
    if (!first) throw new Error("The configuration lost its app.");
    return first;
  }
});

describe("a pattern", () => {
  test.each([
    ["chat", "chat", true],
    ["chat", "chat.1", false],
    ["chat", "a-chat", false],
    ["chat.*", "chat.", true],
    ["chat.*", "chat.1.2", true],
    ["chat.*", "chat", false],
    ["room-?", "room-1", true],
    ["room-?", "room-12", false],
    ["room-?", "room-", false],
    ["*", "", true],
    ["", "", true],
    ["", "a", false],
    ["?", "", false],
    ["a*b*c", "axxbyyc", true],
    ["a*b*c", "axxbyy", false],
    ["**a**", "bab", true],
    ["a.c", "abc", false],
    ["[a-z]*", "b", false],
    ["a\\*", "a*", false],
    ["*@x", "a@x@x", true],
  ] as const)("%j against %j: %p", (pattern, name, expected) => {
    expect(matches(pattern, name)).toBe(expected);
  });

  test("matches what a regular expression made of it matches", () => {
    const pattern = fc.string({ unit: fc.constantFrom("a", "b", "*", "?", "."), maxLength: 8 });
    const name = fc.string({ unit: fc.constantFrom("a", "b", ".", "*", "?"), maxLength: 12 });
    fc.assert(
      fc.property(pattern, name, (p, n) => matches(p, n) === reference(p).test(n)),
      { seed: SEED, numRuns: 20_000 },
    );
  });

  test("takes no longer when it was made to", () => {
    // A backtracking matcher would take longer than the universe has.
    const pattern = `${"a*".repeat(500)}b`;
    const name = "a".repeat(1_000);
    const startedAtMs = performance.now();
    expect(matches(pattern, name)).toBe(false);
    expect(performance.now() - startedAtMs).toBeLessThan(2_000);
  });

  function reference(pattern: string): RegExp {
    const source = Array.from(pattern, (char) => (char === "*" ? ".*" : char === "?" ? "." : RegExp.escape(char)));
    return new RegExp(`^${source.join("")}$`, "s");
  }
});
